//! What a database must be before anything is kept in it, on either engine.

use std::path::Path;

use sqlx::migrate::{MigrationType, Migrator};
use sqlx::{AssertSqlSafe, PgPool, SqlSafeStr as _, SqlitePool};

use super::engine::classify;
use super::{DbError, Migration};

/// The oldest SQLite without the write-ahead-log reset fault (security.md §0: 3.7.0 to 3.51.2 are affected).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

#[expect(clippy::disallowed_methods, reason = "what is asked here is asked before the tables exist")]
pub(super) async fn sqlite(pool: &SqlitePool) -> Result<(), DbError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await.map_err(classify)?;
    let mut parts = version.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < OLDEST_SQLITE {
        return Err(DbError::Unsafe(format!(
            "SQLite {version} can corrupt a write-ahead log under two connections; 3.51.3 or later is needed"
        )));
    }
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await.map_err(classify)?;
    if synchronous < 2 {
        return Err(DbError::Unsafe("PRAGMA synchronous is below FULL: a commit would not be durable".to_owned()));
    }
    Ok(())
}

pub(super) fn migrator(migrations: &[Migration], of: fn(&Migration) -> &'static str) -> Migrator {
    let one = |m: &Migration| {
        let kind = MigrationType::Simple;
        sqlx::migrate::Migration::new(m.number, m.name.into(), kind, of(m).into_sql_str(), false)
    };
    Migrator::with_migrations(migrations.iter().map(one).collect())
}

pub(super) async fn migrate_sqlite(pool: &SqlitePool, path: &Path, migrations: &[Migration]) -> Result<(), DbError> {
    // The SQLite migrator takes no lock of its own: two processes would race (dependencies.md §1).
    let unlocked = |e| DbError::Unavailable(Box::new(sqlx::Error::Io(e)));
    let lock = std::fs::File::create(path.with_extension("lock")).map_err(unlocked)?;
    lock.lock().map_err(unlocked)?;
    migrator(migrations, |m| m.sqlite).run(pool).await.map_err(|e| DbError::Migration(Box::new(e)))
}

#[expect(clippy::disallowed_methods, reason = "what is asked here is asked before the tables exist")]
pub(super) async fn postgres(pool: &PgPool) -> Result<(), DbError> {
    for (setting, wanted) in [("fsync", "on"), ("full_page_writes", "on"), ("transaction_read_only", "off")] {
        let sql = AssertSqlSafe(format!("SHOW {setting}"));
        let found: String = sqlx::query_scalar(sql).fetch_one(pool).await.map_err(classify)?;
        if found != wanted {
            return Err(DbError::Unsafe(format!("PostgreSQL has {setting} = {found}; it must be {wanted}")));
        }
    }
    let commit: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(pool).await.map_err(classify)?;
    if commit == "off" {
        return Err(DbError::Unsafe(
            "PostgreSQL has synchronous_commit = off; a commit would not be durable".to_owned(),
        ));
    }
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(pool)
        .await
        .map_err(classify)?;
    if version < 150_000 {
        return Err(DbError::Unsafe("PostgreSQL 15 or later is needed".to_owned()));
    }
    let replica: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(pool).await.map_err(classify)?;
    if replica {
        // A replica may show a consent that the primary has already revoked (security.md, Jepsen Long Fork).
        return Err(DbError::Unsafe("this PostgreSQL is a replica; consent is checked on the primary only".to_owned()));
    }
    Ok(())
}
