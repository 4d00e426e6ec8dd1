//! The memory: what was done, provably, in the order it was done.
//!
//! Lives here: the leaf ([`entry`], [`personal`]), the Merkle tree of RFC 6962 ([`merkle`], [`path`]), C2SP
//! notes, checkpoints, tiles and proof files ([`note`], [`checkpoint`], [`tiles`], [`proof`]), the house law
//! ([`law`]) and the offline verifier ([`verify`]) with its counterpart ([`export`]).
//! May touch: the ground and the words; `ring` for SHA-256 and Ed25519; the file system in [`verify`] and
//! [`export`] only.
//! Must never: hold clinical content or the identity of a person in a leaf; change or delete a leaf; let a
//! verifier need the network, a database or a secret.

pub mod checkpoint;
pub mod entry;
pub mod export;
pub mod law;
pub mod merkle;
pub mod note;
pub mod path;
pub mod personal;
pub mod proof;
pub mod tiles;
pub mod verify;
pub mod vkey;
pub mod words;

#[cfg(test)]
mod oracles;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tampering;

pub use checkpoint::Checkpoint;
pub use entry::{Basis, Entry, commit};
pub use merkle::{Frontier, Hash};
pub use personal::Personal;
pub use words::{Act, Ground, Reason};
