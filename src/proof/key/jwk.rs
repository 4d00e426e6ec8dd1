//! Keys as JWK (RFC 7517, RFC 8037).

use super::super::{Refused, base64url};
use super::{PublicKey, coordinates, point};
use crate::json::{self, Limits, Node};

/// Members of private and symmetric keys; whoever sends one has leaked it (D07).
const PRIVATE: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];

impl PublicKey {
    /// Reads a key to be enrolled from the text of a JWK; unknown public members are ignored (D08).
    ///
    /// # Errors
    /// [`Refused`] for anything but a public key on P-256 or Ed25519, for points off the curve or of small order,
    /// and for `use`, `alg` or `key_ops` that say it is for something else.
    pub fn from_jwk(text: &[u8]) -> Result<Self, Refused> {
        let tree = json::parse(text, Limits::TOKEN).map_err(|_| Refused::because("jwk"))?;
        Self::from_jwk_node(&tree)
    }

    /// Reads a key to be enrolled from a JWK within a larger tree, such as a JWK set.
    ///
    /// # Errors
    /// As [`PublicKey::from_jwk`].
    pub fn from_jwk_node(node: &Node<'_>) -> Result<Self, Refused> {
        Self::from_jwk_to_verify(node)?.on_curve()
    }

    /// Reads a key that verifies something at once, where `ring` itself refuses points off the curve.
    pub(in crate::proof) fn from_jwk_to_verify(node: &Node<'_>) -> Result<Self, Refused> {
        let private = |name: &str| PRIVATE.contains(&name);
        if !node.is_object() || node.members().iter().any(|m| private(&m.name)) {
            return Err(Refused::because("jwk not public"));
        }
        let coordinate = |name| {
            let text = node.text_of(name).ok_or(Refused::because("jwk member"))?;
            base64url::decode_exact::<32>(text)
        };
        let key = match (node.text_of("kty"), node.text_of("crv")) {
            (Some("EC"), Some("P-256")) => Self::from_enrolled(&point(&coordinate("x")?, &coordinate("y")?))?,
            (Some("OKP"), Some("Ed25519")) => Self::from_enrolled(&coordinate("x")?)?,
            _ => return Err(Refused::because("jwk kind")),
        };
        key.may_verify(node)?;
        Ok(key)
    }

    fn may_verify(&self, node: &Node<'_>) -> Result<(), Refused> {
        let says = |name, wanted: &str| node.get(name).is_none_or(|v| v.as_str() == Some(wanted));
        let operations = |v: &Node<'_>| v.items().iter().any(|o| o.as_str() == Some("verify"));
        let fits =
            says("use", "sig") && says("alg", self.algorithm().name()) && node.get("key_ops").is_none_or(operations);
        if fits { Ok(()) } else { Err(Refused::because("jwk use")) }
    }

    /// The JWK with the required members only, in the order RFC 7638 hashes them.
    #[must_use]
    pub fn to_jwk(&self) -> String {
        match self {
            Self::P256(point) => {
                let (x, y) = coordinates(point);
                let (x, y) = (base64url::encode(&x), base64url::encode(&y));
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed25519(key) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(key)),
        }
    }
}
