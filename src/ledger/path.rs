//! Proofs that a leaf is in the tree and that one tree grew out of another (RFC 9162 §2.1.3, §2.1.4).

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasher;

use super::merkle::{Frontier, Hash, empty_root, leaf_hash, node_hash};

/// A complete subtree: its leaves are `index << level` up to `(index + 1) << level`, end excluded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Node {
    /// Height: 0 is a leaf.
    pub level: u8,
    /// Position among the subtrees of that height.
    pub index: u64,
}

/// Why there is no proof, or why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// The leaf or the smaller tree lies outside the tree.
    #[error("position {0} is not within a log of {1} leaves")]
    Outside(u64, u64),
    /// The source has no hash for this subtree.
    #[error("the hash of subtree {0:?} is missing")]
    Missing(Node),
    /// The number of hashes is not the one for these sizes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Gives the hashes of complete subtrees. What it gives is not trusted: check the proof made from it.
pub trait HashSource {
    /// The hash of a complete subtree.
    fn subtree(&self, node: Node) -> Result<Hash, BadProof>;
}

/// Leaf hashes in memory.
impl HashSource for [Hash] {
    fn subtree(&self, node: Node) -> Result<Hash, BadProof> {
        let missing = BadProof::Missing(node);
        let width = 1usize.checked_shl(node.level.into()).ok_or_else(|| missing.clone())?;
        let from =
            usize::try_from(node.index).ok().and_then(|i| i.checked_mul(width)).ok_or_else(|| missing.clone())?;
        let leaves = from.checked_add(width).and_then(|to| self.get(from..to)).ok_or(missing)?;
        Ok(super::merkle::root_of(leaves))
    }
}

/// Hashes fetched beforehand, for sources that answer later (a database): see [`inclusion_needs`].
impl<S: BuildHasher> HashSource for HashMap<Node, Hash, S> {
    fn subtree(&self, node: Node) -> Result<Hash, BadProof> {
        self.get(&node).copied().ok_or(BadProof::Missing(node))
    }
}

