//! Our tree against vectors and two independent implementations.

#![expect(clippy::cast_possible_truncation, reason = "test logs are small")]

use std::collections::HashMap;

use ct_merkle::digest;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use tlog_tiles::{HashReader, prove_record, prove_tree, stored_hash_index, tree_hash};

use super::merkle::{Frontier, Hash, leaf_hash, root_of};
use super::path::*;
use super::samples::{Dice, full, hash, rfc6962_leaves};
use super::tiles::{self, Rows, Shelf, Tile, TileHashes};

fn leaves(dice: &mut Dice, count: usize) -> Vec<Hash> {
    (0..count).map(|_| dice.bytes()).collect()
}

/// Gives tlog_tiles the stored hashes it asks for, out of the same leaves.
struct Stored<'l>(&'l [Hash]);

impl HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let level_and_index = |stored: u64| tlog_tiles::tlog::split_stored_hash_index(stored);
        Ok(indexes
            .iter()
            .map(|i| {
                let (level, index) = level_and_index(*i);
                assert_eq!(stored_hash_index(level, index), *i);
                tlog_tiles::Hash(self.0.subtree(Node { level, index }).unwrap())
            })
            .collect())
    }
}

fn ours(hashes: &[tlog_tiles::Hash]) -> Vec<Hash> {
    hashes.iter().map(|h| h.0).collect()
}

/// SHA-256 by ring, in the trait that ct-merkle asks for.
struct Sha256(ring::digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }
}

impl digest::HashMarker for Sha256 {}

impl digest::OutputSizeUser for Sha256 {
    type OutputSize = digest::consts::U32;
}

