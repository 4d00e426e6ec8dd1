//! Signing in at an external identity provider, and out again.
//!
//! A patient is whoever an account was linked to by invitation; a professional is whoever the directory enrolled
//! under the national number that the provider asserts. A login makes nobody known who was not.

mod attempt;
mod leave;
mod professional;

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

pub use attempt::LONGEST_ATTEMPT_SECONDS;
pub use leave::NotEnded;

use super::account::InvitationTag;
use super::patients::{PatientError, Patients};
use super::session::{self, Login, Person, SessionError, Sessions};
use crate::chance::{self, Chance, NoChance};
use crate::clock::{Clock, Timestamp};
use crate::db::DbError;
use crate::directory::Register;
use crate::openid::{Arrival, Ask, Credential, Provider, Redeem, Unproved};
use crate::proof::base64url;
use crate::secret::Secret;
use crate::store::Store;
use crate::vault::TokenSigner;
use attempt::Attempt;

/// As what a person signs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// As a patient.
    Patient,
    /// As a professional.
    Professional,
}

impl Kind {
    /// `patient` or `professional`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Professional => "professional",
        }
    }
}

/// Where people of one kind sign in.
pub struct Way {
    /// The provider.
    pub provider: Provider,
    /// Our secret there; without one we sign assertions (`private_key_jwt`).
    pub secret: Option<Secret<String>>,
    /// The names of its claims about professionals.
    pub claims: ClaimNames,
}

/// What a provider calls what it says of professionals (standards §18.5).
#[derive(Clone, Debug)]
pub struct ClaimNames {
    /// Their national number.
    pub national_id: String,
    /// Their professions: codes, each perhaps followed by `^` and its system.
    pub role: String,
    /// The national numbers of the organisations they act for.
    pub organisation: String,
}

/// Signs people in and out.
pub struct Logins {
    /// Where patients sign in.
    pub patients_way: Option<Way>,
    /// Where professionals sign in.
    pub professionals_way: Option<Way>,
    /// Knows patients' accounts.
    pub patients: Arc<Patients>,
    /// Begins and ends sessions.
    pub sessions: Arc<Sessions>,
    /// Where enrolments, and what was used up, are kept.
    pub store: Store,
    /// Believes enrolments.
    pub register: Arc<Register>,
    /// Shows providers who we are.
    pub signer: TokenSigner,
    /// Where our pages are (`https://garant.example`, nothing after).
    pub base_url: String,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
}

/// Why nobody was signed in. The words are for the log.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// People of this kind cannot sign in here.
    #[error("no provider for them")]
    NotOffered,
    /// There is no such attempt in this browser, or it has ended or was used.
    #[error("no such attempt")]
    NoAttempt,
    /// The provider, or the person there, said no: an error code.
    #[error("the provider answered {0}")]
    Denied(String),
    /// What the provider sent is not good.
    #[error(transparent)]
    Unproved(#[from] Unproved),
    /// The account is linked to nobody, and there was no invitation that holds.
    #[error("the account is linked to nobody")]
    NotLinked {
        /// Whether an invitation was given.
        invited: bool,
    },
    /// The directory does not bear out what the provider says of the professional.
    #[error("not enrolled: {0}")]
    NotEnrolled(&'static str),
    /// Something of ours does not answer.
    #[error("this cannot be done now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How a person must be identified.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand<'r> {
    /// Though the provider knows them already.
    pub anew: bool,
    /// As surely as any of these says, parted by spaces; empty: as is configured.
    pub acr: &'r str,
}

/// A person sent to their provider.
pub struct Sent {
    /// Where to.
    pub location: String,
    /// What the browser keeps meanwhile.
    pub cookie: String,
}

/// What a provider sends back through the browser.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer<'r> {
    /// `code`
    pub code: Option<&'r str>,
    /// `state`
    pub state: Option<&'r str>,
    /// `iss`
    pub issuer: Option<&'r str>,
    /// `error`
    pub error: Option<&'r str>,
}

/// A person who has signed in.
pub struct Welcome {
    /// The value of the session's cookie.
    pub cookie: Secret<String>,
    /// The ID token, with which the provider is asked to end its session.
    pub hint: String,
    /// Where to go on.
    pub go_on: String,
}

