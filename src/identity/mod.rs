//! Who is asking.
//!
//! Lives here: access tokens, made for enrolled software ([`Issuer`]), allowed by people ([`Authorizer`]) and checked at
//! each request ([`Authenticator`]); people's logins at identity providers ([`Logins`]) and their sessions
//! ([`Sessions`]), and whom their end is told ([`Farewells`]); the enrolment of patients, their devices and accounts
//! ([`Patients`]).
//! May touch: `proof`, `openid`, `vault` (token and registry keys), `store`, `ledger`, `directory`.
//! Must never: decide what an actor may see.

mod account;
mod authorize;
mod bearer;
mod exchange;
mod farewell;
mod grant;
mod introspect;
mod issue;
mod listing;
mod login;
mod patients;
mod picker;
mod possession;
mod request;
mod scopes;
mod session;
mod software;
mod ticket;
mod voucher;

pub use account::InvitationTag;
pub use authorize::{
    Answered, Authorizer, CODE_SECONDS, OFFLINE_SECONDS, Page, REQUEST_SECONDS, REQUEST_URI, Reply, Visit,
};
pub use bearer::{Authenticator, Credentials, LONGEST_SECONDS, Unauthenticated};
pub use farewell::{Bid, Farewell, Farewells, Untold};
pub use grant::{GrantError, Grants};
pub use issue::{Issued, Issuer, PROFESSIONS, Refusal, TokenRequest};
pub use listing::Listed;
pub use login::{
    Answer, ClaimNames, Demand, Kind, LONGEST_ATTEMPT_SECONDS, LoginError, Logins, NotEnded, Sent, Way, Welcome,
};
pub use patients::{Identifier, PatientError, Patients};
pub use picker::Picker;
pub use possession::{PERIOD_SECONDS, Possession, Unproved};
pub use request::{AuthorizationRequest, NotAsked};
pub use session::{
    IDLE_SECONDS, LONGEST_SESSION_SECONDS, Login, Person, Provider, SessionError, Sessions, SignedIn, Who,
};
pub use software::ClientProof;
pub use voucher::Vouchers;
