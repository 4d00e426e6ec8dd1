//! The one file through which either engine is asked.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Arguments as _, PgPool, Postgres, Row as _, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::near::Near;
use super::pen::{Desk, Pen};
use super::{Arg, Batch, DbError, Holds, Location, Migration, Settings, check};

pub(super) const WAIT: Duration = Duration::from_secs(5);

/// An open database. Clones share it.
#[derive(Clone, Debug)]
pub struct Db {
    reading: Reading,
    writing: Writing,
    /// Writers of this process in the order they came. SQLite has one write lock and gives it to whoever looks at
    /// the right moment: under a flood of others a revocation would starve.
    line: Arc<Mutex<()>>,
}

#[derive(Clone, Debug)]
enum Writing {
    /// The desk writes; the pool is for migrations and for emptying the write-ahead log.
    Sqlite(Arc<Desk>, SqlitePool),
    Postgres(PgPool),
}

#[derive(Clone, Debug)]
enum Reading {
    Near(Arc<Near>),
    Pooled(Pools),
}

#[derive(Clone, Debug)]
enum Pools {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

#[derive(Debug)]
enum Held {
    Sqlite(Pen),
    Postgres(PoolConnection<Postgres>),
}

/// One row of an answer; columns are asked for by place and kind.
#[derive(Debug)]
pub enum Row<'r> {
    /// From SQLite.
    #[doc(hidden)]
    Sqlite(&'r SqliteRow, &'static str),
    /// From SQLite, on the calling thread.
    #[doc(hidden)]
    Near(&'r rusqlite::Row<'r>, &'static str),
    /// From PostgreSQL.
    #[doc(hidden)]
    Postgres(&'r PgRow, &'static str),
}

macro_rules! column {
    ($self:ident, $at:ident, $kind:ty, $near:ident) => {
        match $self {
            Row::Near(row, table) => {
                row.get_ref($at).ok().and_then(|value| value.$near().ok()).ok_or(DbError::Column { table, column: $at })
            }
            Row::Sqlite(row, table) => row.try_get::<$kind, _>($at).map_err(|_| DbError::Column { table, column: $at }),
            Row::Postgres(row, table) => {
                row.try_get::<$kind, _>($at).map_err(|_| DbError::Column { table, column: $at })
            }
        }
    };
}

impl Row<'_> {
    /// The integer in column `at`.
    pub fn int(&self, at: usize) -> Result<i64, DbError> {
        column!(self, at, i64, as_i64)
    }

    /// The text in column `at`.
    pub fn text(&self, at: usize) -> Result<&str, DbError> {
        column!(self, at, &str, as_str)
    }

    /// The bytes in column `at`.
    pub fn bytes(&self, at: usize) -> Result<&[u8], DbError> {
        column!(self, at, &[u8], as_blob)
    }

    /// The bytes in column `at`, or `None` where it is NULL.
    pub fn maybe_bytes(&self, at: usize) -> Result<Option<&[u8]>, DbError> {
        column!(self, at, Option<&[u8]>, as_blob_or_null)
    }

    /// The bytes in column `at` as an array of exactly `N`.
    pub fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], DbError> {
        self.bytes(at)?.try_into().map_err(|_| self.unreadable(at))
    }

    /// The error for a column that holds something else than its table promises.
    #[must_use]
    pub const fn unreadable(&self, at: usize) -> DbError {
        match self {
            Row::Sqlite(_, table) | Row::Near(_, table) | Row::Postgres(_, table) => {
                DbError::Column { table, column: at }
            }
        }
    }
}

/// Whether the connection itself is gone, rather than its database without an answer.
fn is_broken(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(inner) = error {
        return matches!(inner.code().as_deref(), Some("57P01" | "57P02" | "57P05"));
    }
    matches!(error, sqlx::Error::Io(_))
}

pub(super) fn classify(error: sqlx::Error) -> DbError {
    if let sqlx::Error::Database(inner) = &error {
        let code = inner.code().unwrap_or_default().into_owned();
        // SQLite: 13 SQLITE_FULL, 10 SQLITE_IOERR family (n & 255), 5 BUSY, 6 LOCKED. PostgreSQL: SQLSTATE classes.
        let primary = code.parse::<u32>().ok().filter(|_| code.len() < 5).map(|n| n & 255);
        return match (primary, code.get(..2)) {
            _ if inner.is_unique_violation() => DbError::Taken,
            (Some(13), _) | (None, Some("53")) => DbError::Full(Box::new(error)),
            (Some(5 | 6 | 8 | 10 | 14), _) | (None, Some("08" | "57" | "58" | "40" | "25")) => {
                DbError::Unavailable(Box::new(error))
            }
            _ => DbError::Refused(Box::new(error)),
        };
    }
    DbError::Unavailable(Box::new(error))
}