impl Logins {
    /// Where people of `kind` sign in.
    ///
    /// # Errors
    /// [`LoginError::NotOffered`].
    pub fn way(&self, kind: Kind) -> Result<&Way, LoginError> {
        let way = match kind {
            Kind::Patient => &self.patients_way,
            Kind::Professional => &self.professionals_way,
        };
        way.as_ref().ok_or(LoginError::NotOffered)
    }

    /// The levels at which people can be identified; empty when a provider's word will do whatever it is.
    #[must_use]
    pub fn acr(&self) -> Vec<String> {
        let ways = [&self.patients_way, &self.professionals_way];
        let lists: Vec<&[String]> = ways.into_iter().flatten().map(|way| way.provider.acr()).collect();
        if lists.iter().any(|list| list.is_empty()) {
            return Vec::new();
        }
        let mut all = lists.concat();
        all.sort();
        all.dedup();
        all
    }

    /// Sends a person to their provider; they will come back to go on at the local path `go_on`.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn depart(
        &self,
        kind: Kind,
        english: bool,
        go_on: &str,
        invitation: Option<&str>,
        demand: Demand<'_>,
    ) -> Result<Sent, LoginError> {
        let way = self.way(kind)?;
        let invitation: Option<InvitationTag> = invitation.map(|typed| self.patients.invitation_tag(typed));
        let with = (self.clock.now(), &*self.chance);
        let attempt = Attempt::new((kind, demand.anew), english, go_on.to_owned(), invitation, with)?;
        let values = Values::of(&attempt, &self.base_url);
        let location = way.provider.authorize(&Ask { acr: demand.acr, ..values.ask(&attempt) }).await?;
        Ok(Sent { location, cookie: attempt.cookie() })
    }

    /// Whether the attempt in `cookie` speaks English; for the page that says what went wrong.
    #[must_use]
    pub fn speaks_english(cookie: &str) -> bool {
        Attempt::read(cookie).is_some_and(|attempt| attempt.english)
    }

    /// Signs in who comes back from their provider.
    ///
    /// # Errors
    /// [`LoginError`]; the attempt is used up unless it was not this browser's.
    pub async fn finish(&self, cookie: &str, answer: Answer<'_>) -> Result<Welcome, LoginError> {
        let attempt = Attempt::read(cookie).ok_or(LoginError::NoAttempt)?;
        let now = self.clock.now();
        let state = answer.state.ok_or(LoginError::NoAttempt)?;
        if now >= attempt.expires || !bool::from(attempt.state().as_bytes().ct_eq(state.as_bytes())) {
            return Err(LoginError::NoAttempt);
        }
        // Used up before anything else is looked at: an answer is taken once, on one node.
        let unavailable = |error| LoginError::Unavailable(Box::new(error));
        if !self.once("login", &attempt.id(), attempt.expires).await.map_err(unavailable)? {
            return Err(LoginError::NoAttempt);
        }
        if let Some(error) = answer.error {
            let word: String = error.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
            return Err(LoginError::Denied(word));
        }
        let arrival = self.arrive(&attempt, answer).await?;
        let person = match attempt.kind {
            Kind::Patient => self.patient(&arrival, attempt.invitation.as_ref()).await?,
            Kind::Professional => self.professional(&arrival, &self.way(attempt.kind)?.claims).await?,
        };
        let cookie = self.sessions.start(&login(person, &arrival)).await?;
        tracing::info!(kind = attempt.kind.word(), "a session began");
        Ok(Welcome { cookie, hint: arrival.id_token, go_on: attempt.go_on })
    }

    async fn arrive(&self, attempt: &Attempt, answer: Answer<'_>) -> Result<Arrival, LoginError> {
        let way = self.way(attempt.kind)?;
        let code = answer.code.ok_or(LoginError::NoAttempt)?;
        let assertion = if way.secret.is_none() { self.assertion(&way.provider)? } else { String::new() };
        let credential = match &way.secret {
            Some(secret) => Credential::Secret(secret.expose()),
            None => Credential::Assertion(&assertion),
        };
        let values = Values::of(attempt, &self.base_url);
        let names = &way.claims;
        let all = [names.national_id.as_str(), &names.role, &names.organisation];
        let wanted: &[&str] = if attempt.kind == Kind::Professional { &all } else { &[] };
        let ask = values.ask(attempt);
        Ok(way.provider.redeem(&Redeem { ask, code, issuer: answer.issuer, credential, wanted }).await?)
    }

    /// The patient to whom the account is linked, or now becomes so.
    async fn patient(&self, arrival: &Arrival, invitation: Option<&InvitationTag>) -> Result<Person, LoginError> {
        let (issuer, subject) = (arrival.issuer.as_str(), arrival.subject.as_str());
        if let Some(patient) = self.patients.by_account(issuer, subject).await? {
            return Ok(Person::Patient(patient));
        }
        let Some(invitation) = invitation else { return Err(LoginError::NotLinked { invited: false }) };
        Ok(Person::Patient(self.patients.link(invitation, issuer, subject).await?))
    }

    /// Who we are, for the provider's token endpoint (RFC 7523 §3).
    fn assertion(&self, provider: &Provider) -> Result<String, LoginError> {
        let us = provider.client_id();
        let now = self.clock.now().secs();
        let id = base64url::encode(&chance::bytes::<16>(&*self.chance)?);
        let claims = serde_json::json!({
            "iss": us, "sub": us, "aud": provider.issuer(), "jti": id, "iat": now, "exp": now + 60,
        });
        let signed = self.signer.sign("JWT", claims.to_string().as_bytes());
        signed.map_err(|error| LoginError::Unavailable(Box::new(error)))
    }

    /// Uses up `id` of `kind` until `until`, on every node at once; `false` when it was used before.
    async fn once(&self, kind: &str, id: &str, until: Timestamp) -> Result<bool, DbError> {
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest(&SHA256, id.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
        self.store.use_once(kind, hash, self.clock.now(), until).await
    }

    /// The public keys to be enrolled at providers (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self) -> String {
        format!(r#"{{"keys":[{}]}}"#, self.signer.jwk())
    }
}

