//! Why a deed over a consent is not done.

use super::check::Unproved;
use super::sentence::Unsayable;
use crate::chance::NoChance;
use crate::db::DbError;
use crate::ledger::Unrecorded;
use crate::model::statement::BadStatement;
use crate::vault::VaultError;

/// Why a deed over a consent was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// The bytes are not a statement.
    #[error("{0}")]
    Statement(#[from] BadStatement),
    /// The statement speaks of another patient or is meant for another store.
    #[error("the statement is not about your record in this place")]
    Elsewhere,
    /// The statement was not prepared here.
    #[error("the statement was not prepared here")]
    NotIssued,
    /// It was prepared longer ago than it may be signed (WA-08).
    #[error("the statement was prepared too long ago; prepare it again")]
    Late,
    /// The text, the names in it or the policies changed since it was shown (O32).
    #[error("what you were shown has changed since; look at it again")]
    Changed,
    /// The consent changed meanwhile, or the statement was used with other content (CT-06).
    #[error("this was done already, or the consent changed meanwhile; look at it again")]
    Conflict,
    /// The patient has no such consent or request, or there is no such patient.
    #[error("there is no such consent or request")]
    Unknown,
    /// No active key of the patient signed exactly this.
    #[error("this is not signed with an active key of yours")]
    Unsigned,
    /// The key was added lately, and is not the patient's first: it may not widen anything yet (T15).
    #[error("this key was added less than a day ago and cannot give access yet; use another, or wait")]
    Young,
    /// Nobody in good standing is enrolled under that name.
    #[error("nobody in good standing is enrolled under this name")]
    NoGrantee,
    /// Narrower terms must be within the present ones.
    #[error("these terms are wider than the present ones; that takes a new grant")]
    Wider,
    /// Ending an exclusion widens access, so it takes a signature.
    #[error("an exclusion is ended by a signed lift only")]
    Exclusion,
    /// The law, or the house's limits on time, would never honour it.
    #[error("this cannot be allowed: {}", told(.reason))]
    Refused {
        /// The stable word.
        reason: &'static str,
        /// The article, when it is the law that says so.
        article: Option<&'static str>,
    },
    /// There are no plain words for a part of it, so it cannot be shown, so it cannot be signed.
    #[error("there are no plain words for the member '{0}', so nobody could know what they sign")]
    Unsayable(&'static str),
    /// The message of a request is empty of sense or too long.
    #[error("a message has at most 500 characters and no control characters")]
    BadMessage,
    /// Who asks is not in good standing, or asks for somebody else.
    #[error("you may ask for yourself only, while your enrolment stands")]
    NotForYou,
    /// Something below failed, or does not prove what it says.
    #[error("this cannot be done now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ConsentError {
    pub(super) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// The stable words of the policy, for people.
fn told(reason: &str) -> &'static str {
    match reason {
        "insurer-medical" => "an insurer may not open a medical record, whatever its holder agrees to",
        "occupational-express" => "occupational health takes an express consent to the person or the service",
        "matrix" => "this profession may never open this kind of data",
        "purpose" => "this purpose is not open to this grantee",
        "scope" => "this kind of access is not open to this grantee",
        "window" => "it has to end, later than now and not later than the longest time allowed",
        "no-ground" => "the law names no ground for a grantee of this kind",
        _ => "the rules in force do not allow it",
    }
}

impl From<DbError> for ConsentError {
    fn from(error: DbError) -> Self {
        Self::unavailable(error)
    }
}

impl From<VaultError> for ConsentError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NoKey => Self::Unknown,
            VaultError::Refused | VaultError::Root(_) | VaultError::Keystore(_) => Self::unavailable(error),
        }
    }
}

impl From<Unproved> for ConsentError {
    fn from(error: Unproved) -> Self {
        tracing::error!(reason = error.0, "a consent row does not hold");
        Self::unavailable(error)
    }
}

impl From<Unrecorded> for ConsentError {
    fn from(error: Unrecorded) -> Self {
        Self::unavailable(error)
    }
}

impl From<NoChance> for ConsentError {
    fn from(error: NoChance) -> Self {
        Self::unavailable(error)
    }
}

impl From<Unsayable> for ConsentError {
    fn from(Unsayable(what): Unsayable) -> Self {
        Self::Unsayable(what)
    }
}
