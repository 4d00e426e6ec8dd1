//! What a person allowed a piece of software: every token made for it names the grant and dies with it.

use std::sync::Arc;

use super::session::Person;
use crate::chance::{Chance, NoChance};
use crate::clock::{Clock, Timestamp};
use crate::db::DbError;
use crate::directory::Register;
use crate::id::{ClientId, GrantId};
use crate::store::Store;
use crate::store::oauth::GrantRow;
use crate::vault::{Indexer, RowMac};

/// Begins, asks after and ends grants.
pub struct Grants {
    /// Where they are kept.
    pub store: Store,
    /// Believes enrolments.
    pub register: Arc<Register>,
    /// Authenticates rows.
    pub mac: RowMac,
    /// Makes tags of people.
    pub indexer: Indexer,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub chance: Arc<dyn Chance>,
}

/// No grant can be begun or ended now.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// No chance, no id.
    #[error(transparent)]
    NoChance(#[from] NoChance),
}

impl Grants {
    /// Begins a grant of `person` to `client`, until `expires` at the latest; unless it `outlives` its session, until
    /// that ends.
    pub(super) async fn allow(
        &self,
        client: ClientId,
        person: Person,
        (session, outlives): ([u8; 32], bool),
        expires: Timestamp,
    ) -> Result<GrantId, GrantError> {
        let mut row = GrantRow {
            id: GrantId::random(&*self.chance)?,
            client,
            person: self.tag(person),
            session,
            outlives,
            expires,
            seal: Vec::new(),
        };
        row.seal = self.mac.mac(&parts(&row, &limits(&row))).to_vec();
        self.store.begin_grant(&row, self.clock.now()).await?;
        Ok(row.id)
    }

    /// Whether `grant` stands for `client`, and the client itself stands in the register.
    pub(super) async fn stands(&self, grant: GrantId, client: ClientId) -> Result<bool, DbError> {
        let Some(row) = self.store.grant(grant).await? else { return Ok(false) };
        if self.mac.verify(&parts(&row, &limits(&row)), &row.seal).is_err() {
            tracing::error!(target: "garant::security", "a grant's row was altered");
            return Ok(false);
        }
        if row.client != client || self.clock.now() >= row.expires {
            return Ok(false);
        }
        let Some(enrolled) = self.store.party(client.as_bytes()).await? else { return Ok(false) };
        let Ok(enrolled) = self.register.check(&enrolled) else { return Ok(false) };
        let Ok(enrolled) = enrolled.client() else { return Ok(false) };
        let Some(place) = self.store.party(enrolled.organisation.as_bytes()).await? else { return Ok(false) };
        Ok(enrolled.active && self.register.check(&place).is_ok_and(|place| place.active()))
    }

    /// Ends a grant: no token of it is taken from now on, on any node.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn end(&self, grant: GrantId) -> Result<(), DbError> {
        self.store.end_grant(grant).await.map(|_| ())
    }

    /// Ends all grants of a person, those that outlive their session too; how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn end_all(&self, person: Person) -> Result<u64, DbError> {
        self.store.end_grants_of(&self.tag(person)).await
    }

    fn tag(&self, person: Person) -> [u8; 32] {
        match person {
            Person::Patient(id) => self.indexer.tag("grant patient", &[id.as_bytes()]),
            Person::Professional(id) => self.indexer.tag("grant professional", &[id.as_bytes()]),
        }
    }
}

/// When it ends, and whether with its session.
fn limits(row: &GrantRow) -> [u8; 9] {
    let mut out = [u8::from(row.outlives); 9];
    out.iter_mut().zip(row.expires.0.to_be_bytes()).for_each(|(to, from)| *to = from);
    out
}

fn parts<'r>(row: &'r GrantRow, limits: &'r [u8; 9]) -> [&'r [u8]; 6] {
    [b"oauth_grant", row.id.as_bytes(), row.client.as_bytes(), &row.person, &row.session, limits]
}
