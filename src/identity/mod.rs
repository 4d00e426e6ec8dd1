//! Who is asking.
//!
//! Lives here: access tokens, made for enrolled software ([`Issuer`]) and checked at each request
//! ([`Authenticator`]); sessions of people ([`Sessions`]); the enrolment of patients and their devices ([`Patients`]).
//! May touch: `proof`, `vault` (token and registry keys), `store`, `ledger`, `directory`.
//! Must never: decide what an actor may see.

mod bearer;
mod issue;
mod patients;
mod session;

pub use bearer::{Authenticator, Credentials, LONGEST_SECONDS, Unauthenticated};
pub use issue::{Issued, Issuer, PROFESSIONS, Refusal, TokenRequest};
pub use patients::{Identifier, PatientError, Patients};
pub use session::{
    COOKIE, IDLE_SECONDS, LONGEST_SESSION_SECONDS, Login, Person, Provider, SessionError, Sessions, SignedIn, Who,
};