/// The size of the left subtree: the largest power of two below `width`, which is at least 2.
const fn left_width(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// The hash of `width` leaves from `from`, which a proof always starts at a multiple of the subtree it fills.
fn range(source: &(impl HashSource + ?Sized), from: u64, width: u64) -> Result<Hash, BadProof> {
    if width == 0 {
        return Ok(empty_root());
    }
    if width.is_power_of_two() {
        let level = width.trailing_zeros();
        return source.subtree(Node { level: level.to_le_bytes()[0], index: from >> level });
    }
    let left = left_width(width);
    Ok(node_hash(&range(source, from, left)?, &range(source, from + left, width - left)?))
}

/// The root of the first `size` leaves.
pub fn root_at(source: &(impl HashSource + ?Sized), size: u64) -> Result<Hash, BadProof> {
    range(source, 0, size)
}

/// The frontier of the first `size` leaves.
pub fn frontier_at(source: &(impl HashSource + ?Sized), size: u64) -> Result<Frontier, BadProof> {
    let mut peaks = Vec::with_capacity(size.count_ones() as usize);
    let mut from = 0;
    for level in (0..64).rev().filter(|level| size >> level & 1 == 1) {
        peaks.push(range(source, from, 1 << level)?);
        from += 1 << level;
    }
    Frontier::from_peaks(size, peaks).ok_or(BadProof::Length)
}

/// The proof that leaf `index` is in the tree of `size` leaves, from leaf to root.
pub fn inclusion(source: &(impl HashSource + ?Sized), index: u64, size: u64) -> Result<Vec<Hash>, BadProof> {
    if index >= size {
        return Err(BadProof::Outside(index, size));
    }
    let (mut from, mut width) = (0, size);
    let mut from_the_root = Vec::new();
    while width > 1 {
        let left = left_width(width);
        if index - from < left {
            from_the_root.push(range(source, from + left, width - left)?);
            width = left;
        } else {
            from_the_root.push(range(source, from, left)?);
            from += left;
            width -= left;
        }
    }
    from_the_root.reverse();
    Ok(from_the_root)
}

/// The proof that the tree of `new` leaves grew out of the tree of `old`; empty when `old` is 0 or `new`.
pub fn consistency(source: &(impl HashSource + ?Sized), old: u64, new: u64) -> Result<Vec<Hash>, BadProof> {
    if old > new {
        return Err(BadProof::Outside(old, new));
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut from, mut width) = (0, new);
    // Whether the part still in view is one complete tree of the old log, whose root the verifier knows.
    let mut known = true;
    let mut from_the_root = Vec::new();
    while old - from != width {
        let left = left_width(width);
        if old - from <= left {
            from_the_root.push(range(source, from + left, width - left)?);
            width = left;
        } else {
            from_the_root.push(range(source, from, left)?);
            from += left;
            width -= left;
            known = false;
        }
    }
    if !known {
        from_the_root.push(range(source, from, width)?);
    }
    from_the_root.reverse();
    Ok(from_the_root)
}

/// Checks that a leaf with this hash stands at `index` of the tree of `size` leaves and this root (TL-02).
pub fn check_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), BadProof> {
    if index >= size {
        return Err(BadProof::Outside(index, size));
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for step in proof {
        if last == 0 {
            return Err(BadProof::Length);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(step, &hash);
            // A last subtree without partners has no step on the levels where it stands alone.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(BadProof::Length);
    }
    if hash == *root { Ok(()) } else { Err(BadProof::Root) }
}

/// A tree as a verifier knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Number of leaves.
    pub size: u64,
    /// Root hash.
    pub root: Hash,
}

/// Checks that the tree of `new` grew out of the tree of `old` (TL-03).
pub fn check_consistency(old: &Head, new: &Head, proof: &[Hash]) -> Result<(), BadProof> {
    if old.size > new.size {
        return Err(BadProof::Outside(old.size, new.size));
    }
    if old.size == 0 || old.size == new.size {
        let expected = if old.size == 0 { empty_root() } else { new.root };
        return match (proof.is_empty(), expected == old.root) {
            (false, _) => Err(BadProof::Length),
            (true, false) => Err(BadProof::Root),
            (true, true) => Ok(()),
        };
    }
    // Where the old tree is one complete subtree, its root begins the proof without being written there.
    let implied = old.size.is_power_of_two().then_some(&old.root);
    let mut steps = implied.into_iter().chain(proof);
    let first = steps.next().ok_or(BadProof::Length)?;
    let alone = (old.size - 1).trailing_ones();
    let (mut at, mut last) = ((old.size - 1) >> alone, (new.size - 1) >> alone);
    let (mut old_root, mut new_root) = (*first, *first);
    for step in steps {
        if last == 0 {
            return Err(BadProof::Length);
        }
        if at & 1 == 1 || at == last {
            old_root = node_hash(step, &old_root);
            new_root = node_hash(step, &new_root);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_root = node_hash(&new_root, step);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(BadProof::Length);
    }
    if old_root == old.root && new_root == new.root { Ok(()) } else { Err(BadProof::Root) }
}

struct Recorder(RefCell<Vec<Node>>);

impl HashSource for Recorder {
    fn subtree(&self, node: Node) -> Result<Hash, BadProof> {
        self.0.borrow_mut().push(node);
        Ok([0; 32])
    }
}

/// The subtrees [`inclusion`] will ask for, to fetch them in one go.
pub fn inclusion_needs(index: u64, size: u64) -> Result<Vec<Node>, BadProof> {
    let recorder = Recorder(RefCell::default());
    inclusion(&recorder, index, size)?;
    Ok(recorder.0.into_inner())
}

/// The subtrees [`consistency`] will ask for, to fetch them in one go.
pub fn consistency_needs(old: u64, new: u64) -> Result<Vec<Node>, BadProof> {
    let recorder = Recorder(RefCell::default());
    consistency(&recorder, old, new)?;
    Ok(recorder.0.into_inner())
}

/// Checks that `entry` stands at `index` of the tree of `head`.
pub fn check_entry(entry: &[u8], index: u64, head: &Head, proof: &[Hash]) -> Result<(), BadProof> {
    check_inclusion(&leaf_hash(entry), index, head.size, proof, &head.root)
}
