//! What comes back from the tables.

use crate::clock::Timestamp;
use crate::id::{ConsentId, DeviceId, PatientId, RecordId};
use crate::model::Sealed;

/// A row of `patient`.
#[derive(Clone, Debug)]
pub struct PatientRow {
    /// Whose row it is.
    pub patient: PatientId,
    /// `active`, `closed` or `erased`.
    pub state: String,
    /// MAC over patient and state.
    pub seal: Vec<u8>,
}

/// A row of `record`, with its content where it was asked for.
#[derive(Clone, Debug)]
pub struct RecordRow {
    /// Which record.
    pub record: RecordId,
    /// Its current version.
    pub version: i64,
    /// Whether that version is its deletion.
    pub deleted: bool,
    /// When that version was made, where it was asked for.
    pub at: Timestamp,
    /// Sealed facts for the decision.
    pub facts: Sealed,
    /// Sealed text of this version (reads), or sealed search values (searches).
    pub body: Sealed,
}

/// The current version of a record, without its content.
#[derive(Clone, Debug)]
pub struct CurrentRow {
    /// Which record.
    pub record: RecordId,
    /// Its current version.
    pub version: i64,
    /// Whether that is its deletion.
    pub deleted: bool,
    /// Its sealed facts.
    pub facts: Sealed,
}

/// A version of a record, without its content.
#[derive(Clone, Debug)]
pub struct VersionRow {
    /// Which version, from 1.
    pub version: i64,
    /// When it was made.
    pub at: Timestamp,
    /// Whether it is the record's deletion.
    pub deleted: bool,
    /// Its sealed facts; `None` for the current version, whose facts are in the record's own row.
    pub facts: Option<Sealed>,
}

/// A row of `consent` with the evidence of its current revision.
#[derive(Clone, Debug)]
pub struct ConsentRow {
    /// Which consent.
    pub consent: ConsentId,
    /// Its current revision.
    pub revision: i64,
    /// `active` or `ended`.
    pub state: String,
    /// Keyed tag of patient and grantee.
    pub grantee: Vec<u8>,
    /// MAC over the row and its evidence.
    pub seal: Vec<u8>,
    /// Sealed evidence.
    pub evidence: Sealed,
}

/// A row of `party`: the enrolment as the registry signed it.
#[derive(Clone, Debug)]
pub struct PartyRow {
    /// Organisation, professional or client id.
    pub party: [u8; 16],
    /// From 1.
    pub revision: i64,
    /// Canonical JSON.
    pub body: String,
    /// Registry signature over the body.
    pub signature: Vec<u8>,
}

/// A row of `device`.
#[derive(Clone, Debug)]
pub struct DeviceRow {
    /// Which device.
    pub device: DeviceId,
    /// `active` or `removed`.
    pub state: String,
    /// Canonical JSON.
    pub body: String,
    /// Registry signature over the body.
    pub signature: Vec<u8>,
    /// Highest signature counter seen of a passkey.
    pub counter: i64,
}

/// The row of `log_head`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Number of leaves.
    pub size: i64,
    /// Time of the last leaf.
    pub time: Timestamp,
    /// Keyed chain over all leaf hashes.
    pub chain: [u8; 32],
}

/// A row of `log_leaf`.
#[derive(Clone, Debug)]
pub struct LeafRow {
    /// Index, dense from 0.
    pub leaf: i64,
    /// Whose history it belongs to.
    pub patient: Option<PatientId>,
    /// Exact leaf bytes.
    pub entry: Vec<u8>,
    /// Personal part, sealed.
    pub personal: Option<Sealed>,
}

/// A row of `log_checkpoint`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointRow {
    /// Leaves covered.
    pub size: i64,
    /// Tree root.
    pub root: [u8; 32],
    /// Right edge of the tree.
    pub frontier: Vec<u8>,
    /// Keyed chain over the leaves covered.
    pub chain: [u8; 32],
    /// C2SP signed note; empty until signed.
    pub note: String,
}
