//! Asking, as the door does it: whatever is in doubt withholds.

use super::{Door, Withheld};
use crate::asking::{self, Unasked};
use crate::id::PatientId;
use crate::ledger::{Personal, Refusal};
use crate::model::Bearer;
use crate::vault::PatientKeys;

pub(super) use crate::asking::{denied, unasked};

impl Door {
    /// Puts a refusal on record and gives the one answer that tells nothing.
    pub(super) async fn refuse(&self, refusal: Refusal, about: Personal, keys: Option<&PatientKeys>) -> Withheld {
        self.asking.refuse(refusal, about, keys).await.into()
    }
}

impl From<Unasked> for Withheld {
    fn from(unasked: Unasked) -> Self {
        match unasked {
            Unasked::Hidden => Self::Hidden,
            Unasked::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// The personal part of a deed of `bearer`.
pub(super) fn about(bearer: &Bearer, patient: PatientId, route: &'static str, resource_type: &str) -> Personal {
    asking::about(bearer, patient, route, Some(resource_type))
}
