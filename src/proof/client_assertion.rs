//! How a client proves who it is: `private_key_jwt` (RFC 7523, OpenID Connect Core §9).

use super::claims::Claims;
use super::jws::{self, Rules};
use super::key::Algorithm;
use super::refused::ensure;
use super::{Iua, PublicKey, Refused, Window};
use crate::clock::Timestamp;
use crate::id::ClientId;

/// How long an assertion may live, in seconds (SMART 2.2, backend services; OA-26).
pub const LONGEST_SECONDS: i64 = 300;

/// The rules a client is enrolled under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// SMART App Launch 2.2: `aud` is the token endpoint's URL or the issuer.
    Smart,
    /// FAPI 2.0: `aud` is the issuer and nothing else (D15, FA-15).
    Fapi2,
}

/// What an assertion must agree with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The client, found by [`unverified_client`] or by the parameter `client_id` (D16, OA-27).
    pub client: ClientId,
    /// The rules it is enrolled under.
    pub profile: Profile,
    /// Our issuer.
    pub issuer: &'e str,
    /// The URL of our token endpoint.
    pub token_url: &'e str,
    /// The present moment.
    pub now: Timestamp,
}

/// A client that has proved who it is.
///
/// The caller must still refuse an `id` it has seen from this client before `expires` (D14), and bound how many
/// it keeps (D19).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientAssertion {
    /// `iss` and `sub`
    pub client: ClientId,
    /// `jti`, at most 256 bytes.
    pub id: String,
    /// `exp`
    pub expires: Timestamp,
    /// `extensions.ihe_iua`
    pub iua: Iua,
}

/// Which client an assertion says it is from, to find its keys; nothing is proved yet.
///
/// # Errors
/// [`Refused`] when it is not a compact JWS with that claim.
pub fn unverified_client(assertion: &str) -> Result<ClientId, Refused> {
    let payload = jws::unverified_payload(assertion)?;
    let claims = Claims::read(&payload)?;
    claims.text("iss")?.parse().map_err(|_| Refused::because("iss"))
}

/// Verifies an assertion with the keys of the expected client only.
///
/// # Errors
/// [`Refused`] for whatever OA-26, FA-15 and FA-16 name; `jku` is refused even where SMART would allow it (J11).
pub fn verify(
    assertion: &str,
    expected: &Expected<'_>,
    keys: impl FnOnce(&str) -> Option<PublicKey>,
) -> Result<ClientAssertion, Refused> {
    let rules = Rules {
        other_typ: Some("client-authentication+jwt"),
        untyped: true,
        ..Rules::of("JWT", &[Algorithm::Es256, Algorithm::EdDsa])
    };
    let verified = jws::verify(assertion, &rules, None, keys)?;
    let claims = verified.claims()?;
    let client = expected.client.to_string();
    claims.exact("iss", &client, "iss")?;
    claims.exact("sub", &client, "sub")?;
    match expected.profile {
        Profile::Smart => claims.audience(&[expected.issuer, expected.token_url], false)?,
        Profile::Fapi2 => claims.audience(&[expected.issuer], false)?,
    }
    let expires = claims.time("exp")?;
    let window = Window::of_others(expected.now, LONGEST_SECONDS);
    window.holds(claims.optional_time("iat")?, claims.optional_time("nbf")?, expires)?;
    let id = claims.text("jti")?;
    ensure(id.len() <= 256, "jti")?;
    Ok(ClientAssertion { client: expected.client, id: id.to_owned(), expires, iua: Iua::read(&claims)? })
}
