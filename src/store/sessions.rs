//! Sessions of people who are signed in.

use super::Store;
use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::id::ClientId;

/// A row of `session`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRow {
    /// SHA-256 of the cookie.
    pub session: [u8; 32],
    /// `patient` or `professional`.
    pub kind: String,
    /// Who.
    pub person: [u8; 16],
    /// Keyed tag of provider and person, or empty.
    pub login: Vec<u8>,
    /// Keyed tag of the provider's session, or empty.
    pub provider_session: Vec<u8>,
    /// `acr`, then the methods.
    pub means: String,
    /// When the person was identified.
    pub authenticated: Timestamp,
    /// When it began.
    pub began: Timestamp,
    /// When it was last seen.
    pub used: Timestamp,
    /// When it ends whatever happens.
    pub expires: Timestamp,
    /// MAC over all but `used`.
    pub seal: Vec<u8>,
}

/// Which sessions end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending<'e> {
    /// This one.
    One(&'e [u8; 32]),
    /// All of a person.
    Person(&'e [u8; 16]),
    /// All that a provider began for one of its names.
    Login(&'e [u8; 32]),
    /// All that belong to one of a provider's sessions.
    ProviderSession(&'e [u8; 32]),
}

/// Software to which a person allowed something in a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowed {
    /// Which software.
    pub client: ClientId,
    /// The session.
    pub session: [u8; 32],
    /// `patient` or `professional`.
    pub kind: String,
    /// Who.
    pub person: [u8; 16],
}

impl Store {
    /// Begins a session, and forgets those that are over.
    pub async fn begin_session(&self, row: &SessionRow, now: Timestamp) -> Result<(), DbError> {
        const FORGET: &str = "DELETE FROM session WHERE expires < $1";
        const SQL: &str = "INSERT INTO session (session, kind, person, login, provider_session, means, authenticated, \
             began, used, expires, seal, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, \
             'begin_session')";
        let args = vec![
            row.session.to_vec().into(),
            row.kind.clone().into(),
            row.person.to_vec().into(),
            row.login.clone().into(),
            row.provider_session.clone().into(),
            row.means.clone().into(),
            row.authenticated.0.into(),
            row.began.0.into(),
            row.used.0.into(),
            row.expires.0.into(),
            row.seal.clone().into(),
        ];
        self.db.transact("begin_session", vec![(FORGET, vec![now.0.into()]), (SQL, args)]).await.map(|_| ())
    }

    /// The session of a cookie.
    pub async fn session(&self, session: &[u8; 32]) -> Result<Option<SessionRow>, DbError> {
        const SQL: &str = "SELECT session, kind, person, login, provider_session, means, authenticated, began, used, \
             expires, seal FROM session WHERE session = $1";
        self.db.maybe("session", SQL, &[session.into()], read).await
    }

    /// The sessions of a person, the newest first.
    pub async fn sessions_of(&self, person: &[u8; 16]) -> Result<Vec<SessionRow>, DbError> {
        const SQL: &str = "SELECT session, kind, person, login, provider_session, means, authenticated, began, used, \
             expires, seal FROM session WHERE person = $1 ORDER BY began DESC, session";
        self.db.all("session", SQL, &[person.into()], read).await
    }

    /// Notes that a session was seen.
    pub async fn touch_session(&self, session: &[u8; 32], now: Timestamp) -> Result<(), DbError> {
        const SQL: &str = "UPDATE session SET used = $1, updated_by = 'touch_session' WHERE session = $2 AND used < $1";
        let args = vec![now.0.into(), session.to_vec().into()];
        self.db.transact("touch_session", vec![(SQL, args)]).await.map(|_| ())
    }

    /// The software that was allowed something in these sessions; of very many, some.
    pub async fn allowed_in(&self, which: Ending<'_>) -> Result<Vec<Allowed>, DbError> {
        const ONE: &str = "SELECT DISTINCT g.client, s.session, s.kind, s.person FROM oauth_grant g \
             JOIN session s ON s.session = g.session WHERE s.session = $1 LIMIT 100";
        const PERSON: &str = "SELECT DISTINCT g.client, s.session, s.kind, s.person FROM oauth_grant g \
             JOIN session s ON s.session = g.session WHERE s.person = $1 LIMIT 100";
        const LOGIN: &str = "SELECT DISTINCT g.client, s.session, s.kind, s.person FROM oauth_grant g \
             JOIN session s ON s.session = g.session WHERE s.login = $1 LIMIT 100";
        const PROVIDER_SESSION: &str = "SELECT DISTINCT g.client, s.session, s.kind, s.person FROM oauth_grant g \
             JOIN session s ON s.session = g.session WHERE s.provider_session = $1 LIMIT 100";
        let (sql, key): (_, &[u8]) = match which {
            Ending::One(key) => (ONE, key),
            Ending::Person(key) => (PERSON, key),
            Ending::Login(key) => (LOGIN, key),
            Ending::ProviderSession(key) => (PROVIDER_SESSION, key),
        };
        let read = |row: &Row<'_>| {
            Ok(Allowed {
                client: ClientId::from_bytes(row.array(0)?),
                session: row.array(1)?,
                kind: row.text(2)?.to_owned(),
                person: row.array(3)?,
            })
        };
        self.db.all("oauth_grant", sql, &[key.into()], read).await
    }

    /// Ends sessions, and with them the grants that do not outlive them; how many sessions ended.
    pub async fn end_sessions(&self, which: Ending<'_>) -> Result<u64, DbError> {
        let (grants, sessions, key) = match which {
            Ending::One(key) => (
                "DELETE FROM oauth_grant WHERE outlives = 0 AND session IN \
                 (SELECT session FROM session WHERE session = $1)",
                "DELETE FROM session WHERE session = $1",
                key.to_vec(),
            ),
            Ending::Person(key) => (
                "DELETE FROM oauth_grant WHERE outlives = 0 AND session IN \
                 (SELECT session FROM session WHERE person = $1)",
                "DELETE FROM session WHERE person = $1",
                key.to_vec(),
            ),
            Ending::Login(key) => (
                "DELETE FROM oauth_grant WHERE outlives = 0 AND session IN \
                 (SELECT session FROM session WHERE login = $1)",
                "DELETE FROM session WHERE login = $1",
                key.to_vec(),
            ),
            Ending::ProviderSession(key) => (
                "DELETE FROM oauth_grant WHERE outlives = 0 AND session IN \
                 (SELECT session FROM session WHERE provider_session = $1)",
                "DELETE FROM session WHERE provider_session = $1",
                key.to_vec(),
            ),
        };
        let statements = vec![(grants, vec![key.clone().into()]), (sessions, vec![key.into()])];
        Ok(self.db.transact("end_sessions", statements).await?.last().copied().unwrap_or(0))
    }
}

fn read(row: &Row<'_>) -> Result<SessionRow, DbError> {
    Ok(SessionRow {
        session: row.array(0)?,
        kind: row.text(1)?.to_owned(),
        person: row.array(2)?,
        login: row.bytes(3)?.to_vec(),
        provider_session: row.bytes(4)?.to_vec(),
        means: row.text(5)?.to_owned(),
        authenticated: Timestamp(row.int(6)?),
        began: Timestamp(row.int(7)?),
        used: Timestamp(row.int(8)?),
        expires: Timestamp(row.int(9)?),
        seal: row.bytes(10)?.to_vec(),
    })
}
