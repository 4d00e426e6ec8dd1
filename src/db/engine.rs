//! The one file through which either engine is asked.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::near::Near;
use super::pen::{self, Desk, Pen};
use super::server::{self, Quill, Readers, Server, Writers};
use super::{Arg, Batch, DbError, Location, Migration, Settings, WAIT, migrate};

/// An open database. Clones share it.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Engine,
    /// Writers of this process in the order they came. SQLite has one write lock and gives it to whoever looks at
    /// the right moment: under a flood of others a revocation would starve.
    line: Arc<Mutex<()>>,
}

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(Arc<Near>, Arc<Desk>),
    Postgres(Arc<Readers>, Arc<Writers>),
}

#[derive(Debug)]
enum Held {
    Sqlite(Pen),
    Postgres(Quill),
}

/// One row of an answer; columns are asked for by place and kind.
#[derive(Debug)]
pub enum Row<'r> {
    /// From SQLite.
    #[doc(hidden)]
    Sqlite(&'r rusqlite::Row<'r>, &'static str),
    /// From PostgreSQL.
    #[doc(hidden)]
    Postgres(&'r tokio_postgres::Row, &'static str),
}

macro_rules! column {
    ($self:ident, $at:ident, $kind:ty, $near:ident) => {
        match $self {
            Row::Sqlite(row, table) => {
                row.get_ref($at).ok().and_then(|value| value.$near().ok()).ok_or(DbError::Column { table, column: $at })
            }
            Row::Postgres(row, table) => {
                row.try_get::<_, $kind>($at).map_err(|_| DbError::Column { table, column: $at })
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
            Row::Sqlite(_, table) | Row::Postgres(_, table) => DbError::Column { table, column: at },
        }
    }
}

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
        pen::check()?;
        let desk = Desk::new(path.to_owned(), settings.holds)?;
        let near = Arc::new(Near::open(path, settings.readers)?);
        let db = Self { engine: Engine::Sqlite(near, desk), line: Arc::default() };
        migrate::migrate(&db, migrations).await?;
        Ok(db)
    }

    async fn open_postgres(settings: &Settings, url: &str, migrations: &[Migration]) -> Result<Self, DbError> {
        let server = Server::at(url)?;
        server::check(&server).await?;
        let (readers, writers) = (Readers::of(&server, settings.readers), Writers::of(&server));
        let db = Self { engine: Engine::Postgres(Arc::new(readers), writers), line: Arc::default() };
        migrate::migrate(&db, migrations).await?;
        Ok(db)
    }

    /// Reads all rows of `sql`. `table` names it in errors.
    pub async fn all<T>(
        &self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        match &self.engine {
            Engine::Sqlite(near, _) => near.all(table, sql, args, read),
            Engine::Postgres(readers, _) => readers.all(table, sql, args, read).await,
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
        match &self.engine {
            Engine::Sqlite(_, desk) => desk.pen().await.map(Held::Sqlite),
            Engine::Postgres(_, writers) => writers.take().await.map(Held::Postgres),
        }
    }

    /// Runs statements in one transaction, in a task of its own that the caller's end does not cancel.
    ///
    /// Gives the number of rows each statement touched; all are undone when one fails.
    #[expect(clippy::disallowed_methods, reason = "the caller waits for its end")]
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
        .unwrap_or_else(|gone| Err(DbError::Unavailable(gone.into())))
    }

    /// Overwrites what deletion left behind where the engine allows it: empties SQLite's write-ahead log.
    ///
    /// On PostgreSQL the write-ahead log keeps old bytes until it is recycled; SECURITY.md states that window.
    pub async fn scrub(&self) -> Result<(), DbError> {
        match &self.engine {
            Engine::Sqlite(_, desk) => desk.pen().await?.scrub(),
            Engine::Postgres(..) => Ok(()),
        }
    }

    /// `SQLite` or `PostgreSQL`, for people.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite(..) => "SQLite",
            Engine::Postgres(..) => "PostgreSQL",
        }
    }

    pub(super) const fn is_postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres(..))
    }

    /// Ends all connections; statements after this fail.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(near, desk) => {
                near.close();
                desk.close();
            }
            Engine::Postgres(readers, writers) => {
                readers.close().await;
                writers.close();
            }
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

