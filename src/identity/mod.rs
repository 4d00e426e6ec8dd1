//! Who is asking.
//!
//! Lives here: access tokens, made for enrolled software ([`Issuer`]) and checked at each request
//! ([`Authenticator`]); people's logins at identity providers ([`Logins`]) and their sessions ([`Sessions`]); the
//! enrolment of patients, their devices and accounts ([`Patients`]).
//! May touch: `proof`, `openid`, `vault` (token and registry keys), `store`, `ledger`, `directory`.
//! Must never: decide what an actor may see.

mod account;
mod bearer;
mod issue;
mod listing;
mod login;
mod patients;
mod possession;
mod session;

pub use account::InvitationTag;
pub use bearer::{Authenticator, Credentials, LONGEST_SECONDS, Unauthenticated};
pub use issue::{Issued, Issuer, PROFESSIONS, Refusal, TokenRequest};
pub use listing::Listed;
pub use login::{Answer, ClaimNames, Kind, LONGEST_ATTEMPT_SECONDS, LoginError, Logins, NotEnded, Sent, Way, Welcome};
pub use patients::{Identifier, PatientError, Patients};
pub use possession::{PERIOD_SECONDS, Possession, Unproved};
pub use session::{
    COOKIE, IDLE_SECONDS, LONGEST_SESSION_SECONDS, Login, Person, Provider, SessionError, Sessions, SignedIn, Who,
};