macro_rules! bind {
    ($arguments:ty, $args:expr) => {{
        let mut bound = <$arguments>::default();
        for arg in $args {
            match arg {
                Arg::Int(n) => bound.add(*n),
                Arg::Text(t) => bound.add(t.as_ref()),
                Arg::Bytes(b) => bound.add(b.as_ref()),
                Arg::NoBytes => bound.add(None::<&[u8]>),
            }
            .map_err(|e| DbError::Refused(Box::new(sqlx::Error::Encode(e))))?;
        }
        bound
    }};
}

#[expect(clippy::disallowed_methods, reason = "this file is the one that runs SQL")]
impl Db {
    /// Opens a database, refuses an unsafe one, and applies its migrations.
    ///
    /// # Errors
    /// [`DbError::Missing`], [`DbError::Unsafe`] with the setting to change, [`DbError::Migration`].
    pub async fn open(settings: &Settings, migrations: &[Migration]) -> Result<Self, DbError> {
        match &settings.location {
            Location::File(path) => Self::open_sqlite(settings, path, migrations).await,
            Location::Url(url) => Self::open_postgres(settings, url, migrations).await,
        }
    }

    async fn open_sqlite(settings: &Settings, path: &Path, migrations: &[Migration]) -> Result<Self, DbError> {
        if !settings.create && !path.exists() {
            return Err(DbError::Missing(path.to_owned()));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(settings.create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT)
            .statement_cache_capacity(512)
            .pragma("secure_delete", if settings.holds == Holds::Keys { "ON" } else { "OFF" })
            .pragma("temp_store", "MEMORY");
        let writing = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(classify)?;
        check::sqlite(&writing).await?;
        check::migrate_sqlite(&writing, path, migrations).await?;
        let reading = Reading::Near(Arc::new(Near::open(path, settings.readers)?));
        let desk = Desk::new(path.to_owned(), settings.holds)?;
        Ok(Self { reading, writing: Writing::Sqlite(desk, writing), line: Arc::default() })
    }

    async fn open_postgres(settings: &Settings, url: &str, migrations: &[Migration]) -> Result<Self, DbError> {
        let options: PgConnectOptions =
            url.parse().map_err(|_| DbError::Unsafe("the PostgreSQL URL cannot be read".to_owned()))?;
        let options = options.application_name("garant").statement_cache_capacity(512).options([
            ("idle_in_transaction_session_timeout", "5s"),
            ("lock_timeout", "5s"),
            ("timezone", "UTC"),
            // The pool undoes on release; that there was nothing to undo is the usual case.
            ("client_min_messages", "error"),
        ]);
        let writing = PgPoolOptions::new()
            .max_connections(3)
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .after_release(|held, _| Box::pin(async move { sqlx::query("ROLLBACK").execute(held).await.map(|_| true) }))
            .connect_with(options.clone())
            .await
            .map_err(classify)?;
        check::postgres(&writing).await?;
        check::migrator(migrations, |m| m.postgres).run(&writing).await.map_err(|e| DbError::Migration(Box::new(e)))?;
        let reading = PgPoolOptions::new()
            .max_connections(settings.readers.max(1))
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .connect_with(options.options([("default_transaction_read_only", "on")]))
            .await
            .map_err(classify)?;
        Ok(Self {
            reading: Reading::Pooled(Pools::Postgres(reading)),
            writing: Writing::Postgres(writing),
            line: Arc::default(),
        })
    }

    /// The same database read through sqlx's pool whatever the engine, `readers` connections: the floor that
    /// benchmarks hold a release against.
    pub async fn pooled(&self, settings: &Settings) -> Result<Self, DbError> {
        let Location::File(path) = &settings.location else { return Ok(self.clone()) };
        let reading = SqlitePoolOptions::new()
            .max_connections(settings.readers.max(1))
            .acquire_timeout(WAIT)
            .test_before_acquire(false)
            .connect_with(SqliteConnectOptions::new().filename(path).busy_timeout(WAIT).pragma("query_only", "ON"))
            .await
            .map_err(classify)?;
        Ok(Self { reading: Reading::Pooled(Pools::Sqlite(reading)), ..self.clone() })
    }

    /// Reads all rows of `sql`. `table` names it in errors.
    pub async fn all<T>(
        &self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        match &self.reading {
            Reading::Near(near) => near.all(table, sql, args, read),
            Reading::Pooled(Pools::Sqlite(pool)) => {
                let bound = bind!(SqliteArguments, args);
                let rows = sqlx::query_with(sql, bound).fetch_all(pool).await.map_err(classify)?;
                rows.iter().map(|row| read(&Row::Sqlite(row, table))).collect()
            }
            Reading::Pooled(Pools::Postgres(pool)) => {
                let mut left = pool.options().get_max_connections();
                loop {
                    let bound = bind!(PgArguments, args);
                    match sqlx::query_with(sql, bound).fetch_all(pool).await {
                        Ok(rows) => return rows.iter().map(|row| read(&Row::Postgres(row, table))).collect(),
                        // The server was restarted under an idle connection: reading may be tried on the next one.
                        Err(error) if left > 0 && is_broken(&error) => left -= 1,
                        Err(error) => return Err(classify(error)),
                    }
                }
            }
        }
    }

    /// Reads the one row of `sql`, or `None`.
    pub async fn maybe<T>(
        &self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        Ok(self.all(table, sql, args, read).await?.into_iter().next())
    }

    /// Reads the rows of a batch statement over `rows`.
    pub async fn all_rows<T>(
        &self,
        table: &'static str,
        batch: &Batch,
        rows: &[Vec<Arg<'_>>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let mut out = Vec::new();
        for (sql, args) in batch.statements(rows) {
            out.extend(self.all(table, sql, &args, &read).await?);
        }
        Ok(out)
    }

    /// A connection for writing. Take it only inside a task that nobody can cancel.
    pub async fn writer(&self) -> Result<Writer, DbError> {
        Ok(Writer { held: self.hold().await?, db: self.clone(), open: false, place: None })
    }

    async fn hold(&self) -> Result<Held, DbError> {
        match &self.writing {
            Writing::Sqlite(desk, _) => desk.pen().await.map(Held::Sqlite),
            Writing::Postgres(pool) => pool.acquire().await.map(Held::Postgres).map_err(classify),
        }
    }

    /// Runs statements in one transaction, in a task of its own that the caller's end does not cancel.
    ///
    /// Gives the number of rows each statement touched; all are undone when one fails.
    pub async fn transact(
        &self,
        name: &'static str,
        statements: Vec<(&'static str, Vec<Arg<'static>>)>,
    ) -> Result<Vec<u64>, DbError> {
        let db = self.clone();
        tokio::spawn(async move {
            let mut writer = db.writer().await?;
            let mut turn = writer.begin(name).await?;
            let mut touched = Vec::with_capacity(statements.len());
            for (sql, args) in &statements {
                touched.push(turn.run(sql, args).await?);
            }
            turn.commit().await?;
            Ok(touched)
        })
        .await
        .unwrap_or_else(|_| Err(DbError::Unavailable(Box::new(sqlx::Error::WorkerCrashed))))
    }

    /// Overwrites what deletion left behind where the engine allows it: empties SQLite's write-ahead log.
    ///
    /// On PostgreSQL the write-ahead log keeps old bytes until it is recycled; SECURITY.md states that window.
    pub async fn scrub(&self) -> Result<(), DbError> {
        match &self.writing {
            Writing::Sqlite(_, pool) => {
                let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(pool).await.map_err(classify)?;
                // The first column tells that a reader was in the way: old bytes are then still there.
                match row.try_get::<i64, _>(0) {
                    Ok(0) => Ok(()),
                    Ok(_) | Err(_) => Err(DbError::Unavailable(Box::new(sqlx::Error::PoolTimedOut))),
                }
            }
            Writing::Postgres(_) => Ok(()),
        }
    }

    /// `SQLite` or `PostgreSQL`, for people.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match &self.writing {
            Writing::Sqlite(..) => "SQLite",
            Writing::Postgres(_) => "PostgreSQL",
        }
    }

