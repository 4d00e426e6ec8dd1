//! Hiding and showing single documents.
//!
//! Lives here: the deeds over the visibility codes of a record: look ([`Masking::codes`]) and change one
//! ([`Masking::change`]), by the patient or by the professional who deposited it.
//! May touch: `policy`, `vault` (labels only: its reader and sealer), `store`, `ledger`, `asking`.
//! Must never: open content; touch another label than the one that is named; tell one who may not see it that it is.

mod change;
mod gather;

use std::sync::Arc;

use crate::asking::{Asking, Unasked};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::policy::Engine;
use crate::store::Store;
use crate::vault::{Reader, Sealer};

pub use change::Masked;

/// The deeds and what they need.
pub struct Masking {
    /// Labels and consents.
    pub store: Store,
    /// Decides.
    pub engine: Arc<Engine>,
    /// Records.
    pub ledger: Ledger,
    /// Opens labels.
    pub reader: Reader,
    /// Seals them again.
    pub sealer: Sealer,
    /// Finds out who asks, and on what consents.
    pub asking: Asking,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the deeds' ids.
    pub chance: Arc<dyn Chance>,
}

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum Unmasked {
    /// Not there, or not theirs to see or to change: nobody outside can tell which. A refusal is on record.
    #[error("not found")]
    Hidden,
    /// Somebody else changed the record meanwhile; it may be tried again.
    #[error("the record changed meanwhile")]
    Conflict,
    /// Something below failed, or does not prove what it says.
    #[error("this cannot be done now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Unmasked {
    fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<Unasked> for Unmasked {
    fn from(unasked: Unasked) -> Self {
        match unasked {
            Unasked::Hidden => Self::Hidden,
            Unasked::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
