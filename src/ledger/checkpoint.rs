//! The checkpoint: what a signature over the log says (C2SP tlog-checkpoint).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::merkle::Hash;
use super::note::{self, BadNote, Signed, Verifier};
use super::path::Head;
use crate::clock::Timestamp;

/// Why a checkpoint is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// The text is not a checkpoint in its one spelling.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// The signatures do not hold.
    #[error(transparent)]
    Note(#[from] BadNote),
    /// It is signed, but by others than the log it names.
    #[error("the checkpoint of '{0}' is not signed by the key of that log")]
    Origin(String),
}

/// Whose signatures count.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'k> {
    /// The log's key; its name is the log's origin.
    pub log: &'k Verifier,
    /// Witnesses known here; how many must have signed is for the caller to say.
    pub witnesses: &'k [Verifier],
}

impl Keys<'_> {
    /// Opens a signed checkpoint of this log.
    ///
    /// # Errors
    /// [`BadCheckpoint`] when the log itself did not sign, the origin is another log's, or a known key's
    /// signature is wrong.
    pub fn open(&self, note: &str, now: Timestamp) -> Result<(Checkpoint, Vec<Signed>), BadCheckpoint> {
        let known: Vec<Verifier> = std::iter::once(self.log).chain(self.witnesses).cloned().collect();
        let opened = note::open(note, &known, now)?;
        let checkpoint = Checkpoint::parse(opened.text)?;
        if !opened.is_signed_by(self.log) || checkpoint.origin != self.log.name() {
            return Err(BadCheckpoint::Origin(checkpoint.origin));
        }
        Ok((checkpoint, opened.signed))
    }
}

/// Which log, how many leaves, which root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The log's name, never reused for another tree (TL-07).
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root hash.
    pub root: Hash,
}

impl Checkpoint {
    /// The size and root, as proofs take them.
    #[must_use]
    pub const fn head(&self) -> Head {
        Head { size: self.size, root: self.root }
    }

    /// The three lines that are signed (TL-04).
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::with_capacity(self.origin.len() + 70);
        out.push_str(&self.origin);
        // Writing to a String cannot fail.
        let _infallible = write!(out, "\n{}\n", self.size);
        STANDARD.encode_string(self.root, &mut out);
        out.push('\n');
        out
    }

    /// Reads the three lines; extension lines are not used here and are refused.
    ///
    /// # Errors
    /// [`BadCheckpoint`] when anything is spelled otherwise than [`Checkpoint::to_text`] would (TL-04).
    pub fn parse(text: &str) -> Result<Self, BadCheckpoint> {
        let body = text.strip_suffix('\n').ok_or(BadCheckpoint::Malformed("no final newline"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(BadCheckpoint::Malformed("not three lines"));
        };
        if origin.is_empty() {
            return Err(BadCheckpoint::Malformed("no origin"));
        }
        let size = decimal(size).ok_or(BadCheckpoint::Malformed("the size is not a plain decimal number"))?;
        let root = hash_line(root).ok_or(BadCheckpoint::Malformed("the root is not 32 bytes of base64"))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// A decimal number in its one spelling: no sign, no leading zero, no blank.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// A hash in padded base64 with zero trailing bits.
pub(super) fn hash_line(text: &str) -> Option<Hash> {
    // The length first: a line of any size must not be decoded into memory.
    if text.len() == 44 { STANDARD.decode(text).ok()?.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::samples::hash;
    use super::*;

    const TEXT: &str = "log.health.example/access\n7\n3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=\n";

    #[test]
    fn a_checkpoint_has_one_spelling() {
        let checkpoint = Checkpoint::parse(TEXT).unwrap();
        assert_eq!(checkpoint.size, 7);
        assert_eq!(checkpoint.root, hash("ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"));
        assert_eq!(checkpoint.to_text(), TEXT);
        for (from, to) in [
            ("\n7\n", "\n07\n"),
            ("\n7\n", "\n+7\n"),
            ("\n7\n", "\n 7\n"),
            ("\n7\n", "\n\n"),
            ("\n7\n", "\n18446744073709551616\n"),
            ("\n7\n", "\r\n7\n"),
            ("TIw=\n", "TIw="),
            ("TIw=\n", "TIx=\n"),
            ("TIw=\n", "TIw\n"),
            ("TIw=\n", "TIw=\nextension\n"),
            ("log.health.example/access", ""),
        ] {
            assert!(TEXT.contains(from));
            let changed = TEXT.replacen(from, to, 1);
            let parsed = Checkpoint::parse(&changed);
            // A carriage return becomes part of the origin, which then is another log's.
            assert!(parsed.is_err() || parsed.unwrap().origin != "log.health.example/access", "{changed:?}");
        }
        assert_eq!(Checkpoint::parse("o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n").unwrap().size, 0);
    }
}