    /// Ends all connections; statements after this fail.
    pub async fn close(&self) {
        match &self.reading {
            Reading::Near(near) => near.close(),
            Reading::Pooled(pools) => pools.close().await,
        }
        match &self.writing {
            Writing::Sqlite(desk, pool) => {
                desk.close();
                pool.close().await;
            }
            Writing::Postgres(pool) => pool.close().await,
        }
    }
}

impl Pools {
    async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A connection held for writing.
#[derive(Debug)]
pub struct Writer {
    held: Held,
    db: Db,
    open: bool,
    /// Its place at the head of the line, on SQLite.
    place: Option<OwnedMutexGuard<()>>,
}

#[expect(clippy::disallowed_methods, reason = "this file is the one that runs SQL")]
impl Writer {
    /// Begins a transaction that sees every commit before it. `name` goes to the metrics.
    pub async fn begin(&mut self, name: &'static str) -> Result<Turn<'_>, DbError> {
        // Beginning changes nothing, so it may be tried again on a fresh connection (the server may have restarted).
        const TRIES: usize = 4;
        let mut last = None;
        for _ in 0..TRIES {
            match self.try_begin(name).await {
                Ok(()) => return Ok(Turn { writer: self }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| DbError::Unavailable(Box::new(sqlx::Error::PoolTimedOut))))
    }

    fn closed(&mut self) {
        self.open = false;
        self.place = None;
    }

    async fn try_begin(&mut self, name: &'static str) -> Result<(), DbError> {
        if self.open {
            // An earlier turn ended without commit: its connection is thrown away, not trusted.
            let fresh = self.db.hold().await?;
            match std::mem::replace(&mut self.held, fresh) {
                Held::Sqlite(old) => old.discard(),
                Held::Postgres(old) => drop(old.detach()),
            }
        }
        if matches!(self.held, Held::Sqlite(_)) && self.place.is_none() {
            // As long as SQLite itself would be waited for, and no longer.
            let turn = tokio::time::timeout(WAIT, Arc::clone(&self.db.line).lock_owned());
            let turn = turn.await.map_err(|_| DbError::Unavailable(Box::new(sqlx::Error::PoolTimedOut)))?;
            self.place = Some(turn);
        }
        self.open = true;
        tracing::trace!(transaction = name, "begin");
        match &mut self.held {
            Held::Sqlite(pen) => pen.begin().await,
            Held::Postgres(held) => sqlx::query("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
                .execute(&mut **held)
                .await
                .map(|_| ())
                .map_err(classify),
        }
    }
}

/// An open transaction; dropped without [`Turn::commit`] it is undone.
#[derive(Debug)]
pub struct Turn<'w> {
    writer: &'w mut Writer,
}

#[expect(clippy::disallowed_methods, reason = "this file is the one that runs SQL")]
impl Turn<'_> {
    /// Runs a statement and tells how many rows it touched.
    pub async fn run(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, DbError> {
        match &mut self.writer.held {
            Held::Sqlite(pen) => pen.run(sql, args),
            Held::Postgres(held) => {
                let bound = bind!(PgArguments, args);
                let done = sqlx::query_with(sql, bound).execute(&mut **held).await.map_err(classify)?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Runs a batch statement over `rows` (each with the batch's number of values).
    pub async fn run_rows(&mut self, batch: &Batch, rows: &[Vec<Arg<'_>>]) -> Result<(), DbError> {
        for (sql, args) in batch.statements(rows) {
            self.run(sql, &args).await?;
        }
        Ok(())
    }

    /// Reads the rows of a batch statement over `rows`.
    pub async fn all_rows<T>(
        &mut self,
        table: &'static str,
        batch: &Batch,
        rows: &[Vec<Arg<'_>>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let mut out = Vec::new();
        for (sql, args) in batch.statements(rows) {
            out.extend(self.all(table, sql, &args, &read).await?);
        }
        Ok(out)
    }

    /// Reads all rows of `sql` as this transaction sees them.
    pub async fn all<T>(
        &mut self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        match &mut self.writer.held {
            Held::Sqlite(pen) => pen.all(table, sql, args, read),
            Held::Postgres(held) => {
                let bound = bind!(PgArguments, args);
                let rows = sqlx::query_with(sql, bound).fetch_all(&mut **held).await.map_err(classify)?;
                rows.iter().map(|row| read(&Row::Postgres(row, table))).collect()
            }
        }
    }

    /// Reads the one row of `sql`, or `None`.
    pub async fn maybe<T>(
        &mut self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        Ok(self.all(table, sql, args, read).await?.into_iter().next())
    }

    /// Undoes it now, so that others need not wait until this connection is used again.
    pub async fn undo(self) -> Result<(), DbError> {
        match &mut self.writer.held {
            Held::Sqlite(pen) => pen.undo()?,
            Held::Postgres(held) => {
                sqlx::query("ROLLBACK").execute(&mut **held).await.map_err(classify)?;
            }
        }
        self.writer.closed();
        Ok(())
    }

    /// Makes it durable. When this fails the outcome is unknown and must be treated as "not done".
    pub async fn commit(self) -> Result<(), DbError> {
        match &mut self.writer.held {
            Held::Sqlite(pen) => pen.commit()?,
            Held::Postgres(held) => {
                sqlx::query("COMMIT").execute(&mut **held).await.map_err(classify)?;
            }
        }
        self.writer.closed();
        Ok(())
    }
}
