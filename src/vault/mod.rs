//! Keys: kept wrapped, used here, handed to nobody.
//!
//! Lives here: the root key seam ([`Root`]), the keystore and its [`Keyring`], sealing and opening,
//! the deployment's signatures and blind index, rotation, and erasure by destroying keys.
//! May touch: `model`, `secret`, `db`, `json`, `id`, `clock`, `chance`; `ring`, `josekit`, `argon2`, `cryptoki`.
//! Must never: name `store` or `policy`; log; say why something did not open; keep plaintext beyond a call.
//!
//! Rooms get one capability each ([`Sealer`], [`Opener`], [`Reader`], [`LogSealer`], [`LogReader`], [`Unwrapper`],
//! [`Enroller`], [`Rewrapper`], [`Shredder`], [`PageSealer`], the signers): `app` holds the [`Keyring`] and shows it to nobody.

mod bind;
mod cache;
mod capability;
mod enrol;
mod epoch;
mod hex;
mod index;
mod keyring;
mod keystore;
mod pad;
mod page;
mod patient_key;
mod place;
mod root;
mod root_file;
mod root_hsm;
mod rotate;
mod seal;
mod service_key;
mod shred;
mod sign;
mod token;
mod wrap;

#[cfg(test)]
mod tests;

pub use capability::{Enroller, LogReader, LogSealer, Opener, Reader, Rewrapper, Sealer, Shredder, Unwrapper};
pub use epoch::EpochMark;
pub use index::{Indexer, NonceMac, RowMac};
pub use keyring::{Keyring, Setup};
pub use keystore::MIGRATIONS;
pub use page::PageSealer;
pub use patient_key::PatientKeys;
pub use place::Place;
pub use root::Root;
pub use root_file::FileRoot;
pub use root_hsm::{HsmRoot, HsmSettings};
pub use rotate::{Progress, Rotation};
pub use seal::Opened;
pub use shred::{ShredCertificate, Which};
pub use sign::{LogSigner, RegistrySigner, RegistryVerifier, SIGNATURE_BYTES};
pub use token::TokenSigner;

use crate::chance::NoChance;
use crate::db::DbError;

/// Why there is no answer. Says nothing that tells a wrong key from a wrong tag (security C16).
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The patient has no such key: never enrolled, or erased.
    #[error("no key")]
    NoKey,
    /// It does not open, does not verify, or may not be done with this capability.
    #[error("refused")]
    Refused,
    /// The root key cannot be used; tells the operator what to look at.
    #[error("root key: {0}")]
    Root(&'static str),
    /// The keystore gave no answer.
    #[error("keystore: {0}")]
    Keystore(#[from] DbError),
}

impl From<NoChance> for VaultError {
    fn from(_: NoChance) -> Self {
        Self::Refused
    }
}

impl From<ring::error::Unspecified> for VaultError {
    fn from(_: ring::error::Unspecified) -> Self {
        Self::Refused
    }
}
