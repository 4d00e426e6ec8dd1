//! Signed notes (C2SP signed-note) and cosignatures over them (C2SP tlog-cosignature).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use super::vkey::{KeyKind, Verifier};
use crate::clock::Timestamp;

/// Why a note, a key or a signature is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// Not the text of a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// Not the text of a verifier key.
    #[error("not a verifier key: {0}")]
    Key(&'static str),
    /// A key we know, and a signature it did not make.
    #[error("the signature of '{0}' is wrong")]
    Signature(String),
    /// A cosignature from the future, or without a time where one is due.
    #[error("the cosignature of '{0}' has an impossible time")]
    Time(String),
    /// No line is by a key we know.
    #[error("no signature by a known key")]
    Unsigned,
}

/// What a cosigner signs (TL-06).
pub(super) fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// One signature that was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// The name of the key.
    pub name: String,
    /// The id of the key: a name may have several, over the years.
    pub id: [u8; 4],
    /// The cosigner's time in seconds since 1970; `None` for a plain signature, 0 when it vouches for no time.
    pub time: Option<u64>,
}

/// A note of which every signature by a known key was checked; there is at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened<'n> {
    /// The text, with its final newline.
    pub text: &'n str,
    /// Who signed, in the order of the lines.
    pub signed: Vec<Signed>,
}

impl Opened<'_> {
    /// Whether this key signed.
    #[must_use]
    pub fn is_signed_by(&self, verifier: &Verifier) -> bool {
        self.signed.iter().any(|s| s.name == verifier.name() && s.id == verifier.id())
    }
}

/// The most signature lines that are read; the specification asks for at least 16.
const MOST_LINES: usize = 64;
/// The longest note that is read.
const LONGEST: usize = 64 * 1024;

/// Opens `note`: lines by unknown keys are passed over, a wrong signature by a known key rejects (TL-05).
///
/// # Errors
/// [`BadNote`]; in particular [`BadNote::Unsigned`] when no known key signed.
pub fn open<'n>(note: &'n str, known: &[Verifier], now: Timestamp) -> Result<Opened<'n>, BadNote> {
    let (text, lines) = split(note)?;
    let mut signed = Vec::new();
    for (count, line) in lines.enumerate() {
        if count >= MOST_LINES {
            return Err(BadNote::Malformed("too many signatures"));
        }
        if let Some(by) = check_line(line, text, known, now)? {
            signed.push(by);
        }
    }
    if signed.is_empty() { Err(BadNote::Unsigned) } else { Ok(Opened { text, signed }) }
}

/// The text of `note`, whoever signed it or did not.
///
/// # Errors
/// [`BadNote::Malformed`].
pub fn unverified_text(note: &str) -> Result<&str, BadNote> {
    split(note).map(|(text, _)| text)
}

/// The text and the signature lines, without their newlines.
fn split(note: &str) -> Result<(&str, std::str::Split<'_, char>), BadNote> {
    if note.len() > LONGEST {
        return Err(BadNote::Malformed("too long"));
    }
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(BadNote::Malformed("a control character"));
    }
    // The last blank line divides: the text may have blank lines of its own.
    let at = note.rfind("\n\n").ok_or(BadNote::Malformed("no blank line"))?;
    let (text, rest) = note.split_at_checked(at + 1).ok_or(BadNote::Malformed("no blank line"))?;
    let lines = rest.strip_prefix('\n').and_then(|r| r.strip_suffix('\n'));
    let lines = lines.ok_or(BadNote::Malformed("no final newline"))?;
    Ok((text, lines.split('\n')))
}

fn check_line(line: &str, text: &str, known: &[Verifier], now: Timestamp) -> Result<Option<Signed>, BadNote> {
    let broken = BadNote::Malformed("a signature line");
    let (name, value) = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' ')).ok_or_else(|| broken.clone())?;
    let raw = STANDARD.decode(value).map_err(|_| broken.clone())?;
    let (id, signature) = raw.split_first_chunk::<4>().ok_or_else(|| broken.clone())?;
    if !super::vkey::is_name(name) || signature.is_empty() {
        return Err(broken);
    }
    let Some(verifier) = known.iter().find(|v| v.name() == name && v.id() == *id) else { return Ok(None) };
    let time = verifier.check(text, signature)?;
    if time.is_some_and(|t| is_future(t, now)) {
        return Err(BadNote::Time(name.to_owned()));
    }
    Ok(Some(Signed { name: name.to_owned(), id: *id, time }))
}

