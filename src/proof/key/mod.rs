//! Public keys: P-256 and Ed25519, nothing else.

mod cose;
mod curve;
mod jwk;
#[cfg(test)]
pub(in crate::proof) mod tests;

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

use super::{Refused, base64url};

/// How a signature is made and written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256, r and s of 32 bytes each (JOSE `ES256`).
    Es256,
    /// Ed25519 (JOSE `EdDSA`).
    EdDsa,
}

impl Algorithm {
    /// The exact name in a JOSE header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key that verifies. Ed25519 keys of small order never become one (J21): with them every message verifies.
///
/// What is read from outside ([`PublicKey::from_jwk`], [`PublicKey::from_cose`], [`PublicKey::from_bytes`]) is
/// on its curve; [`PublicKey::from_enrolled`] trusts that this was asked at enrolment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// The uncompressed point of SEC 1: 4, x, y.
    P256([u8; 65]),
    /// The encoding of RFC 8032.
    Ed25519([u8; 32]),
}

impl PublicKey {
    /// Reads a key to be enrolled: 65 bytes are an uncompressed P-256 point, 32 bytes an Ed25519 key.
    ///
    /// # Errors
    /// [`Refused`] for other lengths, points off the curve and points of small order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        Self::from_enrolled(bytes)?.on_curve()
    }

    /// Reads a key back from where it was kept since enrolment, without asking again whether it is on its curve.
    ///
    /// A point that is not would verify nothing: `ring` asks at each verification.
    ///
    /// # Errors
    /// [`Refused`] for other lengths and points of small order.
    pub fn from_enrolled(bytes: &[u8]) -> Result<Self, Refused> {
        if let Ok(point) = <[u8; 65]>::try_from(bytes) {
            return if point.first() == Some(&4) { Ok(Self::P256(point)) } else { Err(Refused::because("key point")) };
        }
        let key = <[u8; 32]>::try_from(bytes).map_err(|_| Refused::because("key length"))?;
        if curve::is_small_order(&key) { Err(Refused::because("key of small order")) } else { Ok(Self::Ed25519(key)) }
    }

    fn on_curve(self) -> Result<Self, Refused> {
        let holds = match &self {
            Self::P256(point) => {
                let (x, y) = coordinates(point);
                curve::is_on_p256(&x, &y)
            }
            Self::Ed25519(key) => curve::is_on_ed25519(key),
        };
        if holds { Ok(self) } else { Err(Refused::because("key not on the curve")) }
    }

    /// The bytes to keep: what [`PublicKey::from_enrolled`] reads.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::P256(point) => point,
            Self::Ed25519(key) => key,
        }
    }

    /// The one JOSE algorithm this key is used with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Verifies a JOSE signature of 64 bytes.
    ///
    /// ECDSA accepts (r, n − s) beside (r, s), and authenticators make both, so both verify here: the identity of
    /// what was signed is its `jti` or statement id, never its bytes (J18).
    ///
    /// # Errors
    /// [`Refused`] unless the signature is of `message` by this key.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        let checked = match self {
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        checked.map_err(|_| Refused::because("signature"))
    }

    /// Verifies a WebAuthn signature: DER for ECDSA (WA-06), 64 bytes for Ed25519.
    ///
    /// # Errors
    /// [`Refused`] unless the signature is of `message` by this key.
    pub fn verify_webauthn(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        match self {
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
                .verify(message, signature)
                .map_err(|_| Refused::because("signature")),
            Self::Ed25519(_) => self.verify(message, signature),
        }
    }

    /// The thumbprint of RFC 7638, over the required members only (D08).
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        let hash = digest(&SHA256, self.to_jwk().as_bytes());
        let mut out = [0; 32];
        out.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        Thumbprint(out)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm().name(), self.thumbprint())
    }
}

/// The x and y of an uncompressed point.
fn coordinates(point: &[u8; 65]) -> ([u8; 32], [u8; 32]) {
    let (mut x, mut y) = ([0; 32], [0; 32]);
    x.iter_mut().zip(point.iter().skip(1)).for_each(|(to, from)| *to = *from);
    y.iter_mut().zip(point.iter().skip(33)).for_each(|(to, from)| *to = *from);
    (x, y)
}

/// The uncompressed point with these coordinates.
fn point(x: &[u8; 32], y: &[u8; 32]) -> [u8; 65] {
    let mut point = [4; 65];
    point.iter_mut().skip(1).zip(x.iter().chain(y)).for_each(|(to, from)| *to = *from);
    point
}

/// A key's name by its content (RFC 7638, SHA-256); its text is 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint(pub [u8; 32]);

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Thumbprint {
    type Err = Refused;
    fn from_str(text: &str) -> Result<Self, Refused> {
        base64url::decode_exact(text).map(Self)
    }
}
