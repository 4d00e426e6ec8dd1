//! People who are signed in: a cookie of 256 random bits, kept as its hash, on the server alone.
//!
//! Whoever has identified a person calls [`Sessions::start`]; every page and the authorization endpoint ask
//! [`Sessions::current`]. The register is asked anew each time, so whoever is suspended or erased is out at once.

use std::sync::Arc;

use ring::digest::{Context, SHA256, digest};

use super::farewell::{Bid, Farewell};
use crate::chance::{self, Chance, NoChance};
use crate::clock::{Clock, Timestamp};
use crate::consent::row::patient_row_holds;
use crate::db::DbError;
use crate::directory::{Professional, Register};
use crate::id::{ClientId, PatientId, ProfessionalId};
use crate::proof::base64url;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::sessions::{Ending, SessionRow};
use crate::vault::{Indexer, RowMac};

/// How long a session lives at most, in seconds.
pub const LONGEST_SESSION_SECONDS: i64 = 8 * 3600;
/// How long it lives unused, in seconds.
pub const IDLE_SECONDS: i64 = 30 * 60;
/// How exact the last use is kept, in seconds: not each request writes.
const USED_SECONDS: i64 = 60;

/// A person who can sign in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Person {
    /// A patient.
    Patient(PatientId),
    /// A professional.
    Professional(ProfessionalId),
}

/// Who is signed in, as enrolled at this moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// A patient.
    Patient(PatientId),
    /// A professional, with profession and organisations as the register has them now.
    Professional(Professional),
}

/// A session that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedIn {
    /// SHA-256 of its cookie; what belongs to the session names it so.
    pub session: [u8; 32],
    /// Who.
    pub who: Who,
    /// When the session began.
    pub since: Timestamp,
    /// When it ends whatever happens.
    pub until: Timestamp,
    /// When the person was identified.
    pub auth_time: Timestamp,
    /// How surely (OpenID Connect `acr`), or empty.
    pub acr: String,
    /// By what (RFC 8176 `amr`).
    pub amr: Vec<String>,
}

/// Somebody was identified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Who.
    pub person: Person,
    /// When.
    pub auth_time: Timestamp,
    /// How surely, or empty.
    pub acr: String,
    /// By what.
    pub amr: Vec<String>,
    /// By whom, when it was another server; only keyed tags of it are kept.
    pub provider: Option<Provider>,
}

/// How another server calls a person and its own session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Provider {
    /// Its issuer.
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `sid`
    pub session: Option<String>,
}

