//! Reading the register: a row counts only with the registry's signature.

use std::sync::Arc;

use ring::digest::{Context, SHA256};

use super::party::{Client, Organisation, Party, Professional};
use crate::recall::Recall;
use crate::store::rows::PartyRow;
use crate::vault::RegistryVerifier;

/// No enrolment that stands can be shown. The word is for the log, never for the asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not enrolled: {0}")]
pub struct NotEnrolled(pub &'static str);

/// Checks rows of the register against the registry's signature.
#[derive(Debug)]
pub struct Register {
    registry: RegistryVerifier,
    /// Digest of row → the enrolment it proves. A pure function: a suspension is another row with another digest.
    known: Recall<Arc<Party>>,
}

impl Register {
    /// A register whose rows are signed by `registry`.
    #[must_use]
    pub fn new(registry: RegistryVerifier) -> Self {
        Self { registry, known: Recall::with_capacity(20_000) }
    }

    /// The enrolment that `row` proves, standing or suspended.
    ///
    /// # Errors
    /// [`NotEnrolled`] when the signature does not hold or the body speaks of another party or revision (C09).
    pub fn check(&self, row: &PartyRow) -> Result<Arc<Party>, NotEnrolled> {
        let mut context = Context::new(&SHA256);
        context.update(&row.party);
        context.update(&row.revision.to_be_bytes());
        context.update(&(row.body.len() as u64).to_be_bytes());
        context.update(row.body.as_bytes());
        context.update(&row.signature);
        let digest = context.finish().as_ref().try_into().map_err(|_| NotEnrolled("digest"))?;
        if let Some(party) = self.known.get(&digest) {
            return Ok(party);
        }
        self.registry.verify(row.body.as_bytes(), &row.signature).map_err(|_| NotEnrolled("signature"))?;
        let (party, revision) = Party::parse(&row.body).map_err(|_| NotEnrolled("body"))?;
        if party.id() != row.party || revision != row.revision {
            return Err(NotEnrolled("another party or revision"));
        }
        let party = Arc::new(party);
        self.known.keep(digest, Arc::clone(&party));
        Ok(party)
    }

    /// The enrolment named `id` among `rows`.
    pub fn find(&self, rows: &[PartyRow], id: &[u8; 16]) -> Result<Arc<Party>, NotEnrolled> {
        let row = rows.iter().find(|row| row.party == *id).ok_or(NotEnrolled("unknown"))?;
        self.check(row)
    }
}

impl Party {
    /// The client, if that is what it is.
    pub fn client(&self) -> Result<&Client, NotEnrolled> {
        if let Self::Client(client) = self { Ok(client) } else { Err(NotEnrolled("not a client")) }
    }

    /// The organisation, if that is what it is.
    pub fn organisation(&self) -> Result<&Organisation, NotEnrolled> {
        if let Self::Organisation(organisation) = self {
            Ok(organisation)
        } else {
            Err(NotEnrolled("not an organisation"))
        }
    }

    /// The professional, if that is what it is.
    pub fn professional(&self) -> Result<&Professional, NotEnrolled> {
        if let Self::Professional(professional) = self {
            Ok(professional)
        } else {
            Err(NotEnrolled("not a professional"))
        }
    }
}
