//! The memory: what was done, provably, in the order it was done.
//!
//! Lives here: the sequencer ([`Ledger`], [`Sequencer`]) and the publisher of checkpoints ([`Publisher`]); the leaf ([`entry`], [`personal`]), the Merkle tree of RFC 6962 ([`merkle`], [`path`]), C2SP
//! notes, checkpoints, tiles and proof files ([`note`], [`checkpoint`], [`tiles`], [`proof`]), the house law
//! ([`law`]) and the offline verifier ([`verify`]) with its counterpart ([`export`]).
//! May touch: `policy` (permits), `vault` (its log keys), `store`; `ring` for SHA-256 and Ed25519; the file system in
//! [`verify`], [`export`] and for the anchor only. Everything but sequencer, disclose and publish is pure.
//! Must never: hold clinical content or the identity of a person in a leaf; change or delete a leaf; let a
//! verifier need the network, a database or a secret.

pub mod checkpoint;
mod disclose;
pub mod entry;
pub mod export;
pub mod law;
pub mod mark;
mod memory;
pub mod merkle;
pub mod note;
pub mod path;
pub mod personal;
pub mod proof;
mod publish;
mod sequencer;
pub mod tiles;
pub mod verify;
pub mod vkey;
pub mod words;

#[cfg(test)]
mod grouping;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tampering;

pub use checkpoint::Checkpoint;
pub use disclose::{Footing, Ledger, NOBODY, Needs, Receipt, Refusal, Unrecorded};
pub use entry::{Basis, Entry, commit};
pub use mark::{Enrolment, Marked};
pub use merkle::{Frontier, Hash};
pub use personal::Personal;
pub use publish::{Publisher, Unsound};
pub use sequencer::{Change, Deed, Placed, Sequencer, Unplaced};
pub use words::{Act, Ground, Reason};
