//! The deed lift: an exclusion ends. It widens access, so it is signed like a grant.

use super::record::Making;
use super::{ConsentError, Consents};
use crate::clock::Timestamp;
use crate::id::ProfessionalId;
use crate::ledger::Act;
use crate::model::{Op, Statement};
use crate::vault::PatientKeys;

impl Consents {
    /// What lifting makes, if there is an exclusion in force.
    pub(super) async fn lifting(&self, said: &Statement, keys: &PatientKeys) -> Result<Making, ConsentError> {
        let standing = self.standing(said.patient, said.consent, keys).await?;
        if !standing.excludes() {
            return Err(ConsentError::Unknown);
        }
        if !standing.active() || said.revision != standing.next()? {
            return Err(ConsentError::Conflict);
        }
        let whom = if let Op::Exclude(professional) = standing.said.op { Some(professional) } else { None };
        Ok(Making { act: Act::Lift, grantee: standing.tag()?, ends: true, whom, until: Timestamp(i64::MAX) })
    }

    /// Whom the exclusion that `said` would lift shuts out.
    pub(super) async fn excluded(&self, said: &Statement, keys: &PatientKeys) -> Result<ProfessionalId, ConsentError> {
        let standing = self.standing(said.patient, said.consent, keys).await?;
        match standing.said.op {
            Op::Exclude(professional) => Ok(professional),
            Op::Lift => Err(ConsentError::Conflict),
            Op::Grant(_) | Op::Narrow(_) | Op::Revoke => Err(ConsentError::Unknown),
        }
    }
}
