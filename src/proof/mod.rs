//! Strict verification of everything signed that comes from outside.
//!
//! Lives here: public keys ([`key`]), the compact JWS ([`jws`]), the five kinds of token and proof we accept,
//! the patient's signature over a statement ([`statement`], [`webauthn`]) and the memory of signatures
//! already checked ([`memo`]). All pure functions over bytes; `ring` alone does the mathematics.
//! May touch: `clock`, `id`, `json`, `model`, `secret`, `chance`.
//! Must never: do input or output, know SQL, decide access. A proof says who signed what, not what they may do.
//!
//! Why not a general JOSE library: the one we tried accepts a token without `aud`, panics on `exp: 1e300`,
//! keeps the last of two equal names and takes an unknown `crit` (see the tests, one for each hole).

pub mod access_token;
pub mod base64url;
mod claims;
pub mod client_assertion;
pub mod consent_token;
pub mod dpop;
mod iua;
pub mod jws;
pub mod key;
pub mod memo;
mod refused;
pub mod statement;
pub mod webauthn;
mod write;

#[cfg(test)]
mod tests;

pub use access_token::{AccessToken, Behind};
pub use claims::{Claims, Window};
pub use client_assertion::{ClientAssertion, Profile};
pub use consent_token::ConsentToken;
pub use dpop::Dpop;
pub use iua::Iua;
pub use key::{PublicKey, Thumbprint};
pub use memo::Memo;
pub use refused::Refused;
pub use statement::{EnrolledKey, Evidence};
pub use webauthn::Site;
