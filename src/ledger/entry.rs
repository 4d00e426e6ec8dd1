//! The leaf: the public part of an act, which names no person and holds no content.
//!
//! Its bytes are canonical JSON (RFC 8785) of integers and short ASCII words, so that any language can read a
//! log and there is one spelling only. What identifies people is in [`super::personal`], sealed elsewhere, and
//! stands here as a salted commitment: once salt and key are destroyed the leaf says nothing, and still proves.

use std::fmt::Write as _;
use std::str::FromStr;

use super::mark::Marked;
use super::merkle::{Hash, leaf_hash, sha256_pair};
use super::words::{Act, Ground, Reason};
use crate::clock::Timestamp;
use crate::id::{ConsentId, DeedId};
use crate::json::{self, Limits, Node, Value};
use crate::model::Purpose;

/// Why bytes are not a leaf, or a leaf cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// Not JSON as we accept it.
    #[error("the entry is not JSON: {0}")]
    Json(#[from] json::Broken),
    /// The bytes are not the canonical form of what they say, or have a member not known here.
    #[error("the entry is not in its canonical form")]
    NotCanonical,
    /// A member is missing or out of its range.
    #[error("the member '{0}' is missing or out of its range")]
    Member(&'static str),
}

/// A consent at one revision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Basis {
    /// Which consent.
    pub consent: ConsentId,
    /// Which revision, from 1.
    pub revision: i64,
}

/// One leaf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Position in the log, from 0.
    pub index: u64,
    /// When; never before the entry before it.
    pub time: Timestamp,
    /// What was done.
    pub act: Act,
    /// The deed, the same as of its permit and receipt.
    pub deed: DeedId,
    /// Why it was allowed.
    pub ground: Ground,
    /// The consents it rests on; for an act on a consent, that consent at the revision it makes. Strictly sorted.
    pub basis: Vec<Basis>,
    /// For which purpose, when one was stated.
    pub purpose: Option<Purpose>,
    /// Digest of the policy set that decided.
    pub policy: Option<Hash>,
    /// How many records it concerns.
    pub records: u32,
    /// Why it was refused.
    pub reason: Option<Reason>,
    /// What was enrolled, suspended, erased or shut out, and the revision this makes of it.
    pub subject: Option<Marked>,
    /// [`commit`] of the salt and the personal part.
    pub commitment: Hash,
}

/// SHA-256 of the salt followed by the personal part; the salt, of fixed length, is what keeps it from guessing.
#[must_use]
pub fn commit(salt: &[u8; 32], personal: &[u8]) -> Hash {
    sha256_pair(salt, personal)
}

/// The first integer that JSON numbers do not hold exactly everywhere (RFC 8785 §3.2.2.3).
const TOO_LARGE: u64 = 1 << 53;

impl Entry {
    /// The most consents one act may rest on: keeps a leaf within the 65 535 bytes of a bundle's entry.
    pub const MOST_BASIS: usize = 512;
    /// A leaf's longest form.
    pub const LONGEST: usize = 65_535;

