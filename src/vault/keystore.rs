//! The keystore's tables, as migrations for both engines.

use std::sync::LazyLock;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::db::Migrations;

fn migrator(keystore: &'static str) -> Migrator {
    Migrator::with_migrations(vec![Migration::new(
        1,
        "keystore".into(),
        MigrationType::Simple,
        keystore.into_sql_str(),
        false,
    )])
}

static SQLITE: LazyLock<Migrator> =
    LazyLock::new(|| migrator(include_str!("../../migrations/keystore/sqlite/0001_keystore.sql")));
static POSTGRES: LazyLock<Migrator> =
    LazyLock::new(|| migrator(include_str!("../../migrations/keystore/postgres/0001_keystore.sql")));

/// The migrations of the keystore, a database of its own: its backups and its residue follow other rules than the
/// data's (security K9, K25).
#[must_use]
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}
