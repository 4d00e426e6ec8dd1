//! The ids of AuditEvents: stable, and telling nothing to whoever has no key.
//!
//! A leaf's index in clear would count everybody's acts, and its deed stands in the public log with its time. The id is
//! the index masked under a keyed tag of patient and index (the construction of SIV, RFC 5297, with HMAC for both parts):
//! the same leaf has the same id for ever, and an id made up, or made for another patient, decodes to nothing.

use crate::id::{DeedId, PatientId};
use crate::vault::Indexer;

/// The id under which `leaf` is shown to `patient`.
pub(super) fn alias(indexer: &Indexer, patient: PatientId, leaf: u64) -> String {
    let tag = tag(indexer, patient, leaf);
    let hidden = leaf ^ mask(indexer, patient, tag);
    DeedId::from_bytes((u128::from(tag) << 64 | u128::from(hidden)).to_be_bytes()).to_string()
}

/// The leaf that `id` names to `patient`.
pub(super) fn leaf(indexer: &Indexer, patient: PatientId, id: &str) -> Option<u64> {
    let number = u128::from_be_bytes(*id.parse::<DeedId>().ok()?.as_bytes());
    let (given, hidden) = (u64::try_from(number >> 64).ok()?, u64::try_from(number & u128::from(u64::MAX)).ok()?);
    let leaf = hidden ^ mask(indexer, patient, given);
    (tag(indexer, patient, leaf) == given).then_some(leaf)
}

fn tag(indexer: &Indexer, patient: PatientId, leaf: u64) -> u64 {
    first(indexer.tag("event", &[patient.as_bytes(), &leaf.to_be_bytes()]))
}

fn mask(indexer: &Indexer, patient: PatientId, tag: u64) -> u64 {
    first(indexer.tag("event mask", &[patient.as_bytes(), &tag.to_be_bytes()]))
}

fn first(tag: [u8; 32]) -> u64 {
    tag.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
