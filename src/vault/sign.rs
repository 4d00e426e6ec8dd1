//! Ed25519 signatures of the log and of the registry. Two keys: who signs one may not be able to sign the other
//! (security K19).

use std::sync::Arc;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::VaultError;
use super::wrap::Key;

/// Length of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

struct Pair {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl Pair {
    fn read(seed: &Key, public: &[u8]) -> Result<Arc<Self>, VaultError> {
        let pair = Ed25519KeyPair::from_seed_and_public_key(&seed.0, public).map_err(|_| VaultError::Refused)?;
        let public = public.try_into().map_err(|_| VaultError::Refused)?;
        Ok(Arc::new(Self { pair, public }))
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], VaultError> {
        self.pair.sign(message).as_ref().try_into().map_err(|_| VaultError::Refused)
    }
}

/// The public key that belongs to `seed`.
pub(super) fn public_of(seed: &Key) -> Result<Vec<u8>, VaultError> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed.0).map_err(|_| VaultError::Refused)?;
    Ok(pair.public_key().as_ref().to_vec())
}

/// Signs the log's checkpoints and nothing else.
#[derive(Clone)]
pub struct LogSigner(Arc<Pair>);

impl LogSigner {
    pub(super) fn read(seed: &Key, public: &[u8]) -> Result<Self, VaultError> {
        Pair::read(seed, public).map(Self)
    }

    /// Signs `message` as it is; checkpoints carry their own first line.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], VaultError> {
        self.0.sign(message)
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.public
    }
}

/// Signs the guarantor's registry entries and certificates. Each message must begin with what it is.
#[derive(Clone)]
pub struct RegistrySigner(Arc<Pair>);

impl RegistrySigner {
    pub(super) fn read(seed: &Key, public: &[u8]) -> Result<Self, VaultError> {
        Pair::read(seed, public).map(Self)
    }

    /// Signs the exact bytes that are stored (security K17).
    pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], VaultError> {
        self.0.sign(message)
    }

    /// The verifier for this key.
    #[must_use]
    pub fn verifier(&self) -> RegistryVerifier {
        RegistryVerifier(self.0.public)
    }
}

/// Verifies registry signatures; needs no secret, so an outsider can build one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegistryVerifier([u8; 32]);

impl RegistryVerifier {
    /// The public key.
    #[must_use]
    pub const fn public(&self) -> [u8; 32] {
        self.0
    }

    /// Verifies `signature` over the exact `message`.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when it does not.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VaultError> {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).map_err(VaultError::from)
    }
}
