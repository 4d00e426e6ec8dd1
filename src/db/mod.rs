//! Two database engines, one dialect.
//!
//! Lives here: connections, statements and transactions over SQLite and PostgreSQL ([`engine`] brings both together;
//! [`near`] reads and [`pen`] writes SQLite; [`server`] and [`line`] speak to PostgreSQL), multi-row texts ([`batch`]),
//! and what brings either up to date ([`migrate`]).
//! May touch: `rusqlite`, `tokio_postgres`; nothing of the house.
//! Must never: know a table; keep a transaction open for someone who hung up.
//!
//! Readers use connections that cannot write; writers hold a connection of their own inside a task that no
//! client can cancel. A cancelled `BEGIN` on a shared pool loses acknowledged writes (SECURITY.md, "hang-ups").

mod batch;
mod engine;
mod line;
mod migrate;
mod near;
mod pen;
mod server;
mod spare;

use std::borrow::Cow;
use std::path::PathBuf;

pub use batch::Batch;
pub use engine::{Db, Row, Turn, Writer};
pub use spare::Spare;
#[cfg(test)]
pub(crate) use spare::databases_for_a_test;

/// A value for a placeholder `$1`, `$2`, …; one kind per placeholder per statement text.
#[derive(Clone, Debug)]
pub enum Arg<'a> {
    /// 64-bit integer; also times (µs) and flags (0 or 1).
    Int(i64),
    /// Text; must hold no NUL.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// NULL in a column of bytes.
    NoBytes,
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Arg<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(value))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Arg<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(Cow::Borrowed(value))
    }
}

impl From<Vec<u8>> for Arg<'_> {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(value))
    }
}

/// What a database holds, which decides its file's habits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holds {
    /// Ciphertext and the log.
    Data,
    /// Wrapped keys: deleted bytes are overwritten at once (`secure_delete`), so that erasure is real.
    Keys,
}

/// Where a database is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL URL (`postgres://…`).
    Url(String),
}

/// How to open a database.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is.
    pub location: Location,
    /// What it holds.
    pub holds: Holds,
    /// Whether a missing SQLite file is made (only `init` and `demo` ask for that).
    pub create: bool,
    /// Connections for reading at most.
    pub readers: u32,
}

/// One step that brings a database up to date, the same on both engines. Never edited once released.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, from 1.
    pub number: i64,
    /// Its name.
    pub name: &'static str,
    /// Its statements for SQLite.
    pub sqlite: &'static str,
    /// Its statements for PostgreSQL.
    pub postgres: &'static str,
}

/// How long anyone waits for a connection, a lock or a server.
const WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// What a driver said.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a statement gave no answer. Whatever the reason, whoever asked must refuse.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The file is not there.
    #[error("no database at {0}; `garant init` makes one")]
    Missing(PathBuf),
    /// The engine or its settings cannot keep the promises.
    #[error("unsafe database: {0}")]
    Unsafe(String),
    /// The migrations could not be applied.
    #[error("the database could not be brought up to date: {0}")]
    Migration(String),
    /// A unique key is taken.
    #[error("a row with this key exists")]
    Taken,
    /// The disk is full or a quota is reached.
    #[error("the database has no room left")]
    Full(#[source] Cause),
    /// No connection, no answer in time, or the connection broke; the outcome of a write is then unknown.
    #[error("the database does not answer")]
    Unavailable(#[source] Cause),
    /// A column does not hold what its table promises.
    #[error("column {column} of a row of '{table}' is not readable")]
    Column {
        /// The table or statement.
        table: &'static str,
        /// The column's place, from 0.
        column: usize,
    },
    /// Anything else the engine says.
    #[error("the database refused a statement")]
    Refused(#[source] Cause),
}

impl DbError {
    fn late() -> Self {
        Self::Unavailable("no answer in time".into())
    }

    fn closed() -> Self {
        Self::Unavailable("the database was closed".into())
    }
}
