//! What the offline verifier must find (P29, P31), and what it must accept.

#![expect(clippy::cast_precision_loss, reason = "a printed rate")]

use std::fs;
use std::path::{Path, PathBuf};

use super::checkpoint::{BadCheckpoint, Checkpoint, Keys};
use super::entry::Entry;
use super::export::{BadExport, Export, export};
use super::law::Rule;
use super::merkle::{Hash, leaf_hash, root_of};
use super::samples::{self, Dice, LogKey, act, full, log_key, signed_checkpoint};
use super::tiles::push_entry;
use super::verify::{Fault, Report, Trust, verify};
use super::words::Act;
use crate::clock::{Stopwatch, Timestamp};

fn hashes(entries: &[Vec<u8>]) -> Vec<Hash> {
    entries.iter().map(|e| leaf_hash(e)).collect()
}

fn check(folder: &Path, key: &LogKey, older: Option<&Checkpoint>) -> Result<Report, Fault> {
    let trust = Trust { keys: Keys { log: &key.verifier, witnesses: &[] }, older, now: Timestamp(0) };
    verify(folder, &trust, &mut |_, _| {})
}

fn exported(entries: &[Vec<u8>]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), entries, &signed_checkpoint(&log_key(), &hashes(entries))).unwrap();
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn an_exported_log_verifies_and_is_counted() {
    let mut dice = Dice::announced("export", 61);
    let sizes: &[usize] =
        if full(0, 1) == 1 { &[0, 1, 2, 255, 256, 257, 1000, 66_000] } else { &[0, 1, 255, 256, 600] };
    for size in sizes {
        let entries = samples::story(&mut dice, *size);
        let folder = exported(&entries);
        let mut told = Vec::new();
        let key = log_key();
        let trust = Trust { keys: Keys { log: &key.verifier, witnesses: &[] }, older: None, now: Timestamp(0) };
        let report = verify(folder.path(), &trust, &mut |done, of| told.push((done, of))).unwrap();
        assert_eq!(report.checkpoint.size, *size as u64);
        assert_eq!(report.acts.values().sum::<u64>(), *size as u64);
        assert_eq!(report.tiles, *size > 0);
        assert_eq!(told.len(), size.div_ceil(256));
        assert!(told.last().is_none_or(|(done, of)| done == of));
        // Without the hash tiles the entries and the signature still suffice.
        for level in ["tile/0", "tile/1", "tile/2"] {
            if folder.path().join(level).exists() {
                fs::remove_dir_all(folder.path().join(level)).unwrap();
            }
        }
        assert!(!check(folder.path(), &key, None).unwrap().tiles);
    }
}

/// P29: each byte of each file, one bit of it changed; for a full count, every bit and a second level.
#[test]
fn every_changed_byte_is_found() {
    let mut dice = Dice::announced("P29 bytes", 62);
    let mut tried = 0;
    let logs: &[usize] = if full(0, 1) == 1 { &[40, 300] } else { &[16] };
    for size in logs {
        let entries = samples::story(&mut dice, *size);
        let folder = exported(&entries);
        let key = log_key();
        for path in files(folder.path()) {
            let good = fs::read(&path).unwrap();
            // Two entries of a long log are enough beside all of a short one.
            let step = if good.len() > 20_000 { 97 } else { 1 };
            for at in (0..good.len()).step_by(step) {
                let mut bad = good.clone();
                bad[at] ^= 1 << dice.below(8);
                fs::write(&path, &bad).unwrap();
                assert!(check(folder.path(), &key, None).is_err(), "byte {at} of {}", path.display());
                tried += 1;
            }
            fs::write(&path, &good).unwrap();
        }
        assert!(check(folder.path(), &key, None).is_ok());
    }
    println!("N = {tried} changed bytes, all found");
}

/// P29, by someone who can also write the hash tiles but not sign.
#[test]
fn every_deleted_swapped_repeated_or_cut_leaf_is_found() {
    let mut dice = Dice::announced("P29 leaves", 63);
    let size = full(40, 300);
    let entries = samples::story(&mut dice, size);
    let key = log_key();
    let note = signed_checkpoint(&key, &hashes(&entries));
    let mut tried = 0;
    for at in 0..size {
        let mut without = entries.clone();
        without.remove(at);
        let mut swapped = entries.clone();
        swapped.swap(at, (at + 1) % size);
        let mut repeated = entries.clone();
        repeated.insert(at, entries[at].clone());
        for forged in [&without, &swapped, &repeated, &entries[..at].to_vec()] {
            let folder = tempfile::tempdir().unwrap();
            // The forger rebuilds every tile and keeps the signed checkpoint, the one thing out of reach.
            let own = signed_checkpoint(&LogKey::named("forger", 9, super::note::KeyKind::Ed25519), &hashes(forged));
            export(folder.path(), forged, &own).unwrap();
            fs::write(folder.path().join("checkpoint"), &note).unwrap();
            assert!(check(folder.path(), &key, None).is_err(), "at {at}");
            fs::write(folder.path().join("checkpoint"), &own).unwrap();
            assert!(matches!(check(folder.path(), &key, None), Err(Fault::Checkpoint(_))));
            tried += 1;
        }
    }
    println!("N = {tried} forged logs, all found");
}

