//! Decides: may this actor do this with these records, for this purpose, now?
//!
//! Lives here: the Cedar policies and the profession matrix (embedded from `policies/`), their strict loading, the
//! decision, and its two answers: [`Permit`], which nobody else can make, and [`Denial`].
//! May touch: `model`, the ground, `cedar-policy`, and `ring` for digests of what was decided upon.
//! Must never: do input or output, wait, read the time, see a record's content, or let an error be an answer other
//! than no.
//!
//! Two policy sets must both allow: what the patient consents to (`garant.cedar`) and what the law of the place
//! allows (`fr/law.cedar`). Neither can stand in for the other, so no consent waives the law.

mod access;
mod engine;
mod entities;
mod grant;
mod layer;
mod mask;
mod matrix;
mod memo;
mod named;
mod permit;
mod question;
mod reason;

#[cfg(test)]
mod tests;

pub use engine::Engine;
pub use grant::Prospect;
pub use permit::{Denial, Ground, Permit};
pub use question::{Exclusion, Provision, Question, Standing};
pub use reason::Reason;

/// Why the policies cannot be loaded; the server must not start.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The schema does not parse.
    #[error("the policy schema does not parse: {0}")]
    Schema(String),
    /// A policy file does not parse.
    #[error("{0} does not parse: {1}")]
    Syntax(&'static str, String),
    /// A policy does not hold against the schema, warnings included.
    #[error("{0} fails strict validation: {1}")]
    Invalid(&'static str, String),
    /// A policy breaks a rule of the house: permits only, each with `@id` and one reason per condition.
    #[error("{0}: policy {1}: {2}")]
    House(&'static str, String, &'static str),
    /// The profession matrix is not sound.
    #[error("the profession matrix: {0}")]
    Matrix(String),
}
