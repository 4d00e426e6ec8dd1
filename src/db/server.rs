//! A PostgreSQL server: where it is, the connections that read, and those that write.

use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::engine::Row;
use super::line::{self, Line, Unanswered};
use super::{Arg, DbError, WAIT};

/// Connections for writing at most: the log's own, and some for small transactions beside it.
const MOST: usize = 3;

/// Where a server is and how it is spoken to.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

impl Server {
    /// Reads a URL. A server elsewhere is spoken to over TLS, with a certificate that the machine trusts, unless the
    /// URL says `sslmode=disable`; one on this machine only when it says `sslmode=require`.
    pub(super) fn at(url: &str) -> Result<Self, DbError> {
        let mut config =
            Config::from_str(url).map_err(|_| DbError::Unsafe("the PostgreSQL URL cannot be read".to_owned()))?;
        let near = |host: &Host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
            Host::Unix(_) => true,
        };
        if config.get_ssl_mode() == SslMode::Prefer {
            // "Prefer" protects against nobody who is on the way.
            let here = config.get_hosts().iter().all(near);
            config.ssl_mode(if here { SslMode::Disable } else { SslMode::Require });
        }
        let tls = if config.get_ssl_mode() == SslMode::Disable { None } else { Some(trusted()?) };
        config.application_name("garant").connect_timeout(WAIT).tcp_user_timeout(WAIT * 2).keepalives(true);
        Ok(Self { config, tls })
    }

    /// The same server with settings for every connection.
    fn with(&self, settings: &[(&str, &str)]) -> Self {
        let given = self.config.get_options().unwrap_or_default();
        let mut options = String::from(given);
        for (name, value) in settings {
            options.extend([" -c ", name, "=", value]);
        }
        let mut config = self.config.clone();
        config.options(options);
        Self { config, tls: self.tls.clone() }
    }

    pub(super) async fn connect(&self) -> Result<Line, DbError> {
        Line::open(&self.config, self.tls.as_ref()).await.map_err(|e| DbError::Unavailable(e.into()))
    }
}

fn trusted() -> Result<MakeRustlsConnect, DbError> {
    let (tls, failed) = MakeRustlsConnect::with_native_certs()
        .map_err(|e| DbError::Unsafe(format!("no certificates are trusted on this machine: {e:?}")))?;
    for error in failed {
        tracing::warn!(%error, "a certificate of this machine cannot be read");
    }
    Ok(tls)
}

/// Settings of every connection: nobody keeps a transaction open, or waits for a lock, for ever.
const EVERY: [(&str, &str); 4] = [
    ("idle_in_transaction_session_timeout", "5s"),
    ("lock_timeout", "5s"),
    ("timezone", "UTC"),
    ("client_min_messages", "error"),
];

/// Connections that cannot write, shared by all who read.
#[derive(Debug)]
pub(super) struct Readers {
    server: Server,
    lines: Box<[tokio::sync::Mutex<Option<Arc<Line>>>]>,
    next: AtomicUsize,
    closed: AtomicBool,
}

impl Readers {
    pub(super) fn of(server: &Server, most: u32) -> Self {
        let server = server.with(&EVERY).with(&[("default_transaction_read_only", "on")]);
        let lines = (0..most.max(1)).map(|_| tokio::sync::Mutex::default()).collect();
        Self { server, lines, next: AtomicUsize::new(0), closed: AtomicBool::new(false) }
    }

    /// Reads all rows of `sql`.
    pub(super) async fn all<T>(
        &self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let mut left = self.lines.len();
        loop {
            let asked = async {
                let line = self.line().await?;
                line.all(table, sql, args, &read, async { Ok(()) }).await
            };
            // On the heap: it is large, and so would be all that wait for it.
            match line::in_time(Box::pin(asked)).await {
                // The server was restarted under an idle connection: reading may be tried on the next one.
                Err(error) if left > 0 && line::is_broken(&error) => left -= 1,
                answer => return answer,
            }
        }
    }

    /// The next connection in turn; one that broke is made anew.
    async fn line(&self) -> Result<Arc<Line>, DbError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.lines.len()).unwrap_or(0);
        let place = self.lines.get(turn).ok_or_else(DbError::closed)?;
        if self.closed.load(Ordering::Acquire) {
            return Err(DbError::closed());
        }
        let mut held = place.lock().await;
        if let Some(line) = held.as_ref().filter(|line| !line.is_closed()) {
            return Ok(Arc::clone(line));
        }
        let fresh = Arc::new(self.server.connect().await?);
        *held = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Ends all connections.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for place in &self.lines {
            drop(place.lock().await.take());
        }
    }
}

/// Where the connections that write are kept.
#[derive(Debug)]
pub(super) struct Writers {
    server: Server,
    free: Mutex<Vec<Arc<Line>>>,
    room: Arc<Semaphore>,
}

