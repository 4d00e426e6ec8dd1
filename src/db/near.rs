//! Reading SQLite on the calling thread.
//!
//! A statement of a release takes some ten microseconds. Handing it to another thread, and each of its rows back,
//! costs several times that (docs: performance); nothing here waits for a disk except on pages not yet cached.

use std::path::Path;
use std::sync::{Mutex, PoisonError, TryLockError};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ToSql};

use super::engine::Row;
use super::{Arg, DbError, WAIT};

/// Connections that cannot write, each used by one thread at a time.
pub(super) struct Near {
    connections: Box<[Mutex<Option<Connection>>]>,
}

impl std::fmt::Debug for Near {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Near")
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(n) => ValueRef::Integer(*n),
            Self::Text(t) => ValueRef::Text(t.as_bytes()),
            Self::Bytes(b) => ValueRef::Blob(b),
            Self::NoBytes => ValueRef::Null,
        }))
    }
}

impl Near {
    /// Opens `connections` of them, at least as many as threads may ask at once.
    pub(super) fn open(path: &Path, connections: u32) -> Result<Self, DbError> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let connections = usize::try_from(connections).unwrap_or(1).max(threads);
        let open = |_| open_one(path).map(|c| Mutex::new(Some(c))).map_err(classify);
        Ok(Self { connections: (0..connections).map(open).collect::<Result<_, _>>()? })
    }

    /// Reads all rows of `sql`.
    pub(super) fn all<T>(
        &self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(sql).map_err(classify)?;
            bind(&mut statement, args)?;
            rows(&mut statement, table, read)
        })
    }

    fn with<T>(&self, use_it: impl FnOnce(&Connection) -> Result<T, DbError>) -> Result<T, DbError> {
        // Always in the same order: any commit empties every connection's page cache, so the fewer take turns, the
        // more reads find it filled again. (Mapping the file was no better: it is unmapped at each commit.)
        // A panic while a connection was used undid its statement; there is nothing half-done in a read.
        let free = self.connections.iter().find_map(|c| match c.try_lock() {
            Ok(held) => Some(held),
            Err(TryLockError::Poisoned(held)) => Some(held.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        let held = match free {
            Some(held) => held,
            None => {
                self.connections.first().ok_or_else(DbError::closed)?.lock().unwrap_or_else(PoisonError::into_inner)
            }
        };
        use_it(held.as_ref().ok_or_else(DbError::closed)?)
    }

    /// Ends all connections.
    pub(super) fn close(&self) {
        for connection in &self.connections {
            drop(connection.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

/// Gives each placeholder its value.
pub(super) fn bind(statement: &mut Statement<'_>, args: &[Arg<'_>]) -> Result<(), DbError> {
    for place in 1..=statement.parameter_count() {
        // To SQLite `$2` is a name; its number need not be its place.
        let number = statement.parameter_name(place).and_then(|name| name.strip_prefix('$')?.parse().ok());
        let arg = number.and_then(|n: usize| args.get(n.checked_sub(1)?));
        let arg = arg.ok_or_else(|| refused("a placeholder without a value"))?;
        statement.raw_bind_parameter(place, arg).map_err(classify)?;
    }
    Ok(())
}

/// Reads all rows of a statement whose placeholders have their values.
pub(super) fn rows<T>(
    statement: &mut Statement<'_>,
    table: &'static str,
    read: impl Fn(&Row<'_>) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    let mut rows = statement.raw_query();
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(classify)? {
        out.push(read(&Row::Sqlite(row, table))?);
    }
    Ok(out)
}

fn open_one(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(WAIT)?;
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// Whether another connection holds what is asked for.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn refused(what: &'static str) -> DbError {
    DbError::Refused(what.into())
}

pub(super) fn classify(error: rusqlite::Error) -> DbError {
    // SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE and _ROWID.
    if error.sqlite_error().is_some_and(|e| matches!(e.extended_code, 1555 | 2067 | 2579)) {
        return DbError::Taken;
    }
    let code = error.sqlite_error_code();
    let error = Box::new(error);
    match code {
        Some(ErrorCode::DiskFull) => DbError::Full(error),
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly,
        ) => DbError::Unavailable(error),
        Some(_) | None => DbError::Refused(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("near.db");
        let writer = Connection::open(&path).unwrap();
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        writer
            .execute_batch("CREATE TABLE t (a INTEGER, b TEXT, c BLOB) STRICT; INSERT INTO t VALUES (7, 'x', x'01')")
            .unwrap();
        path
    }

    #[test]
    fn placeholders_take_their_values_by_number_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let near = Near::open(&filled(folder.path()), 1).unwrap();
        let args = [Arg::from("x"), Arg::from(7)];
        let rows = near
            .all("t", "SELECT a, b, c FROM t WHERE a = $2 AND b = $1 AND a = $2", &args, |row| {
                Ok((row.int(0)?, row.text(1)?.to_owned(), row.bytes(2)?.to_vec()))
            })
            .unwrap();
        assert_eq!(rows, [(7, "x".to_owned(), vec![1])]);
        assert!(near.all("t", "SELECT a FROM t WHERE a = $3", &args, |row| row.int(0)).is_err());
    }

    #[test]
    fn a_column_of_another_kind_is_an_error_and_never_a_default() {
        let folder = tempfile::tempdir().unwrap();
        let near = Near::open(&filled(folder.path()), 1).unwrap();
        let read =
            |f: fn(&Row<'_>) -> Result<(), DbError>| near.all("t", "SELECT a, b, c, NULL FROM t", &[], f).is_err();
        assert!(read(|r| r.int(1).map(drop)) && read(|r| r.text(0).map(drop)) && read(|r| r.bytes(1).map(drop)));
        assert!(read(|r| r.bytes(3).map(drop)) && read(|r| r.text(3).map(drop)) && read(|r| r.int(9).map(drop)));
    }

    #[test]
    fn nothing_can_be_written_and_nothing_read_after_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let near = Near::open(&filled(folder.path()), 1).unwrap();
        assert!(near.all("t", "INSERT INTO t VALUES (1, 'y', x'02') RETURNING a", &[], |row| row.int(0)).is_err());
        assert_eq!(near.all("t", "SELECT a FROM t", &[], |row| row.int(0)).unwrap(), [7]);
        near.close();
        assert!(matches!(near.all("t", "SELECT a FROM t", &[], |row| row.int(0)), Err(DbError::Unavailable(_))));
    }
}