/// More than 60 seconds ahead of us (TL-06).
fn is_future(time: u64, now: Timestamp) -> bool {
    !i64::try_from(time).is_ok_and(|t| t <= now.plus_secs(60).secs())
}

/// Checks the one line a witness answered for `text` and gives its time (TL-06, TL-16).
///
/// # Errors
/// [`BadNote`] when the line is not this witness's, is wrong, or its time is 0 or more than 60 s ahead.
pub fn cosignature(line: &str, text: &str, witness: &Verifier, now: Timestamp) -> Result<u64, BadNote> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let signed = check_line(line, text, std::slice::from_ref(witness), now)?.ok_or(BadNote::Unsigned)?;
    signed.time.filter(|t| *t != 0).ok_or(BadNote::Time(signed.name))
}

/// A key that stays where it is and signs what it is given.
pub type With<'w, E> = &'w dyn Fn(&[u8]) -> Result<[u8; 64], E>;

/// The signature line of `signer` over `text`; the key stays behind `with`.
///
/// # Errors
/// What `with` answers, and [`BadNote`] when the signature it gave is not one of `signer`: a note that our own
/// verifier refuses never leaves (wrong key, or a fault while signing).
pub fn sign<E: From<BadNote>>(signer: &Verifier, text: &str, with: With<'_, E>) -> Result<String, E> {
    if signer.kind() != KeyKind::Ed25519 {
        return Err(BadNote::Key("a cosigner's key signs with a time").into());
    }
    let signature = with(text.as_bytes())?;
    signer.check(text, &signature)?;
    Ok(signer.line(&signature))
}

/// The cosignature line of `witness` over `text` at `time`.
///
/// # Errors
/// As [`sign`].
pub fn cosign<E: From<BadNote>>(
    witness: &Verifier,
    text: &str,
    time: Timestamp,
    with: With<'_, E>,
) -> Result<String, E> {
    let seconds = u64::try_from(time.secs()).map_err(|_| BadNote::Time(witness.name().to_owned()))?;
    let signature = with(cosigned(text, seconds).as_bytes())?;
    let stamped = [&seconds.to_be_bytes()[..], &signature].concat();
    witness.check(text, &stamped)?;
    Ok(witness.line(&stamped))
}

