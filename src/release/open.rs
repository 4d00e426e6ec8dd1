//! Opening: the only place where a permit and its receipt are spent.

use super::{Door, Withheld};
use crate::fhir::View;
use crate::ledger::Receipt;
use crate::model::{RecordKey, Sealed};
use crate::policy::Permit;
use crate::vault::{Opened, PatientKeys, Place};

/// Content that may be shown to the one it was released to. Only this room makes one.
#[derive(Debug)]
pub struct Released {
    key: RecordKey,
    version: i64,
    leaf: u64,
    text: Opened,
}

impl Released {
    /// Which record.
    #[must_use]
    pub const fn key(&self) -> RecordKey {
        self.key
    }

    /// Which version.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Leaves only the part that `view` shows; the rest is wiped.
    pub(super) fn seen_as(self, view: &View) -> Result<Self, Withheld> {
        if *view == View::Whole {
            return Ok(self);
        }
        let part = view.of(self.text.as_str().map_err(Withheld::unavailable)?);
        let part = part.ok_or_else(|| Withheld::unavailable(Mismatch))?;
        Ok(Self { text: self.text.reduced_to(part.into_bytes()), ..self })
    }

    /// The leaf under which this release stands in the log.
    #[must_use]
    pub const fn leaf(&self) -> u64 {
        self.leaf
    }
}

/// What is shown of the stored FHIR text, byte for byte; wiped from memory when the answer has been sent.
impl AsRef<[u8]> for Released {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl Door {
    /// Opens what `permit` admits and `receipt` has on record. Both are spent: one disclosure, one opening.
    ///
    /// All or nothing: a row that is missing or does not open withholds everything.
    #[expect(clippy::needless_pass_by_value, reason = "permit and receipt are spent here")]
    pub(super) fn open(
        &self,
        permit: Permit,
        receipt: Receipt,
        keys: &PatientKeys,
        rows: Vec<(RecordKey, i64, Sealed)>,
    ) -> Result<Vec<Released>, Withheld> {
        if receipt.deed() != permit.deed() || rows.len() != permit.records().len() {
            return Err(Withheld::unavailable(Mismatch));
        }
        let leaf = receipt.leaf();
        let mut released = Vec::with_capacity(rows.len());
        for (key, version, sealed) in rows {
            if !permit.admits(&key, version) || key.patient != permit.patient() {
                return Err(Withheld::unavailable(Mismatch));
            }
            let place = Place::content(key, version);
            let text = self.opener.open(keys, &place, &sealed).map_err(Withheld::unavailable)?;
            released.push(Released { key, version, leaf, text });
        }
        Ok(released)
    }
}

/// Permit, receipt and rows do not belong together.
#[derive(Debug, thiserror::Error)]
#[error("permit, receipt and rows do not belong together")]
struct Mismatch;
