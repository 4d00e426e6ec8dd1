//! The deed narrow: the same consent, allowing less (P13).

use super::record::Making;
use super::{ConsentError, Consents};
use crate::ledger::Act;
use crate::model::{Op, Statement, Terms};
use crate::vault::PatientKeys;

impl Consents {
    /// What narrowing makes, if the terms are within the present ones.
    pub(super) async fn narrowing(
        &self,
        said: &Statement,
        terms: &Terms,
        keys: &PatientKeys,
    ) -> Result<Making, ConsentError> {
        let standing = self.standing(said.patient, said.consent, keys).await?;
        let (Op::Grant(present) | Op::Narrow(present)) = &standing.said.op else {
            return Err(if standing.excludes() { ConsentError::Exclusion } else { ConsentError::Conflict });
        };
        if !standing.active() || said.revision != standing.next()? {
            return Err(ConsentError::Conflict);
        }
        if !terms.within(present) {
            return Err(ConsentError::Wider);
        }
        // A suspended grantee may have their access narrowed; the law is asked all the same, because the guarantor
        // countersigns nothing that it would never honour.
        let who = self.known(&terms.grantee).await?;
        self.lawful(terms, &who, said.issued)?;
        Ok(Making { act: Act::Narrow, grantee: standing.tag()?, ends: false, whom: None, until: terms.valid.to })
    }
}
