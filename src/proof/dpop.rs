//! Proof of possession of a key for one request (DPoP, RFC 9449).

use ring::digest::{SHA256, digest};

use super::claims::Claims;
use super::jws::{self, Rules};
use super::key::Algorithm;
use super::refused::ensure;
use super::{Refused, Thumbprint, base64url};
use crate::clock::Timestamp;

/// How long ago a proof may have been made, in seconds.
pub const OLDEST_SECONDS: i64 = 60;
/// How far ahead the client's clock may be, in seconds (FA-30).
pub const AHEAD_SECONDS: i64 = 10;
/// How long the caller must remember a `jti`: for as long as the proof could be taken again (FA-42).
pub const REMEMBER_SECONDS: i64 = OLDEST_SECONDS + AHEAD_SECONDS;

/// The request a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The method as it was received.
    pub method: &'e str,
    /// The public URL: the configured base and the path received, never the `Host` header (D04).
    pub url: &'e str,
    /// The access token the request carries; `None` at the token and PAR endpoints.
    pub access_token: Option<&'e str>,
    /// The key the token, code or refresh token is bound to, when it is bound.
    pub key: Option<Thumbprint>,
    /// The present moment.
    pub now: Timestamp,
}

/// A proof that holds. The caller must still refuse an `id` it has seen for this key (FA-42).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dpop {
    /// The key possessed.
    pub key: Thumbprint,
    /// `jti`, at most 256 bytes.
    pub id: String,
    /// `nonce`, for a server that demands its own (FA-47).
    pub nonce: Option<String>,
    /// `iat`
    pub issued: Timestamp,
}

/// Verifies the one `DPoP` header of a request (two of them are refused before, FA-31).
///
/// # Errors
/// [`Refused`] for whatever FA-32 to FA-44 and D03 to D09 name.
pub fn verify(proof: &str, expected: &Expected<'_>) -> Result<Dpop, Refused> {
    let rules = Rules { ignore_unknown: true, ..Rules::of("dpop+jwt", &[Algorithm::Es256, Algorithm::EdDsa]) };
    let (verified, key) = jws::verify_embedded(proof, &rules)?;
    let key = key.thumbprint();
    ensure(expected.key.is_none_or(|bound| bound == key), "proof by another key")?;
    let claims = verified.claims()?;
    // Methods are case-sensitive (RFC 9110 §9.1): `get` is not GET (D03).
    claims.exact("htm", expected.method, "htm")?;
    // Read without the usual limit of length: a query that does not count may stand behind the path (FA-27).
    let htu = claims.get("htu").and_then(|n| n.as_str()).ok_or(Refused::because("htu missing"))?;
    ensure(Target::of(htu)? == Target::of(expected.url)?, "htu")?;
    if let Some(token) = expected.access_token {
        claims.exact("ath", &token_hash(token), "ath")?;
    }
    let issued = in_time(&claims, expected.now)?;
    let id = claims.text("jti")?;
    ensure(id.len() <= 256, "jti")?;
    let nonce = claims.optional_text("nonce")?.map(str::to_owned);
    Ok(Dpop { key, id: id.to_owned(), nonce, issued })
}

/// `ath`: the hash of an access token as it stands in the `Authorization` header.
#[must_use]
pub fn token_hash(access_token: &str) -> String {
    base64url::encode(digest(&SHA256, access_token.as_bytes()).as_ref())
}

fn in_time(claims: &Claims<'_>, now: Timestamp) -> Result<Timestamp, Refused> {
    let issued = claims.time("iat")?;
    let latest = now.plus_secs(AHEAD_SECONDS);
    ensure(issued <= latest && issued >= now.plus_secs(-OLDEST_SECONDS), "iat")?;
    // Neither belongs to a proof, but whoever states a limit is held to it (FA-49).
    ensure(claims.optional_time("nbf")?.is_none_or(|t| t <= latest), "nbf ahead")?;
    ensure(claims.optional_time("exp")?.is_none_or(|t| now < t), "exp past")?;
    Ok(issued)
}

/// A URL reduced to what `htu` compares: scheme and host without case, default port and the rest dropped.
///
/// The path is compared byte by byte: a library that resolves `%2e%2e` would make two paths one (D04).
#[derive(Clone, Copy)]
struct Target<'u> {
    scheme: &'u str,
    authority: &'u str,
    path: &'u str,
}

impl<'u> Target<'u> {
    fn of(url: &'u str) -> Result<Self, Refused> {
        let parts = || {
            let url = url.split(['?', '#']).next()?;
            let (scheme, rest) = url.split_once("://")?;
            let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
            let port = match () {
                () if scheme.eq_ignore_ascii_case("https") => ":443",
                () if scheme.eq_ignore_ascii_case("http") => ":80",
                () => return None,
            };
            let authority = authority.strip_suffix(port).unwrap_or(authority);
            let plain = !authority.is_empty() && authority.bytes().all(|b| b.is_ascii_graphic());
            plain.then_some(Self { scheme, authority, path })
        };
        parts().ok_or(Refused::because("htu"))
    }
}

impl PartialEq for Target<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.authority.eq_ignore_ascii_case(other.authority)
            && self.path == other.path
    }
}
