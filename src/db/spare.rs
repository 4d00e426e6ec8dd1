//! Databases of one's own on a PostgreSQL server, for tours and benchmarks.

use super::DbError;
use super::server::Server;

/// A database that was made to be removed again.
#[derive(Clone, Debug)]
pub struct Spare {
    prefix: String,
    name: String,
    url: String,
}

impl Spare {
    /// Makes the database `name` on the server at `prefix`, a URL that ends in a slash.
    ///
    /// # Errors
    /// [`DbError::Unsafe`] for a name that is not lower-case letters, digits and underscores.
    pub async fn make(prefix: &str, name: &str) -> Result<Self, DbError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(DbError::Unsafe("a database's name is made of a-z, 0-9 and _".to_owned()));
        }
        let spare = Self { prefix: prefix.to_owned(), name: name.to_owned(), url: format!("{prefix}{name}") };
        spare.order(format!("CREATE DATABASE {name}")).await?;
        Ok(spare)
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Removes it, whoever is still connected.
    pub async fn remove(self) -> Result<(), DbError> {
        self.order(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await
    }

    async fn order(&self, sql: String) -> Result<(), DbError> {
        let admin = Server::at(&format!("{}postgres", self.prefix))?.connect().await?;
        admin.script(&sql, async { Ok(()) }).await
    }
}

/// Databases for one test: two fresh ones (store, keystore) when the tests are run over PostgreSQL, none over SQLite.
///
/// `GARANT_TEST_ENGINE=postgres` chooses; `GARANT_TEST_POSTGRES` says where.
#[cfg(test)]
pub(crate) async fn databases_for_a_test() -> Option<[String; 2]> {
    use std::sync::atomic::{AtomicU32, Ordering};

    static NUMBER: AtomicU32 = AtomicU32::new(0);
    if std::env::var_os("GARANT_TEST_ENGINE")? != "postgres" {
        return None;
    }
    let prefix =
        std::env::var_os("GARANT_TEST_POSTGRES").expect("GARANT_TEST_POSTGRES says where").into_string().unwrap();
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let make = async |what: &str| {
        let name = format!("garant_unit_{}_{number}_{what}", std::process::id());
        Spare::make(&prefix, &name).await.unwrap().url().to_owned()
    };
    Some([make("store").await, make("keys").await])
}
