//! Key wrapping, and the derivation that sealing shares with it.
//!
//! Shape of a wrapped secret: `suite 1 | salt 32 | commitment 32 | ciphertext | tag 16`.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::VaultError;
use super::bind::Binding;
use crate::chance::{self, Chance};
use crate::secret::Secret;

/// The one suite: HKDF-SHA-512 to a single-use key and a commitment, AES-256-GCM. A second one would be a new
/// byte and a new table entry here, never a choice read from the data.
pub(super) const SUITE: u8 = 1;
/// Length of a salt.
pub(super) const SALT: usize = 32;
/// Length of a key commitment.
pub(super) const COMMITMENT: usize = 32;
/// Length of an AES-GCM tag.
pub(super) const TAG: usize = 16;
const HEADER: usize = 1 + SALT + COMMITMENT;

/// A 256-bit key: no `Debug`, no `Clone`, wiped on drop. Put it behind a pointer before use, so that it is not moved.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Key(pub(super) [u8; 32]);

impl Key {
    /// Draws a fresh key.
    pub(super) fn fresh(chance: &dyn Chance) -> Result<Self, VaultError> {
        let mut key = Self([0; 32]);
        chance.fill(&mut key.0)?;
        Ok(key)
    }

    /// Takes an unwrapped secret of exactly 32 bytes.
    pub(super) fn read(secret: &Secret<Vec<u8>>) -> Result<Self, VaultError> {
        let mut key = Self([0; 32]);
        if secret.expose().len() != key.0.len() {
            return Err(VaultError::Refused);
        }
        key.0.copy_from_slice(secret.expose());
        Ok(key)
    }
}

/// A single-use cipher key and what commits to it.
pub(super) struct Derived {
    pub(super) cipher: LessSafeKey,
    pub(super) commitment: [u8; COMMITMENT],
}

/// Output length for HKDF: cipher key and commitment in one block of SHA-512.
struct Both;
impl hkdf::KeyType for Both {
    fn len(&self) -> usize {
        32 + COMMITMENT
    }
}

/// `(cipher key, commitment) = HKDF-SHA-512(key, salt, info)`.
///
/// AES-GCM alone does not commit to its key: one ciphertext can be made to open under two (security K5). The
/// commitment is compared before anything is opened.
pub(super) fn derive(key: &Key, salt: &[u8], info: &[u8]) -> Result<Derived, VaultError> {
    let mut both = Zeroizing::new([0u8; 32 + COMMITMENT]);
    hkdf::Salt::new(hkdf::HKDF_SHA512, salt).extract(&key.0).expand(&[info], Both)?.fill(both.as_mut_slice())?;
    let (cipher, commitment) = both.split_first_chunk::<32>().ok_or(VaultError::Refused)?;
    #[expect(clippy::disallowed_methods, reason = "this file makes the room's cipher keys, each used for one message")]
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, cipher)?);
    Ok(Derived { cipher, commitment: commitment.try_into().map_err(|_| VaultError::Refused)? })
}

/// Whether the stored commitment is the derived one, in time that does not depend on where they differ.
pub(super) fn commits(derived: &Derived, stored: &[u8]) -> bool {
    bool::from(derived.commitment.ct_eq(stored))
}

/// Wraps `secret` under `key`, bound to `place`.
pub(super) fn wrap(key: &Key, place: &Binding, secret: &[u8], chance: &dyn Chance) -> Result<Vec<u8>, VaultError> {
    let salt = chance::bytes::<SALT>(chance)?;
    let derived = derive(key, &salt, place.all())?;
    let mut out = Vec::with_capacity(HEADER + secret.len() + TAG);
    out.push(SUITE);
    out.extend_from_slice(&salt);
    out.extend_from_slice(&derived.commitment);
    let mut cipher = Zeroizing::new(secret.to_vec());
    // Nonce zero: the salt makes the key single-use (security K3).
    let tag = derived.cipher.seal_in_place_separate_tag(
        Nonce::assume_unique_for_key([0; NONCE_LEN]),
        aad(&out, place),
        &mut cipher,
    )?;
    out.extend_from_slice(&cipher);
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

/// Unwraps what [`wrap`] made under the same key for the same place; anything else is refused.
pub(super) fn unwrap(key: &Key, place: &Binding, wrapped: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
    let (header, body) = wrapped.split_at_checked(HEADER).ok_or(VaultError::Refused)?;
    let (suite, rest) = header.split_first().ok_or(VaultError::Refused)?;
    let (salt, commitment) = rest.split_at_checked(SALT).ok_or(VaultError::Refused)?;
    if *suite != SUITE {
        return Err(VaultError::Refused);
    }
    let derived = derive(key, salt, place.all())?;
    if !commits(&derived, commitment) {
        return Err(VaultError::Refused);
    }
    let mut buffer = Zeroizing::new(body.to_vec());
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let secret = derived.cipher.open_in_place(nonce, aad(header, place), &mut buffer)?;
    Ok(Secret::new(secret.to_vec()))
}

/// The whole header is authenticated, and the place once more beside it.
fn aad(header: &[u8], place: &Binding) -> Aad<Vec<u8>> {
    Aad::from([header, place.all()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn any_changed_byte_or_length_of_a_wrapped_key_is_refused() {
        let chance = SeededChance::new(1);
        let key = Key::fresh(&chance).unwrap();
        let place = Binding::new().field(b"here").unwrap();
        let wrapped = wrap(&key, &place, &[7; 32], &chance).unwrap();
        assert_eq!(unwrap(&key, &place, &wrapped).unwrap().expose(), &[7; 32]);
        for at in 0..wrapped.len() {
            for bit in 0..8 {
                let mut bad = wrapped.clone();
                bad[at] ^= 1 << bit;
                assert!(unwrap(&key, &place, &bad).is_err(), "byte {at} bit {bit}");
            }
            assert!(unwrap(&key, &place, &wrapped[..at]).is_err(), "cut at {at}");
        }
        let there = Binding::new().field(b"there").unwrap();
        assert!(unwrap(&key, &there, &wrapped).is_err());
        assert!(unwrap(&Key::fresh(&chance).unwrap(), &place, &wrapped).is_err());
    }
}