/// No session can be begun, found or ended now.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The person is not enrolled, suspended or erased.
    #[error("nobody who may sign in")]
    Unknown,
    /// A row does not bear its seal.
    #[error("a row was altered: {0}")]
    Altered(&'static str),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// No chance, no secret.
    #[error(transparent)]
    NoChance(#[from] NoChance),
}

/// Begins, finds and ends sessions.
pub struct Sessions {
    /// Where they are kept.
    pub store: Store,
    /// Believes enrolments.
    pub register: Arc<Register>,
    /// Authenticates rows.
    pub mac: RowMac,
    /// Makes tags of what other servers call people.
    pub indexer: Indexer,
    /// Has software told that a session is over; it waits for nobody.
    pub farewells: Bid,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for cookies.
    pub chance: Arc<dyn Chance>,
}

impl Sessions {
    /// Begins a session and gives the value of its cookie. It is always a new one: what a browser brought to the
    /// login is never taken over (S01).
    ///
    /// # Errors
    /// [`SessionError::Unknown`] for whoever may not sign in.
    pub async fn start(&self, login: &Login) -> Result<Secret<String>, SessionError> {
        self.who(login.person).await?.ok_or(SessionError::Unknown)?;
        let cookie = base64url::encode(&chance::bytes::<32>(&*self.chance)?);
        let now = self.clock.now();
        let (kind, person) = match login.person {
            Person::Patient(id) => ("patient", *id.as_bytes()),
            Person::Professional(id) => ("professional", *id.as_bytes()),
        };
        let sid = login.provider.as_ref().and_then(|p| Some((&p.issuer, p.session.as_ref()?)));
        let mut row = SessionRow {
            session: hash(&cookie),
            kind: kind.to_owned(),
            person,
            login: login.provider.as_ref().map_or_else(Vec::new, |p| self.login_tag(&p.issuer, &p.subject).to_vec()),
            provider_session: sid.map_or_else(Vec::new, |(issuer, sid)| self.sid_tag(issuer, sid).to_vec()),
            means: std::iter::once(login.acr.replace(' ', ""))
                .chain(login.amr.iter().cloned())
                .collect::<Vec<_>>()
                .join(" "),
            authenticated: login.auth_time,
            began: now,
            used: now,
            expires: now.plus_secs(LONGEST_SESSION_SECONDS),
            seal: Vec::new(),
        };
        row.seal = self.seal(&row).to_vec();
        self.store.begin_session(&row, now).await?;
        Ok(Secret::new(cookie))
    }

    /// Who is signed in with `cookie`; `None` when the session is over, was never, or its person may no longer.
    ///
    /// # Errors
    /// [`SessionError`]; whoever asked must then take it that nobody is.
    pub async fn current(&self, cookie: &str) -> Result<Option<SignedIn>, SessionError> {
        if cookie.len() != 43 {
            return Ok(None);
        }
        self.standing(&hash(cookie)).await
    }

    /// The session with this hash, while it stands.
    pub(super) async fn standing(&self, session: &[u8; 32]) -> Result<Option<SignedIn>, SessionError> {
        let Some(row) = self.store.session(session).await? else { return Ok(None) };
        if self.mac_holds(&row).is_err() {
            tracing::error!(target: "garant::security", "a session's row was altered");
            return Err(SessionError::Altered("session"));
        }
        let now = self.clock.now();
        if now >= row.expires || now >= row.used.plus_secs(IDLE_SECONDS) {
            return Ok(None);
        }
        let person = match row.kind.as_str() {
            "patient" => Person::Patient(PatientId::from_bytes(row.person)),
            "professional" => Person::Professional(ProfessionalId::from_bytes(row.person)),
            _ => return Err(SessionError::Altered("session")),
        };
        let Some(who) = self.who(person).await? else { return Ok(None) };
        if now >= row.used.plus_secs(USED_SECONDS) {
            self.store.touch_session(&row.session, now).await?;
        }
        let (acr, amr) = row.means.split_once(' ').unwrap_or((&row.means, ""));
        Ok(Some(SignedIn {
            session: row.session,
            who,
            since: row.began,
            until: row.expires,
            auth_time: row.authenticated,
            acr: acr.to_owned(),
            amr: amr.split(' ').filter(|m| !m.is_empty()).map(str::to_owned).collect(),
        }))
    }

    /// Ends the session of `cookie`, and with it every grant that does not outlive it.
    ///
    /// # Errors
    /// [`SessionError::Db`].
    pub async fn end(&self, cookie: &str) -> Result<(), SessionError> {
        self.finish(Ending::One(&hash(cookie))).await.map(|_| ())
    }

    /// Ends all sessions of a person (P52); how many.
    ///
    /// # Errors
    /// [`SessionError::Db`].
    pub async fn end_all(&self, person: Person) -> Result<u64, SessionError> {
        let id = match &person {
            Person::Patient(id) => id.as_bytes(),
            Person::Professional(id) => id.as_bytes(),
        };
        self.finish(Ending::Person(id)).await
    }

    /// Ends what another server says is over: one of its sessions, or all it began for a person (OI-10); how many.
    ///
    /// # Errors
    /// [`SessionError::Db`].
    pub async fn end_of_provider(
        &self,
        issuer: &str,
        subject: Option<&str>,
        session: Option<&str>,
    ) -> Result<u64, SessionError> {
        match (session, subject) {
            (Some(sid), _) => self.finish(Ending::ProviderSession(&self.sid_tag(issuer, sid))).await,
            (None, Some(sub)) => self.finish(Ending::Login(&self.login_tag(issuer, sub))).await,
            (None, None) => Ok(0),
        }
    }

    /// Ends sessions, and has the software told that was allowed something in them; how many ended.
    pub(super) async fn finish(&self, which: Ending<'_>) -> Result<u64, SessionError> {
        // Ending comes first in rank: when nobody can be found to tell, nobody is told.
        let told = self.store.allowed_in(which).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "whom to tell of the end of a session is not known");
            Vec::new()
        });
        let ended = self.store.end_sessions(which).await?;
        for allowed in told {
            (self.farewells)(Farewell(allowed));
        }
        Ok(ended)
    }

    /// The person as enrolled now; `None` for whoever may not sign in.
    pub(super) async fn who(&self, person: Person) -> Result<Option<Who>, SessionError> {
        match person {
            Person::Patient(id) => {
                let Some(row) = self.store.patient(id).await? else { return Ok(None) };
                if !patient_row_holds(&self.mac, &row) {
                    return Err(SessionError::Altered("patient"));
                }
                Ok((row.state == "active").then_some(Who::Patient(id)))
            }
            Person::Professional(id) => {
                let Some(row) = self.store.party(id.as_bytes()).await? else { return Ok(None) };
                let party = self.register.check(&row).map_err(|_| SessionError::Altered("party"))?;
                let person = party.professional().ok().filter(|p| p.active);
                Ok(person.cloned().map(Who::Professional))
            }
        }
    }

    fn login_tag(&self, issuer: &str, subject: &str) -> [u8; 32] {
        self.indexer.tag("session login", &[issuer.as_bytes(), subject.as_bytes()])
    }

    fn sid_tag(&self, issuer: &str, session: &str) -> [u8; 32] {
        self.indexer.tag("session sid", &[issuer.as_bytes(), session.as_bytes()])
    }

    fn seal(&self, row: &SessionRow) -> [u8; 32] {
        let times = times(row);
        self.mac.mac(&parts(row, &times))
    }

    pub(super) fn mac_holds(&self, row: &SessionRow) -> Result<(), crate::vault::VaultError> {
        let times = times(row);
        self.mac.verify(&parts(row, &times), &row.seal)
    }
}

/// The moments that never change.
fn times(row: &SessionRow) -> [u8; 24] {
    let mut out = [0; 24];
    let all = [row.authenticated, row.began, row.expires].map(|t| t.0.to_be_bytes());
    out.iter_mut().zip(all.iter().flatten()).for_each(|(to, from)| *to = *from);
    out
}

fn parts<'r>(row: &'r SessionRow, times: &'r [u8; 24]) -> [&'r [u8]; 8] {
    let (kind, means) = (row.kind.as_bytes(), row.means.as_bytes());
    [b"session", &row.session, kind, &row.person, &row.login, &row.provider_session, means, times]
}

/// What software calls a session (`sid`): its own name for it, of which no other software's follows.
pub(super) fn sid(session: &[u8; 32], client: ClientId) -> String {
    let mut context = Context::new(&SHA256);
    for part in [b"garant sid\0", session.as_slice(), client.as_bytes()] {
        context.update(part);
    }
    base64url::encode(context.finish().as_ref())
}

fn hash(cookie: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(digest(&SHA256, cookie.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    out
}