/// Beginning changes nothing, so it may be tried again on a fresh connection (the server may have restarted).
const TRIES: usize = 4;

impl Writer {
    /// Begins a transaction that sees every commit before it. `name` goes to the metrics.
    pub async fn begin(&mut self, name: &'static str) -> Result<Turn<'_>, DbError> {
        let nothing = |_: &Row<'_>| Ok(());
        self.begin_with(name, ("", "SELECT 1", &[]), nothing).await.map(|(turn, _)| turn)
    }

    /// Begins a transaction and reads the rows of its first statement (table, text, values), on one way there and back.
    pub async fn begin_with<T>(
        &mut self,
        name: &'static str,
        (table, sql, args): (&'static str, &'static str, &[Arg<'_>]),
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<(Turn<'_>, Vec<T>), DbError> {
        tracing::trace!(transaction = name, "begin");
        let mut last = DbError::late();
        for _ in 0..TRIES {
            let begun = match self.try_begin().await {
                Ok(()) => Turn { writer: self }.all(table, sql, args, &read).await,
                Err(error) => Err(error),
            };
            match begun {
                Ok(rows) => return Ok((Turn { writer: self }, rows)),
                Err(error @ DbError::Unavailable(_)) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn closed(&mut self) {
        self.open = false;
        self.place = None;
    }

    async fn try_begin(&mut self) -> Result<(), DbError> {
        if self.open {
            // An earlier turn ended without commit: its connection is thrown away, not trusted.
            let fresh = self.db.hold().await?;
            match std::mem::replace(&mut self.held, fresh) {
                Held::Sqlite(old) => old.discard(),
                Held::Postgres(old) => drop(old),
            }
        }
        if matches!(self.held, Held::Sqlite(_)) && self.place.is_none() {
            // As long as SQLite itself would be waited for, and no longer.
            let turn = tokio::time::timeout(WAIT, Arc::clone(&self.db.line).lock_owned());
            self.place = Some(turn.await.map_err(|_| DbError::late())?);
        }
        self.open = true;
        match &mut self.held {
            Held::Sqlite(pen) => pen.begin().await,
            Held::Postgres(quill) => quill.begin().await,
        }
    }
}

/// An open transaction; dropped without [`Turn::commit`] it is undone.
#[derive(Debug)]
pub struct Turn<'w> {
    writer: &'w mut Writer,
}

impl Turn<'_> {
    /// Runs a statement and tells how many rows it touched.
    pub async fn run(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, DbError> {
        match &mut self.writer.held {
            Held::Sqlite(pen) => pen.run(sql, args),
            Held::Postgres(quill) => quill.run(sql, args).await,
        }
    }

    /// Runs a statement whose failure need not be known before the next: a later statement or the commit tells it.
    pub async fn send(&mut self, sql: &'static str, args: Vec<Arg<'static>>) -> Result<(), DbError> {
        match &mut self.writer.held {
            Held::Sqlite(pen) => pen.run(sql, &args).map(drop),
            Held::Postgres(quill) => quill.send(sql, args).await,
        }
    }

    /// Sends a batch statement over `rows`; as with [`Turn::send`].
    pub async fn send_rows(&mut self, batch: &Batch, rows: Vec<Vec<Arg<'static>>>) -> Result<(), DbError> {
        for (sql, args) in batch.owned(rows) {
            self.send(sql, args).await?;
        }
        Ok(())
    }

    /// Runs a script of statements without values.
    pub(super) async fn script(&mut self, sql: &'static str) -> Result<(), DbError> {
        match &mut self.writer.held {
            Held::Sqlite(pen) => pen.script(sql),
            Held::Postgres(quill) => quill.script(sql).await,
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
            Held::Postgres(quill) => quill.all(table, sql, args, read).await,
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
            Held::Postgres(quill) => quill.undo().await?,
        }
        self.writer.closed();
        Ok(())
    }

    /// Makes it durable. When this fails the outcome is unknown and must be treated as "not done".
    pub async fn commit(self) -> Result<(), DbError> {
        match &mut self.writer.held {
            Held::Sqlite(pen) => pen.commit()?,
            Held::Postgres(quill) => quill.commit().await?,
        }
        self.writer.closed();
        Ok(())
    }
}