/// P29: lawful leaves, right tiles, right size; only the signed root stands in the way.
#[test]
fn a_lawful_log_with_one_leaf_rewritten_does_not_make_the_signed_root() {
    let mut dice = Dice::announced("rewritten", 69);
    let entries = samples::story(&mut dice, 40);
    let key = log_key();
    let note = signed_checkpoint(&key, &hashes(&entries));
    for at in 0..entries.len() {
        let mut forged = entries.clone();
        let mut entry = Entry::parse(&entries[at]).unwrap();
        entry.commitment[dice.below(32)] ^= 1;
        forged[at] = entry.to_bytes().unwrap();
        let folder = exported(&forged);
        assert!(check(folder.path(), &key, None).is_ok());
        fs::write(folder.path().join("checkpoint"), &note).unwrap();
        assert!(matches!(check(folder.path(), &key, None), Err(Fault::Root(40))), "at {at}");
    }
}

#[test]
fn a_checkpoint_of_another_origin_is_refused_even_under_the_same_key() {
    let mut dice = Dice::announced("origin", 70);
    let entries = samples::story(&mut dice, 5);
    let (folder, key) = (exported(&entries), log_key());
    let other = Checkpoint { origin: "log.health.example/other".into(), size: 5, root: root_of(&hashes(&entries)) };
    let text = other.to_text();
    let line = super::note::sign(&key.verifier, &text, &|m| key.sign(m)).unwrap();
    assert!(matches!(check(folder.path(), &key, Some(&other)), Err(Fault::Rewritten(5))));
    fs::write(folder.path().join("checkpoint"), super::note::assemble(&text, &[line])).unwrap();
    assert!(matches!(check(folder.path(), &key, None), Err(Fault::Checkpoint(BadCheckpoint::Origin(_)))));
}

#[test]
fn the_first_bad_position_is_named() {
    let mut dice = Dice::announced("positions", 64);
    let entries = samples::story(&mut dice, 300);
    let folder = exported(&entries);
    let (path, key) = (folder.path(), log_key());
    let put = |name: &str, at: usize| {
        let good = fs::read(path.join(name)).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(path.join(name), bad).unwrap();
        let fault = check(path, &key, None).unwrap_err();
        fs::write(path.join(name), good).unwrap();
        fault
    };
    let before_270: usize = entries[256..270].iter().map(|e| e.len() + 2).sum();
    assert!(matches!(put("tile/entries/001.p/44", before_270 + 2), Fault::Leaf { index: 270, .. }));
    assert!(matches!(put("tile/0/000", 32 * 17 + 5), Fault::Leaf { index: 17, .. }));
    assert!(matches!(put("tile/1/000.p/1", 5), Fault::Tile { at: 0, .. }));
    let text = put("tile/1/000.p/1", 5).to_string();
    assert_eq!(text, "tile/1/000.p/1 differs from the entries at its hash 0");

    fs::write(path.join("tile/0/001.p/7"), [0; 32]).unwrap();
    assert!(matches!(check(path, &key, None), Err(Fault::Stray(_))));
    fs::remove_file(path.join("tile/0/001.p/7")).unwrap();
    let bundle = path.join("tile/entries/001.p/44");
    let mut longer = fs::read(&bundle).unwrap();
    push_entry(&mut longer, &entries[0]).unwrap();
    fs::write(&bundle, &longer).unwrap();
    assert!(matches!(check(path, &key, None), Err(Fault::Bundle { index: 300, .. })));
    fs::write(&bundle, &longer[..longer.len() - entries[0].len() - 2]).unwrap();
    assert!(check(path, &key, None).is_ok());
    for file in files(path) {
        let good = fs::read(&file).unwrap();
        fs::write(&file, &good[..good.len() - 1]).unwrap();
        assert!(check(path, &key, None).is_err(), "{} cut", file.display());
        fs::write(&file, [&good[..], &[0]].concat()).unwrap();
        assert!(check(path, &key, None).is_err(), "{} longer", file.display());
        fs::remove_file(&file).unwrap();
        assert!(matches!(check(path, &key, None), Err(Fault::File { .. })), "{} gone", file.display());
        fs::write(&file, &good).unwrap();
    }
}