impl digest::Update for Sha256 {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

impl digest::FixedOutput for Sha256 {
    fn finalize_into(self, out: &mut digest::Output<Self>) {
        out.copy_from_slice(self.0.finish().as_ref());
    }
}

#[test]
fn the_proofs_are_those_of_rfc_6962() {
    let leaves: Vec<Hash> = rfc6962_leaves().iter().map(|l| leaf_hash(l)).collect();
    let root7 = hash("ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c");
    let of5 = inclusion(leaves.as_slice(), 5, 7).unwrap();
    assert_eq!(
        of5,
        [
            hash("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
            hash("b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"),
            hash("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        ]
    );
    assert_eq!(check_inclusion(&leaves[5], 5, 7, &of5, &root7), Ok(()));
    let from3 = consistency(leaves.as_slice(), 3, 7).unwrap();
    assert_eq!(
        from3,
        [
            hash("0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"),
            hash("07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7"),
            hash("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            hash("837dbb152e9b079010717e84e865da4ebc0fa198a806d59d31bf15accef22d0e"),
        ]
    );
    let root3 = hash("aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    let (old, new) = (Head { size: 3, root: root3 }, Head { size: 7, root: root7 });
    assert_eq!(check_consistency(&old, &new, &from3), Ok(()));
    assert_eq!(check_consistency(&new, &old, &from3), Err(BadProof::Outside(7, 3)));
    assert_eq!(inclusion(leaves.as_slice(), 7, 7), Err(BadProof::Outside(7, 7)));
    assert_eq!(consistency(leaves.as_slice(), 8, 7), Err(BadProof::Outside(8, 7)));
}

#[test]
fn roots_and_proofs_equal_those_of_tlog_tiles_and_ct_merkle() {
    let (n, mut dice) = (full(150, 5_000), Dice::announced("oracles", 31));
    for _ in 0..n {
        let size = 1 + dice.below(700);
        let contents = leaves(&mut dice, size);
        let hashes: Vec<Hash> = contents.iter().map(|c| leaf_hash(c)).collect();
        let all = hashes.as_slice();
        let (size, stored) = (size as u64, Stored(all));
        let mut other = MemoryBackedTree::<Sha256, Hash>::new();
        for content in &contents {
            other.push(*content);
        }
        let root = root_at(all, size).unwrap();
        assert_eq!(root, tree_hash(size, &stored).unwrap().0);
        assert_eq!(root, frontier_at(all, size).unwrap().root());
        assert_eq!(other.root().as_bytes().as_slice(), root);

        let index = dice.below(all.len()) as u64;
        let proof = inclusion(all, index, size).unwrap();
        assert_eq!(proof, ours(&prove_record(size, index, &stored).unwrap()));
        assert_eq!(proof.as_flattened(), other.prove_inclusion(index as usize).as_bytes());
        check_inclusion(&all[index as usize], index, size, &proof, &root).unwrap();

        let old = 1 + dice.below(all.len()) as u64;
        let proof = consistency(all, old, size).unwrap();
        assert_eq!(proof, ours(&prove_tree(size, old, &stored).unwrap()));
        assert_eq!(proof.as_flattened(), other.prove_consistency((size - old) as usize).as_bytes());
        let (old, new) = (Head { size: old, root: root_at(all, old).unwrap() }, Head { size, root });
        check_consistency(&old, &new, &proof).unwrap();
    }
    println!("N = {n}");
}

#[test]
fn every_pair_of_small_sizes_is_proved_and_no_other_index_or_size_is() {
    let leaves = leaves(&mut Dice::announced("small sizes", 32), 33);
    let all = leaves.as_slice();
    let head = |size| Head { size, root: root_at(all, size).unwrap() };
    for size in 0..=33u64 {
        for old in 0..=size {
            let proof = consistency(all, old, size).unwrap();
            assert_eq!(check_consistency(&head(old), &head(size), &proof), Ok(()), "{old} {size}");
            if (1..size).contains(&old) {
                let other = Head { size: old, root: [9; 32] };
                assert!(check_consistency(&other, &head(size), &proof).is_err());
                let longer = [&proof[..], &[[9; 32]]].concat();
                assert!(check_consistency(&head(old), &head(size), &longer).is_err());
                assert!(check_consistency(&head(old), &head(size), &proof[1..]).is_err());
            }
        }
        for index in 0..size {
            let proof = inclusion(all, index, size).unwrap();
            let leaf = &all[index as usize];
            for claimed in 0..=size {
                let holds = check_inclusion(leaf, claimed, size, &proof, &head(size).root).is_ok();
                assert_eq!(holds, claimed == index, "{index} as {claimed} of {size}");
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_proof_is_found() {
    let (n, mut dice) = (full(3, 100), Dice::announced("flipped bits", 33));
    for _ in 0..n {
        let size = 2 + dice.below(300);
        let leaves = leaves(&mut dice, size);
        let (all, size) = (leaves.as_slice(), size as u64);
        let index = dice.below(all.len()) as u64;
        let old = 1 + dice.below(all.len() - 1) as u64;
        let (old, new) =
            (Head { size: old, root: root_at(all, old).unwrap() }, Head { size, root: root_at(all, size).unwrap() });
        let mut proof = inclusion(all, index, size).unwrap();
        for bit in 0..proof.len() * 256 {
            proof[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
            assert!(check_inclusion(&all[index as usize], index, size, &proof, &new.root).is_err());
            proof[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
        }
        let mut proof = consistency(all, old.size, size).unwrap();
        for bit in 0..proof.len() * 256 {
            proof[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
            assert!(check_consistency(&old, &new, &proof).is_err());
            proof[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
        }
    }
    println!("N = {n} trees");
}

#[test]
fn what_a_proof_needs_is_known_beforehand() {
    let leaves = leaves(&mut Dice::announced("needs", 34), 300);
    let all = leaves.as_slice();
    let fetch = |needs: Vec<Node>| -> HashMap<Node, Hash> {
        needs.into_iter().map(|node| (node, all.subtree(node).unwrap())).collect()
    };
    for (a, b) in [(0, 1), (5, 7), (255, 256), (256, 300), (299, 300)] {
        let fetched = fetch(inclusion_needs(a, b).unwrap());
        assert_eq!(inclusion(&fetched, a, b), inclusion(all, a, b));
        let fetched = fetch(consistency_needs(a, b).unwrap());
        assert_eq!(consistency(&fetched, a, b), consistency(all, a, b));
    }
}

/// Grows a log in steps, keeping the tiles that each step completes or changes.
#[test]
fn proofs_from_tiles_equal_proofs_from_leaves_at_sizes_past_the_second_level() {
    let leaves: Vec<Hash> = (0u64..66_000).map(|n| leaf_hash(&n.to_be_bytes())).collect();
    let mut rows = Rows::new();
    let mut frontier = Frontier::new();
    let mut kept: HashMap<Tile, Vec<u8>> = HashMap::new();
    let mut expected: HashMap<Tile, Vec<u8>> = HashMap::new();
    let mut dice = Dice::announced("tiles", 35);
    let steps = [0usize, 1, 2, 255, 256, 257, 511, 65_535, 65_536, 65_537, 65_792, 66_000];
    for step in steps.windows(2) {
        for leaf in &leaves[step[0]..step[1]] {
            frontier.append(*leaf);
            rows.push::<()>(*leaf, &mut |tile, row| {
                expected.insert(tile, row.as_flattened().to_vec());
                Ok(())
            })
            .unwrap();
        }
        let (old, new) = (step[0] as u64, step[1] as u64);
        assert_eq!(rows.root(), frontier.root());
        for tile in tiles::growth(old, new).filter(|t| t.shelf != Shelf::Entries) {
            assert!(tile.stands_at(new));
            kept.insert(tile, tiles::bytes(&tile, leaves[..step[1]].as_ref()).unwrap());
        }
        rows.partial::<()>(&mut |tile, row| {
            assert_eq!(kept.get(&tile).map(Vec::as_slice), Some(row.as_flattened()), "{tile}");
            Ok(())
        })
        .unwrap();
        let source = TileHashes { size: new, fetch: |tile: &Tile| kept.get(tile).cloned() };
        assert_eq!(root_at(&source, new).unwrap(), frontier.root());
        assert_eq!(frontier_at(&source, new).unwrap(), frontier);
        for _ in 0..20 {
            let index = dice.below(step[1]) as u64;
            let proof = inclusion(&source, index, new).unwrap();
            check_inclusion(&leaves[index as usize], index, new, &proof, &frontier.root()).unwrap();
        }
        let grown = consistency(&source, old, new).unwrap();
        let before = Head { size: old, root: root_of(&leaves[..step[0]]) };
        check_consistency(&before, &Head { size: new, root: frontier.root() }, &grown).unwrap();
    }
    for (tile, bytes) in expected {
        assert_eq!(kept.get(&tile), Some(&bytes), "{tile}");
    }
}