fn login(person: Person, arrival: &Arrival) -> Login {
    Login {
        person,
        auth_time: arrival.authenticated,
        acr: arrival.acr.clone(),
        amr: arrival.methods.clone(),
        provider: Some(session::Provider {
            issuer: arrival.issuer.clone(),
            subject: arrival.subject.clone(),
            session: arrival.session.clone(),
        }),
    }
}

/// The values that an attempt sends.
struct Values {
    redirect_uri: String,
    state: String,
    nonce: String,
    verifier: String,
}

impl Values {
    fn of(attempt: &Attempt, base_url: &str) -> Self {
        let redirect_uri = format!("{base_url}/login/callback");
        Self { redirect_uri, state: attempt.state(), nonce: attempt.nonce(), verifier: attempt.verifier() }
    }

    fn ask(&self, attempt: &Attempt) -> Ask<'_> {
        Ask {
            redirect_uri: &self.redirect_uri,
            state: &self.state,
            nonce: &self.nonce,
            verifier: &self.verifier,
            language: if attempt.english { "en" } else { "fr" },
            after: attempt.after(),
            acr: "",
        }
    }
}

impl From<PatientError> for LoginError {
    fn from(error: PatientError) -> Self {
        match error {
            PatientError::NotInvited => Self::NotLinked { invited: true },
            PatientError::Unknown => Self::NotLinked { invited: false },
            PatientError::Enrolled
            | PatientError::Altered
            | PatientError::BadKey
            | PatientError::Db(_)
            | PatientError::Vault(_)
            | PatientError::Unrecorded(_)
            | PatientError::NoChance(_) => Self::Unavailable(Box::new(error)),
        }
    }
}

impl From<SessionError> for LoginError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Unknown => Self::NotEnrolled("may not sign in"),
            SessionError::Altered(_) | SessionError::Db(_) | SessionError::NoChance(_) => {
                Self::Unavailable(Box::new(error))
            }
        }
    }
}

impl From<NoChance> for LoginError {
    fn from(error: NoChance) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
