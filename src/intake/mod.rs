//! The one door in.
//!
//! Lives here: the deeds *admit*, *update*, *delete*: parse, validate, tell whose it is, label, seal, record.
//! [`Intake::deposit`], [`Intake::create`], [`Intake::update`], [`Intake::patch`], [`Intake::delete`] for software
//! with a patient's consent, [`Intake::import`] for the guarantor.
//! May touch: `fhir`, `policy`, `vault` (its sealer, its reader of labels), `store`, `ledger`, `asking` (who asks,
//! on what consents), `identity` (patients are found and enrolled through it).
//! Must never: open a record; store anything of what was refused; tell one who may not deposit why.
//!
//! A text is read twice: first all of it is judged, without a key and without a trace, then entry after entry is
//! rewritten and sealed. Only one entry's tree is held at a time, so a Bundle of 50 MB needs little more than itself.

mod admit;
mod change;
mod current;
mod deposit;
mod errand;
mod import;
mod outline;
mod patch;
mod prepare;
mod reading;
mod receipt;
mod rejected;
mod whose;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use crate::asking::Asking;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::identity::Patients;
use crate::ledger::Ledger;
use crate::policy::Engine;
use crate::store::Store;
use crate::vault::{Indexer, Reader, Sealer};

pub use deposit::Deposited;
pub use errand::{Change, Show, Task};
pub use import::Imported;
pub use patch::Patching;
pub use prepare::{Owner, Prepared};
pub use reading::{Reading, Taken};
pub use receipt::{Admitted, Became, Receipt};
pub use rejected::Rejected;
pub use whose::Whose;

/// The door in and what it needs, each a capability of its own.
pub struct Intake {
    /// Consents, and what is there already.
    pub store: Store,
    /// Decides.
    pub engine: Arc<Engine>,
    /// Records.
    pub ledger: Ledger,
    /// Seals; opens nothing.
    pub sealer: Sealer,
    /// Opens labels, to know what a change changes.
    pub reader: Reader,
    /// Makes the keyed tags under which rows are found.
    pub indexer: Indexer,
    /// Finds and enrols patients.
    pub patients: Arc<Patients>,
    /// Finds out who asks, and on what consents.
    pub asking: Asking,
    /// Our FHIR base URL: references below it are our own.
    pub base_url: String,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub chance: Arc<dyn Chance>,
}

impl Intake {
    /// Runs `work`, which keeps a processor busy, beside the tasks that wait.
    async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Rejected> + Send + 'static,
    ) -> Result<T, Rejected> {
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&this)).await.unwrap_or_else(|error| Err(Rejected::unavailable(error)))
    }
}
