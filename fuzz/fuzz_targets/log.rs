//! Any bytes as leaf, personal part, note, checkpoint, frontier or proof: one form or nothing.
#![no_main]

use garant::ledger::proof::ProofFile;
use garant::ledger::{Checkpoint, Entry, Frontier, Personal, note};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.to_bytes().as_deref(), Ok(bytes));
    }
    if let Ok(personal) = Personal::parse(bytes) {
        assert_eq!(personal.to_bytes().as_deref(), Ok(bytes));
    }
    if let Some(frontier) = Frontier::from_bytes(bytes) {
        assert_eq!(frontier.to_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    drop(note::unverified_text(text));
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text(), text);
    }
    drop(ProofFile::parse(text));
});
