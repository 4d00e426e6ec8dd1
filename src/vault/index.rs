//! The blind index, the row MAC and the MAC of the server's nonces.

use ring::hmac;

use super::VaultError;
use super::wrap::Key;
use crate::id::PatientId;
use crate::model::Grantee;

fn put(context: &mut hmac::Context, part: &[u8]) {
    // Lengths first: joined parts could be split in two ways.
    context.update(&(part.len() as u64).to_be_bytes());
    context.update(part);
}

fn context(key: &hmac::Key, domain: &str, parts: &[&[u8]]) -> hmac::Context {
    let mut context = hmac::Context::with_key(key);
    put(&mut context, domain.as_bytes());
    context.update(&(parts.len() as u64).to_be_bytes());
    for part in parts {
        put(&mut context, part);
    }
    context
}

/// Makes blind-index tags: equal values of one field have equal tags, and without the key a tag tells nothing.
///
/// An index is a hint: whoever finds a row by it compares the decrypted value (security C08).
#[derive(Clone)]
pub struct Indexer(hmac::Key);

impl Indexer {
    /// The tag under which a patient's consents for `grantee` stand: per patient, so that nobody sees from the rows
    /// which patients share a grantee.
    #[must_use]
    pub fn grantee(&self, patient: PatientId, grantee: &Grantee) -> [u8; 16] {
        short(&self.tag("grantee", &[patient.as_bytes(), grantee.to_string().as_bytes()]))
    }

    /// The tag under which a patient's records of one type stand.
    #[must_use]
    pub fn kind(&self, patient: PatientId, resource_type: &str) -> [u8; 8] {
        short(&self.tag("kind", &[patient.as_bytes(), resource_type.as_bytes()]))
    }

    /// The tag under which a patient is found by an identifier; full length, for it must be unique.
    #[must_use]
    pub fn identifier(&self, system: &str, value: &str) -> [u8; 32] {
        self.tag("identifier", &[system.as_bytes(), value.as_bytes()])
    }

    pub(super) fn new(key: &Key) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key.0))
    }

    /// The tag of `parts` in `field`; fields never share a tag.
    #[must_use]
    pub fn tag(&self, field: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        // HMAC-SHA-256 has exactly this length; zip keeps that free of a panic.
        for (to, from) in out.iter_mut().zip(context(&self.0, field, parts).sign().as_ref()) {
            *to = *from;
        }
        out
    }
}

/// The first `N` bytes of a tag.
fn short<const N: usize>(tag: &[u8; 32]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(tag) {
        *to = *from;
    }
    out
}

/// Authenticates rows that hold no ciphertext.
#[derive(Clone)]
pub struct RowMac(hmac::Key);

impl RowMac {
    pub(super) fn new(key: &Key) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key.0))
    }

    /// The MAC of the parts, which begin with the table's name and hold the row's whole key.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        Indexer(self.0.clone()).tag("garant row", parts)
    }

    /// Verifies `mac` over `parts` in time that does not depend on where it differs.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when it is another.
    pub fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> Result<(), VaultError> {
        use subtle::ConstantTimeEq;
        if bool::from(self.mac(parts).ct_eq(mac)) { Ok(()) } else { Err(VaultError::Refused) }
    }
}

/// Authenticates the server's nonces, under a key of its own: a nonce goes out to anyone, a row's seal to nobody.
#[derive(Clone)]
pub struct NonceMac(hmac::Key);

impl NonceMac {
    pub(super) fn new(key: &Key) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key.0))
    }

    /// The first half of the MAC of `period`; 128 bits cannot be guessed while it lasts.
    #[must_use]
    pub fn mac(&self, period: i64) -> [u8; 16] {
        let mut out = [0; 16];
        let tag = Indexer(self.0.clone()).tag("garant nonce", &[&period.to_be_bytes()]);
        for (to, from) in out.iter_mut().zip(tag) {
            *to = from;
        }
        out
    }

    /// Verifies `mac` over `period` in time that does not depend on where it differs.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when it is another.
    pub fn verify(&self, period: i64, mac: &[u8]) -> Result<(), VaultError> {
        use subtle::ConstantTimeEq;
        if bool::from(self.mac(period).ct_eq(mac)) { Ok(()) } else { Err(VaultError::Refused) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_depends_on_key_field_and_every_border_between_parts() {
        let index = Indexer::new(&Key([1; 32]));
        let tags = [
            index.tag("ins", &[b"ab", b"c"]),
            index.tag("ins", &[b"a", b"bc"]),
            index.tag("ins", &[b"abc"]),
            index.tag("ins", &[b"ab", b"c", b""]),
            index.tag("name", &[b"ab", b"c"]),
            Indexer::new(&Key([2; 32])).tag("ins", &[b"ab", b"c"]),
        ];
        for (i, a) in tags.iter().enumerate() {
            assert!(tags[i + 1..].iter().all(|b| a != b), "{i}");
        }
        assert_eq!(tags[0], index.tag("ins", &[b"ab", b"c"]));
    }

    #[test]
    fn a_changed_row_or_mac_is_refused() {
        let mac = RowMac::new(&Key([1; 32]));
        let good = mac.mac(&[b"consent", b"row"]);
        assert!(mac.verify(&[b"consent", b"row"], &good).is_ok());
        assert!(mac.verify(&[b"consent", b"rov"], &good).is_err());
        assert!(mac.verify(&[b"consent", b"row"], &good[..31]).is_err());
        for at in 0..32 {
            let mut bad = good;
            bad[at] ^= 1;
            assert!(mac.verify(&[b"consent", b"row"], &bad).is_err());
        }
    }
}