    /// The canonical bytes that are hashed into the log.
    ///
    /// # Errors
    /// [`BadEntry::Member`] when [`Entry::parse`] would refuse the bytes: such a leaf must never be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BadEntry> {
        self.check()?;
        let mut out = String::with_capacity(400 + 64 * self.basis.len());
        self.write(&mut out);
        Ok(out.into_bytes())
    }

    /// The leaf's hash in the tree.
    ///
    /// # Errors
    /// As [`Entry::to_bytes`].
    pub fn leaf_hash(&self) -> Result<Hash, BadEntry> {
        Ok(leaf_hash(&self.to_bytes()?))
    }

    /// Reads a leaf from its exact bytes.
    ///
    /// # Errors
    /// [`BadEntry`] when the bytes are not those [`Entry::to_bytes`] would write.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadEntry> {
        let tree = json::parse(bytes, Limits { bytes: Self::LONGEST, depth: 4 })?;
        let entry = Self::read(&tree)?;
        entry.check()?;
        let mut again = String::with_capacity(bytes.len());
        entry.write(&mut again);
        // Whatever was not understood, reordered or written otherwise shows here.
        if again.as_bytes() == bytes { Ok(entry) } else { Err(BadEntry::NotCanonical) }
    }

    fn check(&self) -> Result<(), BadEntry> {
        let small = |n: i64, least: i64| n >= least && n.unsigned_abs() < TOO_LARGE;
        let sorted = self.basis.windows(2).all(|w| matches!(w, [a, b] if a.consent < b.consent));
        let rules = [
            ("index", self.index < TOO_LARGE),
            ("time", small(self.time.0, 0)),
            ("basis", sorted && self.basis.len() <= Self::MOST_BASIS),
            ("revision", self.basis.iter().all(|b| small(b.revision, 1))),
            ("subject", self.subject.is_none_or(|s| small(s.revision, 1))),
        ];
        rules.iter().find(|(_, holds)| !holds).map_or(Ok(()), |(name, _)| Err(BadEntry::Member(name)))
    }

    fn write(&self, out: &mut String) {
        // Writing to a String cannot fail; every value here is ASCII that needs no escape.
        let _infallible = self.write_members(out);
    }

    fn write_members(&self, out: &mut String) -> std::fmt::Result {
        out.push_str("{\"act\":\"");
        out.push_str(self.act.word());
        out.push_str("\",\"basis\":[");
        for (i, basis) in self.basis.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(out, "{comma}{{\"consent\":\"{}\",\"revision\":{}}}", basis.consent, basis.revision)?;
        }
        out.push_str("],\"commitment\":\"");
        push_hex(&self.commitment, out);
        write!(out, "\",\"deed\":\"{}\",\"ground\":\"{}\",\"index\":{}", self.deed, self.ground.word(), self.index)?;
        if let Some(policy) = &self.policy {
            out.push_str(",\"policy\":\"");
            push_hex(policy, out);
            out.push('"');
        }
        if let Some(purpose) = self.purpose {
            write!(out, ",\"purpose\":\"{}\"", purpose.code())?;
        }
        if let Some(reason) = &self.reason {
            write!(out, ",\"reason\":\"{}\"", reason.code())?;
        }
        write!(out, ",\"records\":{}", self.records)?;
        if let Some(Marked { mark, revision }) = self.subject {
            write!(out, ",\"subject\":{{\"mark\":\"{mark}\",\"revision\":{revision}}}")?;
        }
        write!(out, ",\"time\":{},\"v\":1}}", self.time.0)
    }

    fn read(tree: &Node<'_>) -> Result<Self, BadEntry> {
        if tree.int_of("v") != Some(1) {
            return Err(BadEntry::Member("v"));
        }
        let Some(Value::Array(basis)) = tree.get("basis").map(|n| &n.value) else {
            return Err(BadEntry::Member("basis"));
        };
        if basis.len() > Self::MOST_BASIS {
            return Err(BadEntry::Member("basis"));
        }
        Ok(Self {
            index: number(tree, "index")?,
            time: Timestamp(number(tree, "time")?),
            act: word(tree, "act")?,
            deed: word(tree, "deed")?,
            ground: word(tree, "ground")?,
            basis: basis.iter().map(read_basis).collect::<Result<_, _>>()?,
            purpose: optional(tree, "purpose", |t| t.parse().ok())?,
            policy: optional(tree, "policy", unhex)?,
            records: number(tree, "records")?,
            reason: optional(tree, "reason", |t| Reason::new(t.to_owned()).ok())?,
            subject: tree.get("subject").map(read_subject).transpose()?,
            commitment: optional(tree, "commitment", unhex)?.ok_or(BadEntry::Member("commitment"))?,
        })
    }
}

fn read_basis(node: &Node<'_>) -> Result<Basis, BadEntry> {
    Ok(Basis { consent: word(node, "consent")?, revision: number(node, "revision")? })
}

fn read_subject(node: &Node<'_>) -> Result<Marked, BadEntry> {
    Ok(Marked { mark: word(node, "mark")?, revision: number(node, "revision")? })
}

/// The integer member `name`.
pub(super) fn number<T: TryFrom<i64>>(tree: &Node<'_>, name: &'static str) -> Result<T, BadEntry> {
    tree.int_of(name).and_then(|n| T::try_from(n).ok()).ok_or(BadEntry::Member(name))
}

/// The string member `name`, as what it spells.
pub(super) fn word<T: FromStr>(tree: &Node<'_>, name: &'static str) -> Result<T, BadEntry> {
    tree.text_of(name).and_then(|t| t.parse().ok()).ok_or(BadEntry::Member(name))
}

/// The string member `name` when there is one.
pub(super) fn optional<T>(
    tree: &Node<'_>,
    name: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, BadEntry> {
    let Some(node) = tree.get(name) else { return Ok(None) };
    node.as_str().and_then(read).map(Some).ok_or(BadEntry::Member(name))
}

/// Appends a hash in lower-case hexadecimal.
pub(super) fn push_hex(hash: &Hash, out: &mut String) {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 });
    for byte in hash {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}

