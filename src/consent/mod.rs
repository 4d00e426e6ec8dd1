//! The patient's word: what was signed, and what it is worth.
//!
//! Lives here: the evidence of consents ([`Kept`]) and its verification ([`Checker`]); the deeds prepare, sign
//! (grant, narrow, exclude, lift), revoke, preview, request and decline, all done by [`Consents`].
//! May touch: `policy`, `proof`, `vault` (verify, countersign, seal), `store`, `ledger`, `directory`.
//! Must never: open a record; believe a row without its signatures.

mod check;
mod error;
mod exclude;
mod grant;
mod grantee;
mod issued;
mod kept;
mod law;
mod lift;
mod list;
mod narrow;
mod prepare;
mod preview;
pub mod read;
mod record;
mod request;
mod revoke;
pub mod row;
mod sentence;
mod sign;
mod signer;
mod standing;
pub mod terms;
mod words;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::directory::Register;
use crate::ledger::Ledger;
use crate::policy::Engine;
use crate::store::Store;
use crate::vault::{Indexer, RowMac, Sealer, TokenSigner, Unwrapper};

pub use check::{Checker, LONGEST, Unproved};
pub use error::ConsentError;
pub use grantee::Recipient;
pub use kept::Kept;
pub use list::{Past, View};
pub use prepare::{Draft, Wish};
pub use preview::Preview;
pub use request::{LONGEST_MESSAGE, MOST_OPEN, OPEN_DAYS, Request, RequestId};
pub use sign::{ConsentReceipt, Signed};
pub use words::profession;

/// The deeds of patients over their consents, and what they need, each a capability of its own.
pub struct Consents {
    /// Where consents are kept.
    pub store: Store,
    /// Where each deed is recorded.
    pub ledger: Ledger,
    /// Believes consents; has the names of issuer and audience.
    pub checker: Arc<Checker>,
    /// Says what the law would never honour.
    pub engine: Arc<Engine>,
    /// Believes enrolments.
    pub register: Arc<Register>,
    /// Unwraps a patient's keys, once per request.
    pub unwrapper: Unwrapper,
    /// Seals evidence and requests.
    pub sealer: Sealer,
    /// Makes the keyed tags of grantees.
    pub indexer: Indexer,
    /// Authenticates rows and prepared statements.
    pub mac: RowMac,
    /// Countersigns; signs nothing else.
    pub signer: TokenSigner,
    /// Web origins whose passkey assertions are taken.
    pub origins: Vec<String>,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub chance: Arc<dyn Chance>,
}
