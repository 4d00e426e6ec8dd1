//! What is kept, as ciphertext.
//!
//! Lives here: the tables and every statement over them: [`gather`] reads what a decision needs in one
//! round trip, [`turn`] writes what a deed records, [`rows`] says what comes back.
//! May touch: `db`, `model`, the ground.
//! Must never: see plaintext, decide, know HTTP.
//!
//! Every hot statement names the patient first, so that a distributed PostgreSQL can shard by patient.

pub mod accounts;
pub mod consents;
pub mod gather;
pub mod log;
pub mod oauth;
pub mod registry;
pub mod rows;
pub mod sessions;
pub mod turn;
mod versions;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use crate::db::{Db, DbError, Migration, Settings};

/// The store's tables.
const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "store",
    sqlite: include_str!("../../migrations/store/sqlite/0001_store.sql"),
    postgres: include_str!("../../migrations/store/postgres/0001_store.sql"),
}];

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    /// When what was used up was last swept, µs.
    swept: Arc<AtomicI64>,
}

impl Store {
    /// Opens the store and brings its tables up to date.
    ///
    /// # Errors
    /// See [`Db::open`].
    pub async fn open(settings: &Settings) -> Result<Self, DbError> {
        Ok(Self { db: Db::open(settings, MIGRATIONS).await?, swept: Arc::default() })
    }

    /// The engine's name, for people.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        self.db.engine()
    }

    /// The database below, for the turn and for maintenance.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }
}
