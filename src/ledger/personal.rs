//! The personal part of an act: who, about whom, which records.
//!
//! It is sealed under the patient's log-subject key and stands in the leaf as a commitment only, so destroying
//! that key and the salt blinds the log without breaking it (security.md K18).

use std::fmt::Write as _;

use super::entry::{BadEntry, number, optional, push_hex, unhex};
use super::merkle::{Hash, sha256};
use crate::id::{ClientId, OrganisationId, PatientId, ProfessionalId, RecordId};
use crate::json::{self, Limits, Node, Value};

/// A record at one version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Touched {
    /// Which record of the patient.
    pub record: RecordId,
    /// Which version, from 1.
    pub version: i64,
}

/// The records an act concerned: all of them while they are few, else the first with a digest of all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Records {
    listed: Vec<Touched>,
    total: u64,
    digest: Option<Hash>,
}

impl Records {
    /// The most records that are listed.
    pub const MOST_LISTED: usize = 256;

    /// The records in the order they were released.
    #[must_use]
    pub fn of(all: &[Touched]) -> Self {
        let listed: Vec<Touched> = all.iter().take(Self::MOST_LISTED).copied().collect();
        let digest = (all.len() > listed.len()).then(|| Self::digest_of(all));
        Self { listed, total: all.len() as u64, digest }
    }

    /// SHA-256 over each record's 16 bytes and its version (8, big-endian): what a long list is held against.
    #[must_use]
    pub fn digest_of(all: &[Touched]) -> Hash {
        let mut bytes = Vec::with_capacity(24 * all.len());
        for touched in all {
            bytes.extend_from_slice(touched.record.as_bytes());
            bytes.extend_from_slice(&touched.version.to_be_bytes());
        }
        sha256(&bytes)
    }

    /// Those listed.
    #[must_use]
    pub fn listed(&self) -> &[Touched] {
        &self.listed
    }

    /// How many there were, listed or not.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Digest of all, when not all are listed.
    #[must_use]
    pub const fn digest(&self) -> Option<&Hash> {
        self.digest.as_ref()
    }
}

/// Who did it, to whose records, which.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Personal {
    /// Whose records or consent.
    pub patient: Option<PatientId>,
    /// By which software.
    pub client: Option<ClientId>,
    /// Of which organisation.
    pub organisation: Option<OrganisationId>,
    /// Behind it, which professional.
    pub professional: Option<ProfessionalId>,
    /// How: the interaction or the page, as `search` or `web/grant`.
    pub route: String,
    /// Which FHIR resource type was asked for.
    pub resource_type: Option<String>,
    /// Which records.
    pub records: Records,
    /// What the person gave as a reason, in their words.
    pub reason: Option<String>,
    /// The how-manieth act about this patient, from 1: a gap shows an omission (TL-32).
    pub nth: Option<u64>,
}

/// Longest route, resource type and reason, in bytes.
const LONGEST: [(&str, usize); 3] = [("reason", 2048), ("resourceType", 64), ("route", 128)];

