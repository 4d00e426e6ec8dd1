//! The root key seam.

use super::VaultError;
use crate::secret::Secret;

/// What guards the key-encryption keys. The root key itself never enters a database.
///
/// Used when the keyring opens and when an epoch begins, never while a request waits.
pub trait Root: Send + Sync {
    /// Wraps `secret`, bound to `aad`.
    ///
    /// # Errors
    /// [`VaultError::Root`] when the root key cannot be used.
    fn wrap(&self, aad: &[u8], secret: &[u8]) -> Result<Vec<u8>, VaultError>;

    /// Unwraps what [`Root::wrap`] made with the same `aad`.
    ///
    /// # Errors
    /// [`VaultError::Root`] when it does not open.
    fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, VaultError>;

    /// What kind of root it is, for the operator.
    fn kind(&self) -> &'static str;

    /// Whether production may start on it.
    fn production_safe(&self) -> bool;
}

pub(super) const DOES_NOT_OPEN: VaultError =
    VaultError::Root("this root key does not open this keystore; another root key, or the keystore was changed");
