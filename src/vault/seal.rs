//! Sealing and opening one value.
//!
//! Shape: `suite 1 | key version 4 | salt 32 | commitment 32 |` then chunks of up to 64 KiB, each followed by its
//! tag of 16. The chunks joined are the plaintext, zeros up to its size class, and its length in 8 bytes (big endian).
//! Every seal has a key of its own, so the nonce only tells chunks apart: `0 × 7 | chunk 4 | last 1`. The header and
//! the place are authenticated with every chunk. A chunk moved, dropped, repeated or cut off at its border does not
//! open; small values and large ones take the same path.

use std::fmt;
use std::ops::Deref;

use ring::aead::{Aad, NONCE_LEN, Nonce};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::VaultError;
use super::bind::Binding;
use super::pad::bucket;
use super::patient_key::PatientKeys;
use super::place::Place;
use super::wrap::{self, COMMITMENT, SALT, SUITE, TAG};
use crate::chance::Chance;
use crate::model::Sealed;

const CHUNK: usize = 64 * 1024;
const HEADER: usize = 1 + 4 + SALT + COMMITMENT;
const TRAILER: usize = 8;

/// Plaintext, wiped when dropped and never printed.
#[derive(Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct Opened(Vec<u8>);

impl Opened {
    /// The text, when it is UTF-8.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when it is not.
    pub fn as_str(&self) -> Result<&str, VaultError> {
        std::str::from_utf8(&self.0).map_err(|_| VaultError::Refused)
    }
}

impl Opened {
    /// Keeps `part` in the place of the whole, which is wiped.
    #[must_use]
    pub fn reduced_to(mut self, part: Vec<u8>) -> Self {
        std::mem::replace(&mut self.0, part).zeroize();
        self
    }
}

impl Deref for Opened {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened(…)")
    }
}

fn nonce(chunk: usize, last: bool) -> Result<Nonce, VaultError> {
    let mut nonce = [0; NONCE_LEN];
    let index = u32::try_from(chunk).map_err(|_| VaultError::Refused)?;
    if let Some(at) = nonce.get_mut(7..11) {
        at.copy_from_slice(&index.to_be_bytes());
    }
    if let Some(flag) = nonce.last_mut() {
        *flag = u8::from(last);
    }
    Ok(Nonce::assume_unique_for_key(nonce))
}

/// Seals `plaintext` for `place`.
pub(super) fn seal(
    keys: &PatientKeys,
    place: &Place,
    deployment: &str,
    plaintext: &[u8],
    chance: &dyn Chance,
) -> Result<Sealed, VaultError> {
    if keys.patient != place.patient {
        return Err(VaultError::Refused);
    }
    let (version, key) = keys.newest(place.class().key())?;
    let mut binding = place.bind(Binding::after(HEADER), deployment)?;
    let mut salt = [0; SALT];
    chance.fill(&mut salt)?;
    let derived = wrap::derive(key, &salt, binding.from(HEADER))?;

    let padded = plaintext.len().checked_add(TRAILER).and_then(bucket).ok_or(VaultError::Refused)?;
    let chunks = padded.div_ceil(CHUNK);
    let mut out = Vec::with_capacity(HEADER + padded + chunks * TAG);
    out.push(SUITE);
    out.extend_from_slice(&u32::try_from(version).map_err(|_| VaultError::Refused)?.to_be_bytes());
    out.extend_from_slice(&salt);
    out.extend_from_slice(&derived.commitment);
    binding.head(&out)?;

    let mut left = plaintext;
    for chunk in 0..chunks {
        let last = chunk + 1 == chunks;
        let size = if last { padded - chunk * CHUNK } else { CHUNK };
        let start = out.len();
        // Size classes above one chunk are multiples of 2 KiB, so the trailer is never cut in two.
        let room = if last { size - TRAILER } else { size };
        let (now, rest) = left.split_at(left.len().min(room));
        left = rest;
        out.extend_from_slice(now);
        out.resize(start + room, 0);
        if last {
            out.extend_from_slice(&(plaintext.len() as u64).to_be_bytes());
        }
        let body = out.get_mut(start..).ok_or(VaultError::Refused)?;
        let tag = derived.cipher.seal_in_place_separate_tag(nonce(chunk, last)?, Aad::from(binding.all()), body)?;
        out.extend_from_slice(tag.as_ref());
    }
    Ok(Sealed(out))
}

/// Opens what [`seal`] made for the same place with the same patient's key; anything else is refused.
pub(super) fn open(keys: &PatientKeys, place: &Place, deployment: &str, sealed: &Sealed) -> Result<Opened, VaultError> {
    let mut out = decrypt(keys, place, deployment, sealed)?;
    let (_, trailer) = out.0.split_last_chunk::<TRAILER>().ok_or(VaultError::Refused)?;
    let length = usize::try_from(u64::from_be_bytes(*trailer)).map_err(|_| VaultError::Refused)?;
    if length.checked_add(TRAILER).and_then(bucket) != Some(out.0.len()) {
        return Err(VaultError::Refused);
    }
    out.0.truncate(length);
    Ok(out)
}

/// Checks the commitment and decrypts every chunk; the padding is still there.
pub(super) fn decrypt(
    keys: &PatientKeys,
    place: &Place,
    deployment: &str,
    sealed: &Sealed,
) -> Result<Opened, VaultError> {
    if keys.patient != place.patient {
        return Err(VaultError::Refused);
    }
    let (header, body) = sealed.0.split_at_checked(HEADER).ok_or(VaultError::Refused)?;
    let (suite, rest) = header.split_first().ok_or(VaultError::Refused)?;
    let (version, rest) = rest.split_first_chunk::<4>().ok_or(VaultError::Refused)?;
    let (salt, commitment) = rest.split_at_checked(SALT).ok_or(VaultError::Refused)?;
    if *suite != SUITE {
        return Err(VaultError::Refused);
    }
    let key = keys.find(place.class().key(), i64::from(u32::from_be_bytes(*version)))?;
    let mut binding = place.bind(Binding::after(HEADER), deployment)?;
    let derived = wrap::derive(key, salt, binding.from(HEADER))?;
    if !wrap::commits(&derived, commitment) {
        return Err(VaultError::Refused);
    }
    binding.head(header)?;

    // Room for all at once: growing would leave a copy of the plaintext behind, unwiped.
    let mut out = Opened(Vec::with_capacity(body.len()));
    let chunks = body.len().div_ceil(CHUNK + TAG);
    for (index, chunk) in body.chunks(CHUNK + TAG).enumerate() {
        let start = out.0.len();
        out.0.extend_from_slice(chunk);
        let place = out.0.get_mut(start..).ok_or(VaultError::Refused)?;
        let opened =
            derived.cipher.open_in_place(nonce(index, index + 1 == chunks)?, Aad::from(binding.all()), place)?.len();
        out.0.truncate(start + opened);
    }
    Ok(out)
}
