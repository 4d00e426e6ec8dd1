//! The one door out.
//!
//! Lives here: the deeds that release content: [`Door::read`], [`Door::vread`], [`Door::history`],
//! [`Door::search`], [`Door::read_to_patch`]; the one that tells only what is there, [`Door::like`]; and [`Released`], the only thing a door to the outside may show.
//! May touch: `fhir`, `policy`, `vault` (its opener), `store`, `ledger`, and `asking` (who asks, on what consents).
//! Must never: return content without spending a `Permit` and its `Receipt`.

mod ask;
mod exists;
mod history;
mod include;
mod link;
mod open;
mod patch;
mod read;
mod scan;
mod search;
mod vread;
mod wanted;

use std::sync::Arc;

use crate::asking::Asking;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::policy::Engine;
use crate::store::Store;
use crate::vault::{Indexer, Opener, PageSealer, Reader};

pub use exists::Like;
pub use history::{History, Stretch, Version};
pub use link::Link;
pub use open::Released;
pub use search::{Entry, Page};
pub use wanted::Wanted;

/// The door and what it needs to open, each a capability of its own.
pub struct Door {
    /// Ciphertext and consents.
    pub store: Store,
    /// Decides.
    pub engine: Arc<Engine>,
    /// Records.
    pub ledger: Ledger,
    /// Opens content; held by this room alone.
    pub opener: Opener,
    /// Opens labels, search values and evidence.
    pub reader: Reader,
    /// Makes the keyed tags under which rows are found.
    pub indexer: Indexer,
    /// Seals links to further pages.
    pub pages: PageSealer,
    /// Finds out who asks, and on what consents.
    pub asking: Asking,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the deeds' ids.
    pub chance: Arc<dyn Chance>,
}

/// Why nothing leaves.
#[derive(Debug, thiserror::Error)]
pub enum Withheld {
    /// Hidden or absent: nobody outside can tell which. A refusal is on record.
    #[error("not found")]
    Hidden,
    /// It was deleted, and whoever asks might have seen it. That this was told is on record.
    #[error("deleted")]
    Gone,
    /// The token does not speak of this type and interaction at all; that says nothing about any patient.
    #[error("the access token does not cover this")]
    OutOfScope,
    /// The search cannot be honoured as asked.
    #[error("{0}")]
    BadQuery(String),
    /// Too much comes along to be released at once.
    #[error("too many records come along; narrow the search")]
    TooMany,
    /// Something below failed, or does not prove what it says: no data.
    #[error("the record cannot be released now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Withheld {
    /// Whatever went wrong below.
    pub(crate) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
