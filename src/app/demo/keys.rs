//! Keys that live outside the house: on a patient's device, in a professional's software.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::chance::{self, SystemChance};
use crate::clock::Timestamp;
use crate::proof::key::Algorithm;
use crate::proof::{PublicKey, base64url, dpop, jws};

/// A P-256 key pair.
pub struct OutsideKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    public: PublicKey,
}

impl OutsideKey {
    /// A fresh key in PKCS#8.
    ///
    /// # Errors
    /// When the system gives no randomness.
    #[expect(clippy::disallowed_methods, reason = "this key stands for one that is made outside the house")]
    pub fn generate() -> Result<Vec<u8>, &'static str> {
        let random = SystemRandom::new();
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map(|pkcs8| pkcs8.as_ref().to_vec())
            .map_err(|_| "no key could be made")
    }

    /// Reads a key back.
    ///
    /// # Errors
    /// When the bytes are not such a key.
    #[expect(clippy::disallowed_methods, reason = "this key stands for one that lives outside the house")]
    pub fn read(pkcs8: &[u8]) -> Result<Self, &'static str> {
        let random = SystemRandom::new();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random).map_err(|_| "not a key")?;
        let public = PublicKey::from_bytes(pair.public_key().as_ref()).map_err(|_| "not a key")?;
        Ok(Self { pair, random, public })
    }

    /// The public key as a JWK.
    #[must_use]
    pub fn jwk(&self) -> String {
        self.public.to_jwk()
    }

    /// A compact JWS of `payload`.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn jws(&self, typ: &str, kid: &str, payload: &[u8]) -> Result<String, &'static str> {
        self.finish(jws::signing_input(typ, Algorithm::Es256, kid, payload))
    }

    fn finish(&self, input: String) -> Result<String, &'static str> {
        let signature = self.pair.sign(&self.random, input.as_bytes()).map_err(|_| "no signature could be made")?;
        Ok(jws::with_signature(input, signature.as_ref()))
    }
}

/// The request a DPoP proof is made for, and what it must bear.
#[derive(Clone, Copy, Debug)]
pub struct Proven<'r> {
    /// The method.
    pub method: &'r str,
    /// The public URL.
    pub url: &'r str,
    /// The access token that comes along.
    pub token: Option<&'r str>,
    /// The nonce the server gave.
    pub nonce: Option<&'r str>,
    /// The present moment.
    pub now: Timestamp,
}

/// A DPoP proof (RFC 9449 §4.2) by `key` for one request.
///
/// # Errors
/// When the system gives no randomness.
pub fn proof(key: &OutsideKey, proven: &Proven<'_>) -> Result<String, &'static str> {
    let Proven { method, url, token, nonce, now } = *proven;
    let jwk: serde_json::Value = serde_json::from_str(&key.jwk()).map_err(|_| "not a key")?;
    let header = serde_json::json!({ "alg": "ES256", "jwk": jwk, "typ": "dpop+jwt" });
    let mut claims = serde_json::json!({ "jti": jti()?, "htm": method, "htu": url, "iat": now.secs() });
    if let Some(claims) = claims.as_object_mut() {
        claims.extend(token.map(|token| ("ath".to_owned(), dpop::token_hash(token).into())));
        claims.extend(nonce.map(|nonce| ("nonce".to_owned(), nonce.into())));
    }
    let input = format!(
        "{}.{}",
        base64url::encode(header.to_string().as_bytes()),
        base64url::encode(claims.to_string().as_bytes())
    );
    key.finish(input)
}

/// A fresh identifier for something used once.
pub(super) fn jti() -> Result<String, &'static str> {
    let bytes = chance::bytes::<16>(&SystemChance::new()).map_err(|_| "no randomness")?;
    Ok(base64url::encode(&bytes))
}
