//! The proof file a patient keeps: `c2sp.org/tlog-proof@v1` (TL-24).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{BadCheckpoint, Checkpoint, Keys, decimal, hash_line};
use super::merkle::Hash;
use super::note::{Signed, unverified_text};
use super::path::{BadProof, HashSource, check_entry, check_inclusion, inclusion};
use crate::clock::Timestamp;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A path in a tree of 64-bit positions has no more steps.
const MOST_HASHES: usize = 64;

/// Why a proof file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProofFile {
    /// The file is spelled otherwise than it must be.
    #[error("not a proof file: {0}")]
    Malformed(&'static str),
    /// Its checkpoint is not one of this log.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
    /// Its hashes do not lead from the entry to the root.
    #[error(transparent)]
    Path(#[from] BadProof),
}

/// That an entry stands in a log under a signed checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProofFile {
    /// Whatever the file's author added: no signature covers it.
    pub unverified_extra: Option<Vec<u8>>,
    /// Position of the entry.
    pub index: u64,
    /// The path from leaf to root.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, as a note.
    pub checkpoint: String,
}

impl ProofFile {
    /// Makes the proof of `leaf` at `index` under the checkpoint in `note`, and checks it: hashes from tiles
    /// or tables are not authentic until they have led to the root.
    ///
    /// # Errors
    /// [`BadProofFile`] when the note is not a checkpoint or the source does not lead to its root.
    pub fn make(
        source: &(impl HashSource + ?Sized),
        leaf: &Hash,
        index: u64,
        note: &str,
    ) -> Result<Self, BadProofFile> {
        let text = unverified_text(note).map_err(BadCheckpoint::from)?;
        let head = Checkpoint::parse(text)?.head();
        let hashes = inclusion(source, index, head.size)?;
        check_inclusion(leaf, index, head.size, &hashes, &head.root)?;
        Ok(Self { unverified_extra: None, index, hashes, checkpoint: note.to_owned() })
    }

    /// The file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = format!("{HEADER}\n");
        // Writing to a String cannot fail.
        let _infallible = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        if let Some(extra) = &self.unverified_extra {
            writeln!(out, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(out, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(out, "{}", STANDARD.encode(hash))?;
        }
        write!(out, "\n{}", self.checkpoint)
    }

    /// Reads a file; nothing is proved until [`ProofFile::check`].
    ///
    /// # Errors
    /// [`BadProofFile::Malformed`].
    pub fn parse(text: &str) -> Result<Self, BadProofFile> {
        let malformed = BadProofFile::Malformed;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(malformed("no blank line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(malformed("another header"));
        }
        let extra = lines.next_if(|l| l.starts_with("extra ")).and_then(|l| l.strip_prefix("extra "));
        let unverified_extra =
            extra.map(|e| STANDARD.decode(e)).transpose().map_err(|_| malformed("the extra line"))?;
        let index = lines.next().and_then(|l| l.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(malformed("the index line"))?;
        let hashes: Option<Vec<Hash>> = lines.by_ref().take(MOST_HASHES).map(hash_line).collect();
        let hashes = hashes.ok_or(malformed("a hash"))?;
        if lines.next().is_some() {
            return Err(malformed("too many hashes"));
        }
        Ok(Self { unverified_extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that `entry` stands at the index under a checkpoint of this log.
    ///
    /// # Errors
    /// [`BadProofFile`]; only an answer of `Ok` proves anything.
    pub fn check(
        &self,
        entry: &[u8],
        keys: &Keys<'_>,
        now: Timestamp,
    ) -> Result<(Checkpoint, Vec<Signed>), BadProofFile> {
        let (checkpoint, signed) = keys.open(&self.checkpoint, now)?;
        check_entry(entry, self.index, &checkpoint.head(), &self.hashes)?;
        Ok((checkpoint, signed))
    }
}

#[cfg(test)]
mod tests {
    use super::super::merkle::leaf_hash;
    use super::super::samples::{self, Dice};
    use super::*;

    #[test]
    fn a_proof_file_holds_and_every_flipped_bit_is_found() {
        let mut dice = Dice::announced("proof file", 24);
        let entries = samples::story(&mut dice, 7);
        let leaves: Vec<Hash> = entries.iter().map(|e| leaf_hash(e)).collect();
        let key = samples::log_key();
        let note = samples::signed_checkpoint(&key, &leaves);
        let keys = Keys { log: &key.verifier, witnesses: &[] };
        for index in 0..7 {
            let entry = &entries[index];
            let file = ProofFile::make(leaves.as_slice(), &leaves[index], index as u64, &note).unwrap();
            let text = file.to_text();
            assert_eq!(ProofFile::parse(&text).unwrap(), file);
            assert!(file.check(entry, &keys, Timestamp(0)).is_ok());
            assert!(file.check(&entries[(index + 1) % 7], &keys, Timestamp(0)).is_err());
            let mut bytes = text.clone().into_bytes();
            for bit in 0..bytes.len() * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                let found = match std::str::from_utf8(&bytes).map(ProofFile::parse) {
                    Ok(Ok(file)) => file.check(entry, &keys, Timestamp(0)).is_err(),
                    Ok(Err(_)) | Err(_) => true,
                };
                assert!(found, "bit {bit} of\n{text}");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn a_proof_from_false_hashes_is_never_made() {
        let mut dice = Dice::announced("false hashes", 25);
        let entries = samples::story(&mut dice, 9);
        let mut leaves: Vec<Hash> = entries.iter().map(|e| leaf_hash(e)).collect();
        let note = samples::signed_checkpoint(&samples::log_key(), &leaves);
        let leaf = leaves[3];
        leaves[4][0] ^= 1;
        assert_eq!(ProofFile::make(leaves.as_slice(), &leaf, 3, &note), Err(BadProofFile::Path(BadProof::Root)));
        assert!(matches!(
            ProofFile::make(leaves.as_slice(), &leaf, 9, &note),
            Err(BadProofFile::Path(BadProof::Outside(9, 9)))
        ));
    }

    #[test]
    fn the_extra_line_is_carried_and_never_trusted() {
        let note = samples::signed_checkpoint(&samples::log_key(), &[[1; 32]]);
        let mut file = ProofFile::make([[1; 32]].as_slice(), &[1; 32], 0, &note).unwrap();
        file.unverified_extra = Some(b"anything".to_vec());
        assert_eq!(ProofFile::parse(&file.to_text()).unwrap(), file);
        for bad in ["extra !\nindex 0", "index 00", "index 0\nextra AAAA", "index 0\nAAAA", "index -1", ""] {
            let text = format!("{HEADER}\n{bad}\n\n{note}");
            assert!(ProofFile::parse(&text).is_err(), "{bad}");
        }
    }
}
