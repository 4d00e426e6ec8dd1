//! Writing SQLite on the calling thread.
//!
//! A turn of the log is some ten statements of a few microseconds each; handing each to another thread costs more
//! than all of them. Only the commit, which waits for the disk, lets the other tasks of this thread go on elsewhere.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, OpenFlags};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::engine::Row;
use super::near::{self, bind, classify};
use super::{Arg, DbError, Holds, WAIT};

/// Connections for writing at most: the log's own, and some for small transactions beside it.
const MOST: usize = 3;

/// Where the connections that write are kept.
pub(super) struct Desk {
    path: PathBuf,
    holds: Holds,
    free: Mutex<Vec<Connection>>,
    room: Arc<Semaphore>,
}

/// One of them, held; given back when dropped, unless a transaction is open, which closing it undoes.
pub(super) struct Pen {
    connection: Option<Connection>,
    desk: Arc<Desk>,
    _place: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl std::fmt::Debug for Pen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pen")
    }
}

impl Desk {
    /// A desk for the file at `path`, which is made if it is missing; the first connection is opened, and checked, at
    /// once.
    pub(super) fn new(path: PathBuf, holds: Holds) -> Result<Arc<Self>, DbError> {
        let new = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let made = Connection::open_with_flags(&path, new).map_err(classify)?;
        made.busy_timeout(WAIT).map_err(classify)?;
        made.pragma_update(None, "journal_mode", "WAL").map_err(classify)?;
        drop(made);
        let desk = Self { path, holds, free: Mutex::default(), room: Arc::new(Semaphore::new(MOST)) };
        let first = desk.open()?;
        desk.free().push(first);
        Ok(Arc::new(desk))
    }

    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<Connection, DbError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(classify)?;
        let secure = if self.holds == Holds::Keys { "ON" } else { "OFF" };
        let settings =
            [("synchronous", "FULL"), ("foreign_keys", "ON"), ("secure_delete", secure), ("temp_store", "MEMORY")];
        for (name, value) in settings {
            connection.pragma_update(None, name, value).map_err(classify)?;
        }
        let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |r| r.get(0)).map_err(classify)?;
        let journal: String = connection.pragma_query_value(None, "journal_mode", |r| r.get(0)).map_err(classify)?;
        if synchronous < 2 || journal != "wal" {
            return Err(DbError::Unsafe("SQLite keeps no write-ahead log, or does not flush it".to_owned()));
        }
        // Whoever finds the lock taken waits as a task, not as a thread: see `begin`.
        connection.busy_timeout(Duration::ZERO).map_err(classify)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    }

    /// Takes a connection; waits for one, but not for ever.
    pub(super) async fn pen(self: &Arc<Self>) -> Result<Pen, DbError> {
        let place = tokio::time::timeout(WAIT, Arc::clone(&self.room).acquire_owned()).await;
        let place = place.map_err(|_| DbError::late())?.map_err(|_| DbError::closed())?;
        let kept = self.free().pop();
        let connection = kept.map_or_else(|| self.open(), Ok)?;
        Ok(Pen { connection: Some(connection), desk: Arc::clone(self), _place: place })
    }

    /// Ends all connections that nobody holds; those held end when they are given back.
    pub(super) fn close(&self) {
        self.room.close();
        self.free().clear();
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.is_autocommit()
            && !self.desk.room.is_closed()
        {
            self.desk.free().push(connection);
        }
    }
}

impl Pen {
    fn connection(&self) -> Result<&Connection, DbError> {
        self.connection.as_ref().ok_or_else(DbError::closed)
    }

    /// Closes the connection instead of giving it back.
    pub(super) fn discard(mut self) {
        drop(self.connection.take());
    }

    /// Takes the write lock; waits while another has it, but not for ever.
    pub(super) async fn begin(&mut self) -> Result<(), DbError> {
        let (mut pause, mut waited) = (Duration::from_millis(1), Duration::ZERO);
        while !self.took_lock()? {
            if waited >= WAIT {
                return Err(DbError::late());
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        Ok(())
    }

    fn took_lock(&self) -> Result<bool, DbError> {
        // IMMEDIATE takes the write lock now; a deferred one could fail half-way.
        match self.connection()?.execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => Ok(true),
            Err(error) if near::is_busy(&error) => Ok(false),
            Err(error) => Err(classify(error)),
        }
    }

    /// Runs a statement and tells how many rows it touched.
    pub(super) fn run(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, DbError> {
        let touched = self.prepared(sql, args)?.raw_execute().map_err(classify)?;
        Ok(touched as u64)
    }

    /// Reads all rows of `sql` as the open transaction sees them.
    pub(super) fn all<T>(
        &self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let mut statement = self.prepared(sql, args)?;
        near::rows(&mut statement, table, read)
    }

    fn prepared(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<CachedStatement<'_>, DbError> {
        let mut statement = self.connection()?.prepare_cached(sql).map_err(classify)?;
        bind(&mut statement, args)?;
        Ok(statement)
    }

    /// Runs a script of statements without values.
    pub(super) fn script(&self, sql: &str) -> Result<(), DbError> {
        self.connection()?.execute_batch(sql).map_err(classify)
    }

    /// Undoes all of it.
    pub(super) fn undo(&self) -> Result<(), DbError> {
        self.connection()?.execute_batch("ROLLBACK").map_err(classify)
    }

    /// Makes it durable.
    pub(super) fn commit(&self) -> Result<(), DbError> {
        let connection = self.connection()?;
        slowly(|| connection.execute_batch("COMMIT").map_err(classify))
    }

    /// Empties the write-ahead log, which still holds the old bytes of what was overwritten.
    pub(super) fn scrub(&self) -> Result<(), DbError> {
        let connection = self.connection()?;
        let truncate = || {
            connection.busy_timeout(WAIT)?;
            let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            connection.busy_timeout(Duration::ZERO)?;
            Ok(busy)
        };
        // A reader in the way: the old bytes are then still there.
        if slowly(truncate).map_err(classify)? == 0 { Ok(()) } else { Err(DbError::late()) }
    }
}

/// Runs what waits for the disk, so that the other tasks of this thread go on elsewhere meanwhile.
fn slowly<T>(waits: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(waits),
        Ok(_) | Err(_) => waits(),
    }
}

/// Refuses an SQLite library that cannot keep the promises.
pub(super) fn check() -> Result<(), DbError> {
    // Versions 3.7.0 to 3.51.2 can corrupt a write-ahead log under two connections (security.md §0).
    const OLDEST: i32 = 3_051_003;
    if rusqlite::version_number() < OLDEST {
        let version = rusqlite::version();
        return Err(DbError::Unsafe(format!(
            "SQLite {version} can corrupt a write-ahead log under two connections; 3.51.3 or later is needed"
        )));
    }
    Ok(())
}
