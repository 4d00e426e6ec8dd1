//! The deed grant: a new consent.

use super::record::Making;
use super::{ConsentError, Consents};
use crate::ledger::Act;
use crate::model::{Statement, Terms};

impl Consents {
    /// What a grant makes, if its terms may be given.
    pub(super) async fn granting(&self, said: &Statement, terms: &Terms) -> Result<Making, ConsentError> {
        if said.revision != 1 {
            return Err(ConsentError::Conflict);
        }
        let who = self.known(&terms.grantee).await?;
        if !who.active {
            return Err(ConsentError::NoGrantee);
        }
        self.lawful(terms, &who, said.issued)?;
        let grantee = self.indexer.grantee(said.patient, &terms.grantee);
        // At its own turn it must still have time to live.
        Ok(Making { act: Act::Grant, grantee, ends: false, whom: None, until: terms.valid.to })
    }
}
