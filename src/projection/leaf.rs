//! A leaf of the log with its personal part, believed only when the one commits to the other.

use super::Projection;
use crate::ledger::{Entry, Personal, commit};
use crate::release::Withheld;
use crate::store::rows::LeafRow;
use crate::vault::{PatientKeys, Place};

/// What was done, and by whom.
pub(super) struct Leaf {
    pub(super) entry: Entry,
    pub(super) personal: Personal,
}

impl Projection {
    /// Opens a leaf of the patient whose keys these are; `None` when it belongs to another history.
    pub(super) fn open(
        &self,
        patient: crate::id::PatientId,
        row: &LeafRow,
        keys: &PatientKeys,
    ) -> Result<Option<Leaf>, Withheld> {
        let Some(sealed) = row.personal.as_ref().filter(|_| row.patient == Some(patient)) else { return Ok(None) };
        let entry = Entry::parse(&row.entry).map_err(Withheld::unavailable)?;
        let opened =
            self.log.open(keys, &Place::personal(patient, entry.deed), sealed).map_err(Withheld::unavailable)?;
        let (salt, bytes) = opened.split_first_chunk::<32>().ok_or_else(|| Withheld::unavailable(Altered))?;
        if commit(salt, bytes) != entry.commitment || i64::try_from(entry.index) != Ok(row.leaf) {
            tracing::error!(leaf = row.leaf, "a leaf and its personal part do not belong together");
            return Err(Withheld::unavailable(Altered));
        }
        let personal = Personal::parse(bytes).map_err(Withheld::unavailable)?;
        Ok(Some(Leaf { entry, personal }))
    }
}

/// A leaf does not prove what it says.
#[derive(Debug, thiserror::Error)]
#[error("a leaf and its personal part do not belong together")]
struct Altered;
