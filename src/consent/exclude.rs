//! The deed exclude: a professional is shut out, whatever any consent says (FR-32).

use super::record::Making;
use super::{ConsentError, Consents};
use crate::clock::Timestamp;
use crate::id::ProfessionalId;
use crate::ledger::Act;
use crate::model::{Grantee, Statement};

impl Consents {
    /// What shutting out makes. Whoever is enrolled may be shut out, suspended or not.
    pub(super) async fn excluding(
        &self,
        said: &Statement,
        professional: ProfessionalId,
    ) -> Result<Making, ConsentError> {
        if said.revision != 1 {
            return Err(ConsentError::Conflict);
        }
        let grantee = Grantee::Professional(professional);
        self.known(&grantee).await?;
        let grantee = self.indexer.grantee(said.patient, &grantee);
        Ok(Making { act: Act::Exclude, grantee, ends: false, whom: Some(professional), until: Timestamp(i64::MAX) })
    }
}