/// Reads a hash in lower-case hexadecimal.
pub(super) fn unhex(text: &str) -> Option<Hash> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut out = [0; 32];
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Dice, any_entry, full};
    use super::*;
    use crate::id::{Mark, PatientId};

    #[test]
    fn every_leaf_is_canonical_and_read_back_the_same() {
        let (n, mut dice) = (full(500, 20_000), Dice::announced("leaf round trip", 11));
        for _ in 0..n {
            let entry = any_entry(&mut dice);
            let bytes = entry.to_bytes().unwrap();
            let tree = json::parse(&bytes, Limits::FHIR).unwrap();
            assert_eq!(json::canonical(&tree).unwrap().into_bytes(), bytes);
            assert_eq!(Entry::parse(&bytes), Ok(entry));
        }
        println!("N = {n}");
    }

    /// P36: every member is on the list, and every value is of the one shape that cannot carry content.
    #[test]
    fn a_leaf_has_only_the_members_and_shapes_on_the_list() {
        fn allowed(name: &str, value: &Value<'_>) -> bool {
            let text = |fits: &dyn Fn(&str) -> bool| matches!(value, Value::String(s) if fits(s));
            let id = |s: &str| s.len() == 26 && s.parse::<PatientId>().is_ok();
            match name {
                "act" => text(&|s| s.parse::<Act>().is_ok()),
                "ground" => text(&|s| s.parse::<Ground>().is_ok()),
                "purpose" => text(&|s| Purpose::ALL.iter().any(|p| p.code() == s)),
                "reason" => text(&|s| s.len() <= 40 && s.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')),
                "deed" | "consent" | "mark" => text(&id),
                "commitment" | "policy" => text(&|s| unhex(s).is_some()),
                "index" | "records" | "time" | "v" | "revision" => {
                    matches!(value, Value::Number(n) if n.bytes().all(|b| b.is_ascii_digit()))
                }
                "subject" => {
                    let Value::Object(members) = value else { return false };
                    members.iter().all(|m| allowed(&m.name, &m.node.value))
                }
                "basis" => {
                    let Value::Array(items) = value else { return false };
                    items.iter().all(|i| i.members().iter().all(|m| allowed(&m.name, &m.node.value)))
                }
                _ => false,
            }
        }
        let (n, mut dice) = (full(200, 5_000), Dice::announced("P36", 36));
        for _ in 0..n {
            let bytes = any_entry(&mut dice).to_bytes().unwrap();
            let tree = json::parse(&bytes, Limits::FHIR).unwrap();
            for member in tree.members() {
                assert!(allowed(&member.name, &member.node.value), "{}", member.name);
            }
        }
        println!("N = {n}");
    }

    #[test]
    fn what_is_written_otherwise_is_refused() {
        let mut entry = any_entry(&mut Dice::announced("refused leaves", 12));
        entry.basis = vec![Basis { consent: ConsentId::from_bytes([7; 16]), revision: 3 }];
        entry.records = 5;
        entry.subject = Some(Marked { mark: Mark::from_bytes([8; 16]), revision: 7 });
        let text = String::from_utf8(entry.to_bytes().unwrap()).unwrap();
        for (from, to) in [
            ("{\"act\"", "{ \"act\""),
            ("\"v\":1", "\"v\":2"),
            ("\"v\":1", "\"v\":1,\"x\":1"),
            ("\"v\":1", "\"v\":1,\"v\":1"),
            ("\"records\":5", "\"records\":5.0"),
            ("\"records\":5", "\"records\":-5"),
            ("\"records\":5", "\"records\":4294967296"),
            ("\"revision\":3", "\"revision\":0"),
            ("\"revision\":3", "\"revision\":9007199254740992"),
            ("\"revision\":3", "\"revision\":3,\"patient\":\"x\""),
            ("\"revision\":7", "\"revision\":0"),
            ("\"revision\":7", "\"revision\":7,\"patient\":\"x\""),
            (",\"deed\"", ",\"patient\":\"Dupont\",\"deed\""),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(Entry::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
        entry.basis.push(entry.basis[0]);
        assert_eq!(entry.to_bytes(), Err(BadEntry::Member("basis")));
        entry.basis.clear();
        entry.index = TOO_LARGE;
        assert_eq!(entry.to_bytes(), Err(BadEntry::Member("index")));
    }

    #[test]
    fn the_largest_leaf_fits_a_bundle() {
        let mut entry = any_entry(&mut Dice::announced("largest leaf", 13));
        let most = 1 << 53;
        let id = |n: u128| ConsentId::from_bytes(n.to_be_bytes());
        entry.basis = (0..512).map(|n| Basis { consent: id(n), revision: most - 1 }).collect();
        entry.index = most.unsigned_abs() - 1;
        entry.time = Timestamp(most - 1);
        entry.subject = Some(Marked { mark: Mark::from_bytes([8; 16]), revision: most - 1 });
        assert!(entry.to_bytes().unwrap().len() <= Entry::LONGEST);
        entry.basis.push(Basis { consent: id(512), revision: 1 });
        assert_eq!(entry.to_bytes(), Err(BadEntry::Member("basis")));
    }

    #[test]
    fn hostile_bytes_never_panic() {
        let (n, mut dice) = (full(2_000, 200_000), Dice::announced("hostile leaves", 14));
        for _ in 0..n {
            let mut bytes = any_entry(&mut dice).to_bytes().unwrap();
            for _ in 0..=dice.below(4) {
                let at = dice.below(bytes.len());
                bytes[at] = dice.byte();
            }
            bytes.truncate(dice.below(bytes.len() * 4).max(1));
            if let Ok(entry) = Entry::parse(&bytes) {
                assert_eq!(entry.to_bytes().unwrap(), bytes);
            }
        }
        println!("N = {n}");
    }
}