/// P03 through the whole verifier: the operator holds the log key and signs a log that breaks the law.
#[test]
fn a_signed_log_with_a_disclosure_after_the_revocation_is_refused() {
    let mut dice = Dice::announced("P03", 65);
    let made = super::entry::Basis { consent: crate::id::ConsentId::from_bytes(dice.bytes()), revision: 1 };
    let ended = super::entry::Basis { revision: 2, ..made };
    let acts =
        [(Act::Genesis, None), (Act::Grant, Some(made)), (Act::Revoke, Some(ended)), (Act::Disclose, Some(made))];
    let entries: Vec<Vec<u8>> = acts
        .iter()
        .zip(0..)
        .map(|((word, basis), i)| act(&mut dice, i, *word, basis.as_slice()).to_bytes().unwrap())
        .collect();
    let folder = exported(&entries);
    let fault = check(folder.path(), &log_key(), None).unwrap_err();
    assert!(matches!(&fault, Fault::Law(b) if b.index == 3 && b.rule == Rule::Inactive(made.consent)), "{fault}");
    assert!(check(exported(&entries[..3]).path(), &log_key(), None).is_ok());
}

/// P31: any two heads of one log are consistent, and a rewritten past is found.
#[test]
fn a_log_continues_each_of_its_older_heads_and_no_other() {
    let mut dice = Dice::announced("P31", 66);
    let entries = samples::story(&mut dice, full(300, 2_000));
    let leaves = hashes(&entries);
    let folder = exported(&entries);
    let key = log_key();
    let n = full(60, 1_000);
    for _ in 0..n {
        let size = dice.below(entries.len() + 1);
        let origin = key.verifier.name().to_owned();
        let mut older = Checkpoint { origin, size: size as u64, root: root_of(&leaves[..size]) };
        assert!(check(folder.path(), &key, Some(&older)).is_ok());
        older.root[dice.below(32)] ^= 1;
        assert!(matches!(check(folder.path(), &key, Some(&older)), Err(Fault::Rewritten(_))));
    }
    let longer = Checkpoint { origin: key.verifier.name().into(), size: entries.len() as u64 + 1, root: [0; 32] };
    assert!(matches!(check(folder.path(), &key, Some(&longer)), Err(Fault::Rewritten(_))));
    println!("N = {n} heads");
    // Without the folder, by proofs alone, between pairs of heads.
    let pairs = full(500, 10_000);
    for _ in 0..pairs {
        let new = dice.below(leaves.len() + 1);
        let old = dice.below(new + 1);
        let head = |size: usize| super::path::Head { size: size as u64, root: root_of(&leaves[..size]) };
        let proof = super::path::consistency(leaves.as_slice(), old as u64, new as u64).unwrap();
        super::path::check_consistency(&head(old), &head(new), &proof).unwrap();
    }
    println!("N = {pairs} pairs");
}

#[test]
fn an_export_of_other_entries_than_the_signed_ones_has_no_checkpoint() {
    let mut dice = Dice::announced("other entries", 67);
    let entries = samples::story(&mut dice, 300);
    let note = signed_checkpoint(&log_key(), &hashes(&entries));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        export(folder.path(), &entries[..299], &note),
        Err(BadExport::Another { signed: 300, given: 299 })
    ));
    assert!(!folder.path().join("checkpoint").exists());
    assert!(matches!(Export::begin(folder.path()), Err(BadExport::NotEmpty(_))));
}

/// Run in release: `cargo test --release --lib ledger::tampering::rate -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a promise"]
fn rate_of_verification_and_writing() {
    let mut dice = Dice::announced("rate", 68);
    let log = samples::lawful(&mut dice, full(200_000, 1_000_000));
    let watch = Stopwatch::start();
    let entries: Vec<Vec<u8>> = log.iter().map(|e| e.to_bytes().unwrap()).collect();
    let rate = |n: usize, watch: Stopwatch| n as f64 / watch.elapsed().as_secs_f64();
    let bytes: usize = entries.iter().map(Vec::len).sum();
    println!("to_bytes: {:.0} entries/s of {} bytes", rate(log.len(), watch), bytes / log.len());
    let watch = Stopwatch::start();
    let parsed = entries.iter().filter(|e| Entry::parse(e).is_ok()).count();
    println!("parse: {:.0} entries/s", rate(parsed, watch));
    let watch = Stopwatch::start();
    let leaves = hashes(&entries);
    println!("leaf_hash: {:.0} entries/s", rate(leaves.len(), watch));
    let folder = tempfile::tempdir().unwrap();
    let note = signed_checkpoint(&log_key(), &leaves);
    let watch = Stopwatch::start();
    export(folder.path(), &entries, &note).unwrap();
    println!("export: {:.0} leaves/s", rate(entries.len(), watch));
    let watch = Stopwatch::start();
    let report = check(folder.path(), &log_key(), None).unwrap();
    println!("verify: {:.0} leaves/s of {}", rate(entries.len(), watch), report.checkpoint.size);
}
