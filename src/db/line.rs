//! One connection to PostgreSQL.
//!
//! A statement goes out at its first poll and is answered in the order sent, so that many share one connection and none
//! waits for another's way back. Whoever loses interest loses the answer only: what was sent is carried out, and the
//! next answer is the next statement's.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use bytes::BytesMut;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::engine::Row;
use super::{Arg, DbError, WAIT};

/// Statements are texts that live as long as the program, so that their place names them.
type Place = (usize, usize);

/// An open connection.
#[derive(Debug)]
pub(super) struct Line {
    client: Client,
    prepared: Mutex<HashMap<Place, Statement>>,
}

impl ToSql for Arg<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Int(n) => n.to_sql(ty, out),
            Self::Text(t) => t.as_ref().to_sql(ty, out),
            Self::Bytes(b) => b.as_ref().to_sql(ty, out),
            Self::NoBytes => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        if *ty != self.kind() {
            return Err(format!("a value of kind {} where {ty} is wanted", self.kind()).into());
        }
        self.to_sql(ty, out)
    }
}

impl Arg<'_> {
    const fn kind(&self) -> Type {
        match self {
            Self::Int(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Bytes(_) | Self::NoBytes => Type::BYTEA,
        }
    }
}

impl Line {
    /// Connects; without `tls` nothing is encrypted.
    #[expect(clippy::disallowed_methods, reason = "this room looks after it: it ends with its connection")]
    pub(super) async fn open(config: &Config, tls: Option<&MakeRustlsConnect>) -> Result<Self, Error> {
        let client = if let Some(tls) = tls {
            let (client, connection) = config.connect(tls.clone()).await?;
            drop(tokio::spawn(connection));
            client
        } else {
            let (client, connection) = config.connect(NoTls).await?;
            drop(tokio::spawn(connection));
            client
        };
        Ok(Self { client, prepared: Mutex::default() })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Prepares `sql` the first time. The kinds of its values are those of `args`, this time and ever after.
    async fn prepare(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Statement, Error> {
        let place = (sql.as_ptr().addr(), sql.len());
        let known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let kinds: Vec<Type> = args.iter().map(Arg::kind).collect();
        let statement = self.client.prepare_typed(sql, &kinds).await?;
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).insert(place, statement.clone());
        Ok(statement)
    }

    /// Reads all rows of `sql`; `first` is awaited between sending and reading.
    pub(super) async fn all<T>(
        &self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
        first: impl Future<Output = Result<(), DbError>>,
    ) -> Result<Vec<T>, DbError> {
        let statement = self.prepare(sql, args).await.map_err(classify)?;
        let values: Vec<&(dyn ToSql + Sync)> = args.iter().map(|arg| arg as _).collect();
        let rows = sent(self.client.query(&statement, &values), first).await?;
        rows.iter().map(|row| read(&Row::Postgres(row, table))).collect()
    }

    /// Runs a statement and tells how many rows it touched; `first` as with [`Line::all`].
    pub(super) async fn run(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
        first: impl Future<Output = Result<(), DbError>>,
    ) -> Result<u64, DbError> {
        let statement = self.prepare(sql, args).await.map_err(classify)?;
        let values: Vec<&(dyn ToSql + Sync)> = args.iter().map(|arg| arg as _).collect();
        sent(self.client.execute(&statement, &values), first).await
    }

    /// Runs a script without values; `first` as with [`Line::all`].
    pub(super) async fn script(
        &self,
        sql: &str,
        first: impl Future<Output = Result<(), DbError>>,
    ) -> Result<(), DbError> {
        sent(self.client.batch_execute(sql), first).await
    }

    /// What a setting is.
    pub(super) async fn shown(&self, sql: &str) -> Result<String, DbError> {
        let said = self.client.simple_query(sql).await.map_err(classify)?;
        let value = said.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            SimpleQueryMessage::CommandComplete(_) | SimpleQueryMessage::RowDescription(_) | _ => None,
        });
        Ok(value.unwrap_or_default())
    }
}

/// A statement that was sent and whose answer nobody has read yet.
pub(super) struct Unanswered(Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>>);

impl std::fmt::Debug for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unanswered")
    }
}

impl Unanswered {
    pub(super) async fn answer(self) -> Result<(), DbError> {
        self.0.await.map(drop).map_err(classify)
    }
}

/// Sends a statement now; its answer is for later.
pub(super) async fn send(line: &Arc<Line>, sql: &'static str, args: Vec<Arg<'static>>) -> Result<Unanswered, DbError> {
    let statement = line.prepare(sql, &args).await.map_err(classify)?;
    let line = Arc::clone(line);
    begun(Box::pin(async move {
        let values: Vec<&(dyn ToSql + Sync)> = args.iter().map(|arg| arg as _).collect();
        line.client.execute(&statement, &values).await
    }))
    .await
}

/// Sends a script now; its answer is for later.
pub(super) async fn send_script(line: &Arc<Line>, sql: &'static str) -> Result<Unanswered, DbError> {
    let line = Arc::clone(line);
    begun(Box::pin(async move { line.client.batch_execute(sql).await.map(|()| 0) })).await
}

/// Polls once, which sends. What fails here was never sent, and must be told before anything that follows is.
async fn begun(mut answer: Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>>) -> Result<Unanswered, DbError> {
    match poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
        Poll::Ready(done) => {
            let touched = done.map_err(classify)?;
            Ok(Unanswered(Box::pin(async move { Ok(touched) })))
        }
        Poll::Pending => Ok(Unanswered(answer)),
    }
}

/// Sends, awaits `first`, then the answer. When what was sent before has failed, that is why this has failed too.
async fn sent<T>(
    answer: impl Future<Output = Result<T, Error>>,
    first: impl Future<Output = Result<(), DbError>>,
) -> Result<T, DbError> {
    let mut answer = pin!(answer);
    let early = match poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
        Poll::Ready(done) => Some(done.map_err(classify)?),
        Poll::Pending => None,
    };
    first.await?;
    match early {
        Some(done) => Ok(done),
        None => answer.await.map_err(classify),
    }
}

/// Reads are given up after a while: a server that stands still would otherwise hold everybody.
pub(super) async fn in_time<T>(read: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    tokio::time::timeout(WAIT * 2, read).await.unwrap_or_else(|_| Err(DbError::late()))
}

/// Whether the connection itself is gone, rather than its database without an answer.
pub(super) fn is_broken(error: &DbError) -> bool {
    let DbError::Unavailable(error) = error else { return false };
    let Some(error) = error.downcast_ref::<Error>() else { return false };
    // The server shuts down, or was told to end this connection.
    let ended = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::IDLE_SESSION_TIMEOUT];
    error.code().map_or_else(
        || {
            error.is_closed()
                || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        },
        |code| ended.contains(code),
    )
}

pub(super) fn classify(error: Error) -> DbError {
    // SQLSTATE classes; an error that the server did not send is one of the connection or of our own making.
    let Some(code) = error.code().cloned() else {
        let ours = std::error::Error::source(&error).is_some_and(|e| !e.is::<std::io::Error>());
        return if ours && !error.is_closed() {
            DbError::Refused(error.into())
        } else {
            DbError::Unavailable(error.into())
        };
    };
    match code.code().get(..2) {
        _ if code == SqlState::UNIQUE_VIOLATION => DbError::Taken,
        Some("53") => DbError::Full(error.into()),
        Some("08" | "57" | "58" | "40" | "25") => DbError::Unavailable(error.into()),
        _ => DbError::Refused(error.into()),
    }
}
