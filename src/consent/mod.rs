//! The patient's word: what was signed, and what it is worth.
//!
//! Lives here: the evidence of consents ([`Kept`]) and its verification ([`Checker`]); the deeds prepare, grant,
//! narrow, revoke, exclude, lift, request and preview.
//! May touch: `policy`, `proof`, `vault` (verify, countersign, seal), `store`, `ledger`, `directory`.
//! Must never: open a record; believe a row without its signatures.

mod check;
mod kept;
pub mod row;

pub use check::{Checker, LONGEST, Unproved};
pub use kept::Kept;
