//! Signing tokens: compact JWS with ES256 (RFC 7515, RFC 7518 §3.4).

use std::sync::Arc;

use josekit::jwk::KeyPair as _;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jws::alg::ecdsa::EcdsaJwsSigner;
use josekit::jws::{ES256, JwsHeader, serialize_compact};
use ring::digest::{SHA256, digest};

use super::{VaultError, hex};
use crate::secret::Secret;

/// Signs tokens with one ES256 key, and publishes its public half.
#[derive(Clone)]
pub struct TokenSigner(Arc<Token>);

struct Token {
    signer: EcdsaJwsSigner,
    kid: String,
    public: [u8; 65],
    jwk: String,
}

/// A fresh key pair: PKCS#8 private key and raw public key.
///
/// OpenSSL draws it from its own generator, seeded by the operating system; neither it nor `ring` takes ours for a
/// P-256 key.
pub(super) fn generate() -> Result<(Secret<Vec<u8>>, Vec<u8>), VaultError> {
    let pair = EcKeyPair::generate(EcCurve::P256).map_err(|_| VaultError::Refused)?;
    let public = raw_public(&pair)?;
    Ok((Secret::new(pair.to_der_private_key()), public.to_vec()))
}

/// `04 | x | y`, which ends every SubjectPublicKeyInfo of an uncompressed P-256 key (RFC 5480 §2.2).
fn raw_public(pair: &EcKeyPair) -> Result<[u8; 65], VaultError> {
    pair.to_der_public_key()
        .last_chunk::<65>()
        .copied()
        .filter(|raw| raw.first() == Some(&4))
        .ok_or(VaultError::Refused)
}

impl TokenSigner {
    pub(super) fn read(private: &Secret<Vec<u8>>, public: &[u8]) -> Result<Self, VaultError> {
        let mut pair = EcKeyPair::from_der(private.expose(), Some(EcCurve::P256)).map_err(|_| VaultError::Refused)?;
        let raw = raw_public(&pair)?;
        if raw != public {
            return Err(VaultError::Refused);
        }
        let kid = hex::write(digest(&SHA256, &raw).as_ref().get(..16).ok_or(VaultError::Refused)?);
        pair.set_algorithm(Some("ES256"));
        pair.set_key_id(Some(&kid));
        let mut jwk = pair.to_jwk_public_key();
        jwk.set_key_use("sig");
        let signer = ES256.signer_from_der(private.expose()).map_err(|_| VaultError::Refused)?;
        Ok(Self(Arc::new(Token { signer, kid, public: raw, jwk: jwk.to_string() })))
    }

    /// Signs `claims` (a JSON object, signed as the bytes given) with header `typ`, which keeps one kind of token
    /// from passing for another (RFC 8725 §3.11).
    pub fn sign(&self, typ: &str, claims: &[u8]) -> Result<String, VaultError> {
        let mut header = JwsHeader::new();
        header.set_token_type(typ);
        header.set_key_id(&self.0.kid);
        serialize_compact(claims, &header, &self.0.signer).map_err(|_| VaultError::Refused)
    }

    /// The key's identifier: half of the SHA-256 of the public key, in hexadecimal.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The public key as `04 | x | y`.
    #[must_use]
    pub fn public(&self) -> &[u8; 65] {
        &self.0.public
    }

    /// The public key as a JWK to publish (RFC 7517 §4).
    #[must_use]
    pub fn jwk(&self) -> &str {
        &self.0.jwk
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use josekit::jwk::JwkSet;
    use josekit::jws::deserialize_compact;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_token_is_verified_by_two_implementations_and_names_its_key() {
        let (private, public) = generate().unwrap();
        let signer = TokenSigner::read(&private, &public).unwrap();
        let token = signer.sign("consent+jwt", br#"{"iss":"https://garant.example"}"#).unwrap();

        let set = JwkSet::from_bytes(format!(r#"{{"keys":[{}]}}"#, signer.jwk())).unwrap();
        let [jwk] = set.get(signer.kid())[..] else { panic!("one key under this kid") };
        assert_eq!((jwk.key_use(), jwk.algorithm(), jwk.parameter("d")), (Some("sig"), Some("ES256"), None));
        let (claims, header) = deserialize_compact(&token, &ES256.verifier_from_jwk(jwk).unwrap()).unwrap();
        assert_eq!(claims, br#"{"iss":"https://garant.example"}"#);
        assert_eq!((header.token_type(), header.key_id()), (Some("consent+jwt"), Some(signer.kid())));

        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, signer.public());
        assert!(key.verify(text.as_bytes(), &signature).is_ok());
        assert!(key.verify(&text.as_bytes()[1..], &signature).is_err());
    }

    #[test]
    fn a_public_key_that_is_not_the_private_ones_is_refused() {
        let (private, _) = generate().unwrap();
        let (_, public) = generate().unwrap();
        assert!(TokenSigner::read(&private, &public).is_err());
    }
}