impl Writers {
    pub(super) fn of(server: &Server) -> Arc<Self> {
        let server = server.with(&EVERY);
        Arc::new(Self { server, free: Mutex::default(), room: Arc::new(Semaphore::new(MOST)) })
    }

    fn free(&self) -> MutexGuard<'_, Vec<Arc<Line>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection; waits for one, but not for ever.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Quill, DbError> {
        let place = tokio::time::timeout(WAIT, Arc::clone(&self.room).acquire_owned()).await;
        let place = place.map_err(|_| DbError::late())?.map_err(|_| DbError::closed())?;
        let kept = self.free().pop().filter(|line| !line.is_closed());
        let line = match kept {
            Some(line) => line,
            None => Arc::new(self.server.connect().await?),
        };
        Ok(Quill { line, open: false, unanswered: Vec::new(), home: Arc::clone(self), _place: place })
    }

    /// Ends all connections that nobody holds; those held end when they are given back.
    pub(super) fn close(&self) {
        self.room.close();
        self.free().clear();
    }
}

/// A connection that writes, held; given back when dropped, unless a transaction is open, which its end undoes.
#[derive(Debug)]
pub(super) struct Quill {
    line: Arc<Line>,
    open: bool,
    /// Statements sent in this transaction whose answers are still to come.
    unanswered: Vec<Unanswered>,
    home: Arc<Writers>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Quill {
    fn drop(&mut self) {
        if !self.open && !self.line.is_closed() && !self.home.room.is_closed() {
            self.home.free().push(Arc::clone(&self.line));
        }
    }
}

impl Quill {
    /// Begins a transaction; that it could not is told by its first statement.
    pub(super) async fn begin(&mut self) -> Result<(), DbError> {
        if self.open || self.line.is_closed() {
            return Err(DbError::closed());
        }
        self.open = true;
        let sent = line::send_script(&self.line, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
        self.unanswered.push(sent);
        Ok(())
    }

    /// Sends a statement; that it failed is told by one that waits, at the latest by the commit.
    pub(super) async fn send(&mut self, sql: &'static str, args: Vec<Arg<'static>>) -> Result<(), DbError> {
        let sent = line::send(&self.line, sql, args).await?;
        self.unanswered.push(sent);
        Ok(())
    }

    pub(super) async fn run(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, DbError> {
        let first = settle(std::mem::take(&mut self.unanswered));
        self.line.run(sql, args, first).await
    }

    pub(super) async fn script(&mut self, sql: &str) -> Result<(), DbError> {
        let first = settle(std::mem::take(&mut self.unanswered));
        self.line.script(sql, first).await
    }

    /// Reads all rows of `sql` as the open transaction sees them.
    pub(super) async fn all<T>(
        &mut self,
        table: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let first = settle(std::mem::take(&mut self.unanswered));
        self.line.all(table, sql, args, read, first).await
    }

    pub(super) async fn undo(&mut self) -> Result<(), DbError> {
        let before = settle(std::mem::take(&mut self.unanswered)).await;
        self.line.script("ROLLBACK", async { Ok(()) }).await?;
        self.open = false;
        before
    }

    /// Makes it durable. It goes out behind the statements before it: when one of them failed, the server undoes all.
    pub(super) async fn commit(&mut self) -> Result<(), DbError> {
        self.script("COMMIT").await?;
        self.open = false;
        Ok(())
    }
}

async fn settle(unanswered: Vec<Unanswered>) -> Result<(), DbError> {
    for one in unanswered {
        one.answer().await?;
    }
    Ok(())
}

/// What the server must be before anything is kept in it.
pub(super) async fn check(server: &Server) -> Result<(), DbError> {
    let line = server.connect().await?;
    let mut found = HashMap::new();
    for setting in ["fsync", "full_page_writes", "transaction_read_only", "synchronous_commit", "server_version_num"] {
        found.insert(setting, line.shown(&format!("SHOW {setting}")).await?);
    }
    let found = |setting: &str| found.get(setting).map_or("", String::as_str);
    for (setting, wanted) in [("fsync", "on"), ("full_page_writes", "on"), ("transaction_read_only", "off")] {
        if found(setting) != wanted {
            let is = found(setting);
            return Err(DbError::Unsafe(format!("PostgreSQL has {setting} = {is}; it must be {wanted}")));
        }
    }
    if found("synchronous_commit") == "off" {
        return Err(DbError::Unsafe(
            "PostgreSQL has synchronous_commit = off; a commit would not be durable".to_owned(),
        ));
    }
    if found("server_version_num").parse().is_ok_and(|version: u32| version < 150_000) {
        return Err(DbError::Unsafe("PostgreSQL 15 or later is needed".to_owned()));
    }
    if line.shown("SELECT pg_is_in_recovery()").await? != "f" {
        // A replica may show a consent that the primary has already revoked (security.md, Jepsen Long Fork).
        return Err(DbError::Unsafe("this PostgreSQL is a replica; consent is checked on the primary only".to_owned()));
    }
    Ok(())
}
