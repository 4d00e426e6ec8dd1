//! Asking, as the door does it: whatever is in doubt withholds.

use super::{Door, Withheld};
use crate::asking::{self, Asked, Unasked};
use crate::id::PatientId;
use crate::ledger::{Personal, Refusal};
use crate::model::Bearer;
use crate::store::gather::{Asker, Gathered};
use crate::store::rows::PatientRow;
use crate::vault::PatientKeys;

pub(super) use crate::asking::{denied, unasked};

impl Door {
    /// The tags and ids under which the bearer's consents and enrolments are found.
    pub(super) fn asker(&self, bearer: &Bearer, patient: PatientId) -> Asker {
        self.asking.asker(bearer, patient)
    }

    /// The keys of a patient who is enrolled and not erased; `None` otherwise.
    pub(super) async fn keys(&self, row: Option<&PatientRow>) -> Result<Option<PatientKeys>, Withheld> {
        Ok(self.asking.keys(row).await?)
    }

    /// Believes what was gathered, as far as signatures prove it.
    pub(super) fn resolve(
        &self,
        bearer: &Bearer,
        patient: PatientId,
        gathered: &Gathered,
        keys: &PatientKeys,
    ) -> Result<Asked, Withheld> {
        Ok(self.asking.resolve(bearer, patient, gathered, keys)?)
    }

    /// Puts a refusal on record and gives the one answer that tells nothing.
    pub(super) async fn refuse(&self, refusal: Refusal, about: Personal, keys: Option<&PatientKeys>) -> Withheld {
        match self.asking.refuse(refusal, about, keys).await {
            Ok(()) => Withheld::Hidden,
            Err(unrecorded) => Withheld::unavailable(unrecorded),
        }
    }
}

impl From<Unasked> for Withheld {
    fn from(unasked: Unasked) -> Self {
        match unasked {
            Unasked::NotEnrolled => Self::Hidden,
            Unasked::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// The personal part of a deed of `bearer`.
pub(super) fn about(bearer: &Bearer, patient: PatientId, route: &'static str, resource_type: &str) -> Personal {
    asking::about(bearer, patient, route, Some(resource_type))
}
