//! The deeds enrol and suspend, done by the guarantor.

use std::sync::Arc;

use super::party::{BadParty, Party};
use super::register::{NotEnrolled, Register};
use crate::chance::{Chance, NoChance};
use crate::clock::Clock;
use crate::db::DbError;
use crate::id::{ClientId, DeedId, OrganisationId, ProfessionalId};
use crate::ledger::{Act, Ledger, Personal, Placed, Unplaced, Unrecorded};
use crate::model::Enrolled;
use crate::store::Store;
use crate::store::turn::Write;
use crate::vault::RegistrySigner;

/// Enrols and suspends.
pub struct Enrolments {
    /// Where enrolments are kept.
    pub store: Store,
    /// Where each is recorded.
    pub ledger: Ledger,
    /// Signs enrolments.
    pub registry: RegistrySigner,
    /// Believes enrolments.
    pub register: Arc<Register>,
    /// Whether software on this machine itself may be written to.
    pub development: bool,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub chance: Arc<dyn Chance>,
}

/// Why nobody was enrolled or suspended. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// There is no such enrolment, or its row proves nothing.
    #[error(transparent)]
    NotEnrolled(#[from] NotEnrolled),
    /// Such a party may not be enrolled.
    #[error(transparent)]
    Bad(#[from] BadParty),
    /// Somebody else changed it at the same moment.
    #[error("it was changed at the same moment; look again")]
    Changed,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// It could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// No chance, no id.
    #[error(transparent)]
    NoChance(#[from] NoChance),
}

impl Enrolments {
    /// Enrols a party under the id it bears; its first revision.
    ///
    /// # Errors
    /// [`EnrolError`]; [`EnrolError::Changed`] when the id is taken.
    pub async fn enrol(&self, party: &Party) -> Result<(), EnrolError> {
        if let Party::Client(client) = party {
            client.may_enrol(self.development)?;
        }
        self.write(party, 1, Act::Enrol).await
    }

    /// Suspends a party, or lets it stand again. Like a revocation it holds for every read that starts after it:
    /// each read fetches the enrolment anew.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub async fn set_standing(&self, id: &[u8; 16], standing: bool) -> Result<Party, EnrolError> {
        let row = self.store.party(id).await?.ok_or(NotEnrolled("unknown"))?;
        let party = Party::clone(&*self.register.check(&row)?).with_active(standing);
        self.write(&party, row.revision + 1, if standing { Act::Enrol } else { Act::Suspend }).await?;
        Ok(party)
    }

    /// Everybody enrolled as a `kind` (`organisation`, `professional`, `client`).
    ///
    /// # Errors
    /// [`EnrolError::NotEnrolled`] when a row proves nothing: the register was altered.
    pub async fn all(&self, kind: &'static str) -> Result<Vec<Arc<Party>>, EnrolError> {
        let rows = self.store.parties(kind).await?;
        rows.iter().map(|row| self.register.check(row).map_err(EnrolError::from)).collect()
    }

    /// The enrolment of `id`.
    ///
    /// # Errors
    /// [`EnrolError::NotEnrolled`].
    pub async fn one(&self, id: &[u8; 16]) -> Result<Arc<Party>, EnrolError> {
        let row = self.store.party(id).await?.ok_or(NotEnrolled("unknown"))?;
        Ok(self.register.check(&row)?)
    }

    async fn write(&self, party: &Party, revision: i64, act: Act) -> Result<(), EnrolError> {
        let body = party.to_body(revision);
        let signature = self.registry.sign(body.as_bytes()).map_err(|_| Unrecorded::Sealing)?.to_vec();
        let id = DeedId::ordered(&*self.clock, &*self.chance)?;
        let mut deed = self.ledger.prepare(id, act, about(party), None).await?;
        deed.subject = Some(self.ledger.enrolment(Enrolled::Party(party.id()), revision).made());
        let number = party.number().to_owned();
        deed.writes.push(Write::Party { party: party.id(), kind: party.kind(), number, revision, body, signature });
        match self.ledger.record(deed).await {
            Ok(Placed::Done { .. }) => Ok(()),
            Ok(Placed::Stale) | Err(Unrecorded::Unplaced(Unplaced::Taken)) => Err(EnrolError::Changed),
            Err(other) => Err(other.into()),
        }
    }
}

fn about(party: &Party) -> Personal {
    let id = party.id();
    let mut about = Personal { route: format!("directory/{}", party.kind()), ..Personal::default() };
    match party {
        Party::Organisation(_) => about.organisation = Some(OrganisationId::from_bytes(id)),
        Party::Professional(_) => about.professional = Some(ProfessionalId::from_bytes(id)),
        Party::Client(_) => about.client = Some(ClientId::from_bytes(id)),
    }
    about
}