impl Personal {
    /// The canonical bytes that are sealed and committed to.
    ///
    /// # Errors
    /// [`BadEntry::Member`] when a text is too long or a number out of range.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BadEntry> {
        self.check()?;
        let mut out = String::with_capacity(320 + 34 * self.records.listed.len());
        // Writing to a String cannot fail.
        let _infallible = self.write(&mut out);
        Ok(out.into_bytes())
    }

    /// Reads the personal part from its exact bytes.
    ///
    /// # Errors
    /// [`BadEntry`] when the bytes are not those [`Personal::to_bytes`] would write.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadEntry> {
        let tree = json::parse(bytes, Limits { bytes: 65_535, depth: 4 })?;
        let personal = Self::read(&tree)?;
        if personal.to_bytes()? == bytes { Ok(personal) } else { Err(BadEntry::NotCanonical) }
    }

    fn check(&self) -> Result<(), BadEntry> {
        let exact = |n: u64| n < 1 << 53;
        let texts = [self.reason.as_deref(), self.resource_type.as_deref(), Some(self.route.as_str())];
        for ((name, longest), text) in LONGEST.into_iter().zip(texts) {
            if text.is_some_and(|t| t.len() > longest) {
                return Err(BadEntry::Member(name));
            }
        }
        let Records { listed, total, digest } = &self.records;
        let all_listed = listed.len() as u64 == *total;
        let first_listed = listed.len() == Records::MOST_LISTED && *total > listed.len() as u64;
        let counted = if digest.is_some() { first_listed } else { all_listed && listed.len() <= Records::MOST_LISTED };
        let versions = listed.iter().all(|t| t.version >= 1 && exact(t.version.unsigned_abs()));
        if !counted || !exact(*total) || !versions {
            return Err(BadEntry::Member("records"));
        }
        if self.nth.is_some_and(|n| n == 0 || !exact(n)) {
            return Err(BadEntry::Member("nth"));
        }
        Ok(())
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        out.push('{');
        if let Some(client) = self.client {
            write!(out, "\"client\":\"{client}\",")?;
        }
        if let Some(digest) = &self.records.digest {
            out.push_str("\"digest\":\"");
            push_hex(digest, out);
            out.push_str("\",");
        }
        if let Some(nth) = self.nth {
            write!(out, "\"nth\":{nth},")?;
        }
        if let Some(organisation) = self.organisation {
            write!(out, "\"organisation\":\"{organisation}\",")?;
        }
        if let Some(patient) = self.patient {
            write!(out, "\"patient\":\"{patient}\",")?;
        }
        if let Some(professional) = self.professional {
            write!(out, "\"professional\":\"{professional}\",")?;
        }
        if let Some(reason) = &self.reason {
            out.push_str("\"reason\":");
            json::quote(reason, out);
            out.push(',');
        }
        out.push_str("\"records\":[");
        for (i, touched) in self.records.listed.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(out, "{comma}[\"{}\",{}]", touched.record, touched.version)?;
        }
        out.push(']');
        if let Some(resource_type) = &self.resource_type {
            out.push_str(",\"resourceType\":");
            json::quote(resource_type, out);
        }
        out.push_str(",\"route\":");
        json::quote(&self.route, out);
        write!(out, ",\"total\":{},\"v\":1}}", self.records.total)
    }

    fn read(tree: &Node<'_>) -> Result<Self, BadEntry> {
        if tree.int_of("v") != Some(1) {
            return Err(BadEntry::Member("v"));
        }
        let Some(Value::Array(listed)) = tree.get("records").map(|n| &n.value) else {
            return Err(BadEntry::Member("records"));
        };
        let listed = listed.iter().map(read_touched).collect::<Option<Vec<_>>>();
        Ok(Self {
            patient: optional(tree, "patient", |t| t.parse().ok())?,
            client: optional(tree, "client", |t| t.parse().ok())?,
            organisation: optional(tree, "organisation", |t| t.parse().ok())?,
            professional: optional(tree, "professional", |t| t.parse().ok())?,
            route: tree.text_of("route").ok_or(BadEntry::Member("route"))?.to_owned(),
            resource_type: optional(tree, "resourceType", |t| Some(t.to_owned()))?,
            records: Records {
                listed: listed.ok_or(BadEntry::Member("records"))?,
                total: number(tree, "total")?,
                digest: optional(tree, "digest", unhex)?,
            },
            reason: optional(tree, "reason", |t| Some(t.to_owned()))?,
            nth: tree.get("nth").map(|_| number(tree, "nth")).transpose()?,
        })
    }
}

fn read_touched(node: &Node<'_>) -> Option<Touched> {
    let [record, version] = node.items() else { return None };
    Some(Touched { record: record.as_str()?.parse().ok()?, version: version.as_i64()? })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Dice, full};
    use super::*;

    fn any_personal(dice: &mut Dice) -> Personal {
        let count = [0, 1, 3, 256, 257, 400][dice.below(6)];
        let all: Vec<Touched> =
            (0..count).map(|v| Touched { record: RecordId::from_bytes(dice.bytes()), version: v + 1 }).collect();
        Personal {
            patient: dice.maybe(|d| PatientId::from_bytes(d.bytes())),
            client: dice.maybe(|d| ClientId::from_bytes(d.bytes())),
            organisation: dice.maybe(|d| OrganisationId::from_bytes(d.bytes())),
            professional: dice.maybe(|d| ProfessionalId::from_bytes(d.bytes())),
            route: "web/grant".into(),
            resource_type: dice.maybe(|_| "Observation".into()),
            records: Records::of(&all),
            reason: dice.maybe(|_| "l'été \"x\"\n\u{1b}[31m =1+1 \u{202e}".into()),
            nth: dice.maybe(|d| d.below(9) as u64 + 1),
        }
    }

    #[test]
    fn the_personal_part_is_canonical_and_read_back_the_same() {
        let (n, mut dice) = (full(100, 5_000), Dice::announced("personal round trip", 21));
        for _ in 0..n {
            let personal = any_personal(&mut dice);
            let bytes = personal.to_bytes().unwrap();
            let tree = json::parse(&bytes, Limits::FHIR).unwrap();
            assert_eq!(json::canonical(&tree).unwrap().into_bytes(), bytes);
            assert_eq!(Personal::parse(&bytes), Ok(personal));
        }
        println!("N = {n}");
    }

    #[test]
    fn a_long_list_of_records_is_held_by_its_digest() {
        let mut dice = Dice::announced("long list", 22);
        let mut all: Vec<Touched> =
            (1..=300).map(|version| Touched { record: RecordId::from_bytes(dice.bytes()), version }).collect();
        let records = Records::of(&all);
        assert_eq!((records.listed().len(), records.total()), (256, 300));
        assert_eq!(records.digest(), Some(&Records::digest_of(&all)));
        all[299].version += 1;
        assert_ne!(records, Records::of(&all));
    }

    #[test]
    fn a_list_that_does_not_add_up_is_refused() {
        let personal = any_personal(&mut Dice::announced("sums", 23));
        let text = String::from_utf8(Personal { records: Records::default(), ..personal }.to_bytes().unwrap()).unwrap();
        for (from, to) in [("\"total\":0", "\"total\":1"), ("\"v\":1", "\"v\":1,\"x\":1"), ("[]", "[[\"x\",1]]")] {
            assert!(text.contains(from));
            assert!(Personal::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }
}
