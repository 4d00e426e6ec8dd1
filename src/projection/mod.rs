//! What was agreed and what was done, told as FHIR: Consent, AuditEvent and Provenance.
//!
//! Lives here: the three projections ([`Projection`]), of signed consents, of the log and of admissions; nothing of
//! them is stored, so nothing of them can disagree with what was signed or logged. [`Shown`] is the only thing a door
//! may show, and is made only by spending a permit with its receipt. The reading of a foreign Consent as a request
//! ([`pcf`]).
//! May touch: `asking` (who asks), `consent` (what was signed), `directory` (names), `policy`, `ledger`, `vault` (labels
//! and the log's personal parts), `store`, `fhir`, and `release`'s one word for what is withheld.
//! Must never: open a record's content; show anything before its own leaf is durable; let an AuditEvent, a Consent or
//! the Provenance of a write be made or changed from outside.

mod accounts;
mod agreement;
mod alias;
mod consents;
mod event;
mod events;
mod leaf;
mod meeting;
mod names;
mod origin;
mod origins;
pub mod pcf;
mod shown;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::asking::Asking;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::consent::Consents;
use crate::directory::Register;
use crate::ledger::Ledger;
use crate::policy::Engine;
use crate::store::Store;
use crate::vault::{Indexer, LogReader, Reader};

pub use accounts::{Account, Accounts, By, Did};
pub use events::Window;
pub use origins::{Origin, Target};
pub use shown::{Page, Shown};

/// The projections and what they need, each a capability of its own.
pub struct Projection {
    /// Leaves, revisions, the register.
    pub store: Store,
    /// Decides.
    pub engine: Arc<Engine>,
    /// Records.
    pub ledger: Ledger,
    /// Opens labels.
    pub reader: Reader,
    /// Opens the personal parts of the log.
    pub log: LogReader,
    /// Makes the ids under which events are shown.
    pub indexer: Indexer,
    /// Finds out who asks, and on what consents.
    pub asking: Asking,
    /// What was signed.
    pub consents: Arc<Consents>,
    /// Believes enrolments.
    pub register: Arc<Register>,
    /// The FHIR base URL, without a final slash.
    pub base_url: String,
    /// The guarantor: issuer of tokens and author of the log.
    pub issuer: String,
    /// The log's origin, as its checkpoints name it.
    pub log_origin: String,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the deeds' ids.
    pub chance: Arc<dyn Chance>,
}