/// The note: `text` (ending in a newline), a blank line, the signature lines.
#[must_use]
pub fn assemble(text: &str, lines: &[String]) -> String {
    let mut note = String::with_capacity(text.len() + 1 + lines.iter().map(String::len).sum::<usize>());
    note.push_str(text);
    note.push('\n');
    for line in lines {
        note.push_str(line);
    }
    note
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Dice, LogKey, full, log_key};
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_300);
    const COSIGNED: &str = "log.health.example/access\n7\n3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=\n\n\
        \u{2014} log.health.example/access FLQSyTdzcb+E9eKs89KYA7EpyGBBKqq2+kg4aeOt+ra9aENfrAuBfeE/ssV5J4AYpTF1idKTDCx7uFC/K6CtGCosoAY=\n\
        \u{2014} witness.example/w1 N/Z8HwAAAABqsTxIq4tQ1BaLyWPY7LF25p7DimuLlAWGpMSpJIk2Jc7GJg4aVI2/HES1/AxMGb6KavjVRMv9ZtCzHATxpJWGKziBAg==\n";

    fn log() -> Verifier {
        Verifier::parse("log.health.example/access+14b412c9+AQCCwyISfnreBzLGy4pd28EP8y5/pufPb965B2PZRlEH").unwrap()
    }

    fn witness() -> Verifier {
        Verifier::parse("witness.example/w1+37f67c1f+BJxF7rN7ExpCLpUYVh30imeBF9M06ROxDmj66mUeHdTR").unwrap()
    }

    #[test]
    fn the_published_example_verifies() {
        let key = Verifier::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").unwrap();
        let note = "This is an example message.\n\n\u{2014} example.com/foo \
            Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
        assert_eq!(open(note, &[key], NOW).unwrap().text, "This is an example message.\n");
    }

    #[test]
    fn a_cosigned_checkpoint_verifies_and_tells_the_time() {
        let opened = open(COSIGNED, &[log(), witness()], NOW).unwrap();
        assert!(opened.is_signed_by(&log()) && opened.is_signed_by(&witness()));
        assert_eq!(opened.signed[1].time, Some(1_790_000_200));
        // TL-06: at most 60 seconds ahead.
        let early = Timestamp::from_secs(1_790_000_140);
        assert!(open(COSIGNED, &[log(), witness()], early).is_ok());
        assert!(matches!(open(COSIGNED, &[log(), witness()], early.plus_secs(-1)), Err(BadNote::Time(_))));
        let (text, line) = (opened.text, COSIGNED.lines().last().unwrap());
        assert_eq!(cosignature(line, text, &witness(), NOW), Ok(1_790_000_200));
        assert_eq!(cosignature(line, text, &log(), NOW), Err(BadNote::Unsigned));
    }

    #[test]
    fn unknown_keys_are_passed_over_and_known_ones_must_be_right() {
        let one = open(COSIGNED, &[log()], NOW).unwrap();
        assert_eq!(one.signed.len(), 1);
        assert!(!one.is_signed_by(&witness()));
        let stranger = log_key().verifier;
        assert_eq!(open(COSIGNED, std::slice::from_ref(&stranger), NOW), Err(BadNote::Unsigned));
        // The witness's signature is broken: it counts as soon as the witness is known.
        let broken = COSIGNED.replace("ziBAg==", "ziBAw==");
        assert!(matches!(open(&broken, &[log(), witness()], NOW), Err(BadNote::Malformed(_) | BadNote::Signature(_))));
        let broken = COSIGNED.replace("GKziBAg==", "GKziBBg==");
        assert_eq!(open(&broken, &[log(), witness()], NOW), Err(BadNote::Signature("witness.example/w1".into())));
        assert!(open(&broken, &[log()], NOW).is_ok());
    }

    #[test]
    fn every_flipped_bit_of_a_note_is_found() {
        let mut bytes = COSIGNED.as_bytes().to_vec();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(text) = std::str::from_utf8(&bytes) {
                let opened = open(text, &[log(), witness()], NOW);
                // A changed name or id makes a key unknown: its line then no longer counts.
                assert!(opened.is_err() || opened.unwrap().signed.len() < 2, "bit {bit}");
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn thirty_signatures_are_accepted() {
        let text = "origin\n";
        let signers: Vec<LogKey> = (0..30).map(|i| LogKey::named(&format!("key{i}"), i, KeyKind::Ed25519)).collect();
        let lines: Vec<String> = signers.iter().map(|k| sign(&k.verifier, text, &|m| k.sign(m)).unwrap()).collect();
        let known: Vec<Verifier> = signers.iter().map(|k| k.verifier.clone()).collect();
        assert_eq!(open(&assemble(text, &lines), &known, NOW).unwrap().signed.len(), 30);
    }

    #[test]
    fn a_signature_by_another_key_never_leaves() {
        let (key, other) = (log_key(), LogKey::named("log.health.example/access", 2, KeyKind::Ed25519));
        assert!(matches!(sign(&key.verifier, "text\n", &|m| other.sign(m)), Err(BadNote::Signature(_))));
        let witness = LogKey::named("w", 3, KeyKind::Cosigner);
        assert!(matches!(sign(&witness.verifier, "text\n", &|m| witness.sign(m)), Err(BadNote::Key(_))));
        let line = cosign(&witness.verifier, "text\n", NOW, &|m| witness.sign(m)).unwrap();
        assert_eq!(cosignature(&line, "text\n", &witness.verifier, NOW), Ok(1_790_000_300));
        // A witness that vouches for no time is no answer to us.
        let line = cosign(&witness.verifier, "text\n", Timestamp(0), &|m| witness.sign(m)).unwrap();
        assert_eq!(cosignature(&line, "text\n", &witness.verifier, NOW), Err(BadNote::Time("w".into())));
    }

    #[test]
    fn hostile_notes_never_panic() {
        let (n, mut dice) = (full(2_000, 200_000), Dice::announced("hostile notes", 41));
        for _ in 0..n {
            let mut bytes = COSIGNED.as_bytes().to_vec();
            let at = dice.below(bytes.len());
            bytes[at] = b"\n\xe2 +=\x80\x94A"[dice.below(8)];
            let (from, length) = (dice.below(bytes.len()), dice.below(9));
            bytes.drain(from..(from + length).min(bytes.len()));
            let text = String::from_utf8_lossy(&bytes);
            // Only the panic matters here; what is refused is tested above.
            assert!(open(&text, &[log(), witness()], NOW).map_or(0, |o| o.signed.len()) <= 2);
        }
        println!("N = {n}");
    }
}
