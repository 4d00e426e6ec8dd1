//! The compact JWS (RFC 7515), read strictly; there is no other serialisation here (J17).

use super::claims::Claims;
use super::key::Algorithm;
use super::memo::{self, Form, Memo};
use super::refused::ensure;
use super::{PublicKey, Refused, base64url};
use crate::json::{self, Limits, Node};

/// The longest token that is looked at (J36).
pub const LONGEST: usize = 8 * 1024;

/// Header members that say how to read the rest or where to find a key. None is ever followed: whoever writes
/// the token would choose how it is checked (J10, J11, J15, J16, J35).
const NEVER: [&str; 10] = ["crit", "b64", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip", "enc", "p2c"];

/// What a use of JWS accepts. The token itself decides none of it.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r> {
    /// The value of `typ`, without `application/`; compared without case (RFC 8725 §3.11, J29).
    pub typ: &'r str,
    /// Another value of `typ`; `None` when there is none.
    pub other_typ: Option<&'r str>,
    /// Whether `typ` may be absent, as it is in client assertions in the field.
    pub untyped: bool,
    /// The algorithms; the key found must be of the same (J01, J06).
    pub algorithms: &'r [Algorithm],
    /// Whether header members nobody knows are ignored rather than refused (DPoP, FA-29).
    pub ignore_unknown: bool,
    /// The longest token, in bytes.
    pub longest: usize,
}

impl<'r> Rules<'r> {
    /// One `typ`, the given algorithms, nothing unknown, 8 kB.
    #[must_use]
    pub const fn of(typ: &'r str, algorithms: &'r [Algorithm]) -> Self {
        Self { typ, other_typ: None, untyped: false, algorithms, ignore_unknown: false, longest: LONGEST }
    }
}

/// A payload whose signature holds; there is no other way to come by one.
#[derive(Debug)]
pub struct Verified {
    payload: Vec<u8>,
    kid: String,
}

impl Verified {
    /// The exact bytes that were signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The `kid` under which the key was found; empty when the key was in the token itself.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The claims.
    ///
    /// # Errors
    /// [`Refused`] unless the payload is one JSON object with unique names (J07).
    pub fn claims(&self) -> Result<Claims<'_>, Refused> {
        Claims::read(&self.payload)
    }
}

/// Verifies `token` with the key that `keys` gives for its `kid`, looked up exactly (J08).
///
/// # Errors
/// [`Refused`] unless the token is a compact JWS in its one spelling, obeys `rules`, and is signed by that key.
pub fn verify(
    token: &str,
    rules: &Rules<'_>,
    memo: Option<&Memo>,
    keys: impl FnOnce(&str) -> Option<PublicKey>,
) -> Result<Verified, Refused> {
    let parts = Parts::split(token, rules.longest)?;
    let bytes = base64url::decode(parts.header)?;
    let header = read(&bytes)?;
    ensure(header.get("jwk").is_none(), "header jwk")?;
    let algorithm = allowed(&header, rules, false)?;
    let kid = header.text_of("kid").filter(|k| !k.is_empty() && k.len() <= 256).ok_or(Refused::because("kid"))?;
    let key = keys(kid).ok_or(Refused::because("kid unknown"))?;
    let payload = parts.verified(&key, algorithm, memo)?;
    Ok(Verified { payload, kid: kid.to_owned() })
}

/// Verifies `token` with the public key in its own header: it proves possession of that key and nothing else.
pub(super) fn verify_embedded(token: &str, rules: &Rules<'_>) -> Result<(Verified, PublicKey), Refused> {
    let parts = Parts::split(token, rules.longest)?;
    let bytes = base64url::decode(parts.header)?;
    let header = read(&bytes)?;
    let algorithm = allowed(&header, rules, true)?;
    let key = PublicKey::from_jwk_to_verify(header.get("jwk").ok_or(Refused::because("header jwk"))?)?;
    let payload = parts.verified(&key, algorithm, None)?;
    Ok((Verified { payload, kid: String::new() }, key))
}

/// Reads the payload without verifying anything, to find out whose keys to verify with.
pub(super) fn unverified_payload(token: &str) -> Result<Vec<u8>, Refused> {
    base64url::decode(Parts::split(token, LONGEST)?.payload)
}

/// What is to be signed: header and payload in compact form; put the signature to it with [`with_signature`].
#[must_use]
pub fn signing_input(typ: &str, algorithm: Algorithm, kid: &str, payload: &[u8]) -> String {
    let header = super::write::Object::new().text("alg", algorithm.name()).text("kid", kid).text("typ", typ).end();
    let mut out = base64url::encode(header.as_bytes());
    out.push('.');
    out.push_str(&base64url::encode(payload));
    out
}

/// The compact JWS of a signing input and the 64 bytes that sign it.
#[must_use]
pub fn with_signature(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    signing_input.push_str(&base64url::encode(signature));
    signing_input
}

struct Parts<'t> {
    signed: &'t str,
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Parts<'t> {
    fn split(token: &'t str, longest: usize) -> Result<Self, Refused> {
        ensure(token.len() <= longest, "too long")?;
        let parts = || {
            let (signed, signature) = token.rsplit_once('.')?;
            let (header, payload) = signed.split_once('.')?;
            (!payload.contains('.')).then_some(Self { signed, header, payload, signature })
        };
        parts().ok_or(Refused::because("not three parts"))
    }

    fn verified(&self, key: &PublicKey, algorithm: Algorithm, memo: Option<&Memo>) -> Result<Vec<u8>, Refused> {
        // A key is used with one algorithm only, whatever the header says.
        ensure(key.algorithm() == algorithm, "key of another algorithm")?;
        let signature: [u8; 64] = base64url::decode_exact(self.signature)?;
        memo::verify(memo, key, Form::Jose, self.signed.as_bytes(), &signature)?;
        base64url::decode(self.payload)
    }
}

fn read(header: &[u8]) -> Result<Node<'_>, Refused> {
    let node = json::parse(header, Limits::TOKEN).map_err(|_| Refused::because("header"))?;
    if node.is_object() { Ok(node) } else { Err(Refused::because("header")) }
}

fn allowed(header: &Node<'_>, rules: &Rules<'_>, embedded: bool) -> Result<Algorithm, Refused> {
    for member in header.members() {
        let name: &str = &member.name;
        ensure(!NEVER.contains(&name), "header member never followed")?;
        let known = matches!(name, "alg" | "typ" | "kid") || (embedded && name == "jwk");
        ensure(known || rules.ignore_unknown, "header member unknown")?;
    }
    match header.get("typ") {
        None => ensure(rules.untyped, "typ missing")?,
        Some(typ) => {
            let typ = typ.as_str().ok_or(Refused::because("typ"))?;
            let same = |wanted: &str| bare(typ).eq_ignore_ascii_case(wanted);
            ensure(same(rules.typ) || rules.other_typ.is_some_and(same), "typ")?;
        }
    }
    // Exact names only: `none`, `HS256` and `es256` are not among them.
    let name = header.text_of("alg").ok_or(Refused::because("alg missing"))?;
    rules.algorithms.iter().copied().find(|a| a.name() == name).ok_or(Refused::because("alg"))
}

/// `typ` without the optional `application/` (RFC 7515 §4.1.9).
fn bare(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        Some(_) | None => typ,
    }
}
