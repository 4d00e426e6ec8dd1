//! The patient's signature over a statement, and how it is kept as evidence.
//!
//! A statement is verified over the bytes that are stored; it is never written again from what was read (K17).

use super::jws::{self, Rules};
use super::key::Algorithm;
use super::refused::ensure;
use super::webauthn::{Assertion, Passkey, Site, challenge_of};
use super::write::Object;
use super::{Memo, PublicKey, Refused, base64url};
use crate::id::DeviceId;
use crate::json::{self, Limits, Node};

/// The value of `typ` when a device signs a statement by itself.
pub const TYP: &str = "consent-statement+jws";

/// The longest evidence that is looked at: a statement of 8 kB in base64, and the rest.
const LIMITS: Limits = Limits { bytes: 16 * 1024, depth: 1 };

/// How a patient signed a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// A device with a key of its own: a compact JWS, ES256, whose payload is the statement and whose `kid` is
    /// the device.
    Device(String),
    /// A passkey: an assertion whose challenge is the statement's hash.
    Passkey(Assertion),
}

/// The key a patient enrolled; found by patient *and* device, never by credential id alone (CT-03, WA-06).
#[derive(Clone, Copy, Debug)]
pub struct EnrolledKey<'k> {
    /// Its name.
    pub device: DeviceId,
    /// The public key.
    pub key: PublicKey,
    /// What it is.
    pub kind: Kind<'k>,
}

/// What an enrolled key is. One kind never stands in for the other.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'k> {
    /// A device that signs by itself.
    Device,
    /// A passkey.
    Passkey {
        /// Its credential id.
        credential: &'k [u8],
        /// The patient's handle, when one was given to the authenticator.
        user_handle: Option<&'k [u8]>,
        /// Where it may be used.
        site: &'k Site,
    },
}

impl Evidence {
    /// `device` or `passkey`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Device(_) => "device",
            Self::Passkey(_) => "passkey",
        }
    }

    /// The canonical bytes (RFC 8785) to be stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let object = match self {
            Self::Device(jws) => Object::new().text("jws", jws).text("kind", self.kind()),
            Self::Passkey(a) => Object::new()
                .text("authenticatorData", &base64url::encode(&a.authenticator_data))
                .text("clientDataJSON", &base64url::encode(&a.client_data))
                .text("credential", &base64url::encode(&a.credential))
                .text("kind", self.kind())
                .text("signature", &base64url::encode(&a.signature))
                .optional("userHandle", a.user_handle.as_deref().map(base64url::encode).as_deref()),
        };
        object.end().into_bytes()
    }

    /// Reads evidence back from its bytes.
    ///
    /// # Errors
    /// [`Refused`] unless they are exactly what [`Evidence::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let tree = json::parse(bytes, LIMITS).map_err(|_| Refused::because("evidence"))?;
        let evidence = match tree.text_of("kind") {
            Some("device") => Self::Device(tree.text_of("jws").ok_or(Refused::because("evidence"))?.to_owned()),
            Some("passkey") => Self::Passkey(Assertion {
                credential: binary(&tree, "credential")?,
                authenticator_data: binary(&tree, "authenticatorData")?,
                client_data: binary(&tree, "clientDataJSON")?,
                signature: binary(&tree, "signature")?,
                user_handle: tree.get("userHandle").map(|_| binary(&tree, "userHandle")).transpose()?,
            }),
            Some(_) | None => return Err(Refused::because("evidence kind")),
        };
        // Unknown members, blanks and other orders show here.
        ensure(evidence.to_bytes() == bytes, "evidence not canonical")?;
        Ok(evidence)
    }
}

fn binary(tree: &Node<'_>, name: &str) -> Result<Vec<u8>, Refused> {
    base64url::decode(tree.text_of(name).ok_or(Refused::because("evidence member"))?)
}

/// Verifies that the holder of this key signed exactly these bytes.
///
/// It says nothing about time, about what the statement allows, or about whether the key was active: those are
/// asked by the caller each time, also when `memo` remembers the signature.
///
/// # Errors
/// [`Refused`] otherwise.
pub fn verify(
    statement_bytes: &[u8],
    evidence: &Evidence,
    enrolled: &EnrolledKey<'_>,
    memo: Option<&Memo>,
) -> Result<(), Refused> {
    match (evidence, enrolled.kind) {
        (Evidence::Device(token), Kind::Device) => {
            let rules = Rules { longest: LIMITS.bytes, ..Rules::of(TYP, &[Algorithm::Es256]) };
            let device = enrolled.device.to_string();
            let verified = jws::verify(token, &rules, memo, |kid| (kid == device).then_some(enrolled.key))?;
            ensure(verified.payload() == statement_bytes, "another statement")
        }
        (Evidence::Passkey(assertion), Kind::Passkey { credential, user_handle, site }) => {
            let passkey = Passkey { key: enrolled.key, credential, user_handle, site };
            assertion.verify(&challenge_of(statement_bytes), &passkey, memo).map(|_seen| ())
        }
        (Evidence::Device(_), Kind::Passkey { .. }) | (Evidence::Passkey(_), Kind::Device) => {
            Err(Refused::because("key of another kind"))
        }
    }
}
