//! The keystore's tables: a database of its own, whose backups and residue follow other rules than the data's
//! (security K9, K25).

use crate::db::Migration;

/// The keystore's migrations; open its database with them and `Holds::Keys`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "keystore",
    sqlite: include_str!("../../migrations/keystore/sqlite/0001_keystore.sql"),
    postgres: include_str!("../../migrations/keystore/postgres/0001_keystore.sql"),
}];
