//! Our access tokens (RFC 9068): `typ: at+jwt`, one audience, bound to a key by `cnf.jkt` (RFC 9449 §6).

use super::claims::{object, only, text};
use super::jws::{self, Rules};
use super::key::Algorithm;
use super::write::Object;
use super::{Claims, Iua, Memo, PublicKey, Refused, Thumbprint, Window};
use crate::clock::Timestamp;
use crate::id::{ClientId, GrantId, PatientId};

/// The value of `typ`.
pub const TYP: &str = "at+jwt";

const CLAIMS: [&str; 14] = [
    "iss",
    "aud",
    "sub",
    "client_id",
    "iat",
    "exp",
    "jti",
    "scope",
    "patient",
    "cnf",
    "extensions",
    "grant_id",
    "auth_time",
    "acr",
];
const LONGEST_SCOPE: usize = 4096;

/// What an access token says. It is a pointer: client, grant and consents are looked up at each use (J37, J38).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessToken {
    /// `iss`
    pub issuer: String,
    /// `aud`, the FHIR base URL.
    pub audience: String,
    /// `sub`
    pub subject: String,
    /// `client_id`
    pub client: ClientId,
    /// `iat`
    pub issued: Timestamp,
    /// `exp`
    pub expires: Timestamp,
    /// `jti`, by which a token is revoked; never by its bytes (J18).
    pub id: String,
    /// `scope`, names separated by one blank.
    pub scope: String,
    /// `patient`, the launch context.
    pub patient: Option<PatientId>,
    /// `cnf.jkt`, the key whose proof must come along.
    pub bound_to: Option<Thumbprint>,
    /// `extensions.ihe_iua`
    pub iua: Iua,
    /// The person behind it, when there is one.
    pub person: Option<Behind>,
}

/// The person behind a token, and what they allowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Behind {
    /// `grant_id`, with which the token dies.
    pub grant: GrantId,
    /// `auth_time`
    pub authenticated: Timestamp,
    /// `acr`
    pub acr: Option<String>,
}

/// What a token must agree with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// Exact `iss` (J31).
    pub issuer: &'e str,
    /// Exact `aud` (OA-04).
    pub audience: &'e str,
    /// Limits in time.
    pub window: Window,
    /// Where verified signatures are remembered.
    pub memo: Option<&'e Memo>,
}

impl AccessToken {
    /// The claims to be signed.
    #[must_use]
    pub fn to_claims_json(&self) -> String {
        let claims = Object::new()
            .text("iss", &self.issuer)
            .text("aud", &self.audience)
            .text("sub", &self.subject)
            .text("client_id", &self.client.to_string())
            .int("iat", self.issued.secs())
            .int("exp", self.expires.secs())
            .text("jti", &self.id)
            .text("scope", &self.scope)
            .optional("patient", self.patient.map(|p| p.to_string()).as_deref());
        let claims = match self.bound_to {
            Some(key) => claims.json("cnf", &Object::new().text("jkt", &key.to_string()).end()),
            None => claims,
        };
        let claims = match &self.person {
            Some(person) => claims
                .text("grant_id", &person.grant.to_string())
                .int("auth_time", person.authenticated.secs())
                .optional("acr", person.acr.as_deref()),
            None => claims,
        };
        claims.json("extensions", &self.iua.to_json()).end()
    }

    /// Whether it is taken now.
    ///
    /// # Errors
    /// [`Refused`] when any limit of `window` is passed.
    pub fn holds(&self, window: &Window) -> Result<(), Refused> {
        window.holds(Some(self.issued), None, self.expires)
    }

    /// Whether it comes with the proof it needs: a bound token only with a proof by its key, never as a plain
    /// bearer token (D06, D13), and an unbound token with none.
    ///
    /// # Errors
    /// [`Refused`] otherwise.
    pub fn comes_with(&self, proof: Option<Thumbprint>) -> Result<(), Refused> {
        if self.bound_to == proof { Ok(()) } else { Err(Refused::because("token bound otherwise")) }
    }
}

/// Verifies an access token. Every claim is ours, so one we do not know is refused.
///
/// # Errors
/// [`Refused`] for whatever OA-01 to OA-04 or section 3.1 of the attack catalogue names.
pub fn verify(
    token: &str,
    expected: &Expected<'_>,
    keys: impl FnOnce(&str) -> Option<PublicKey>,
) -> Result<AccessToken, Refused> {
    let said = verify_but_for_time(token, expected, keys)?;
    said.holds(&expected.window)?;
    Ok(said)
}

/// Verifies all that never changes about an access token, so that it may be remembered; whoever remembers it asks
/// [`AccessToken::holds`] at each use.
///
/// # Errors
/// As [`verify`], but for the limits in time, which are not looked at.
pub fn verify_but_for_time(
    token: &str,
    expected: &Expected<'_>,
    keys: impl FnOnce(&str) -> Option<PublicKey>,
) -> Result<AccessToken, Refused> {
    let rules = Rules::of(TYP, &[Algorithm::Es256, Algorithm::EdDsa]);
    let verified = jws::verify(token, &rules, expected.memo, keys)?;
    let claims = verified.claims()?;
    claims.only(&CLAIMS)?;
    claims.exact("iss", expected.issuer, "iss")?;
    claims.audience(&[expected.audience], false)?;
    let (issued, expires) = (claims.time("iat")?, claims.time("exp")?);
    let scope = claims.get("scope").and_then(|n| n.as_str()).filter(|s| s.len() <= LONGEST_SCOPE);
    let patient = claims.optional_text("patient")?.map(str::parse).transpose();
    let extensions = object(claims.get("extensions"))?.ok_or(Refused::because("extensions"))?;
    only(extensions, &["ihe_iua"])?;
    let bound_to = match object(claims.get("cnf"))? {
        None => None,
        Some(cnf) => {
            only(cnf, &["jkt"])?;
            Some(text(cnf, "jkt")?.parse()?)
        }
    };
    let person = behind(&claims)?;
    Ok(AccessToken {
        issuer: expected.issuer.to_owned(),
        audience: expected.audience.to_owned(),
        subject: claims.text("sub")?.to_owned(),
        client: claims.text("client_id")?.parse().map_err(|_| Refused::because("client_id"))?,
        issued,
        expires,
        id: claims.text("jti")?.to_owned(),
        scope: scope.ok_or(Refused::because("scope"))?.to_owned(),
        patient: patient.map_err(|_| Refused::because("patient"))?,
        bound_to,
        iua: Iua::read(&claims)?,
        person,
    })
}

/// All that is said of a person, or none of it (OA-02).
fn behind(claims: &Claims<'_>) -> Result<Option<Behind>, Refused> {
    let Some(grant) = claims.optional_text("grant_id")? else {
        let said = claims.get("auth_time").is_some() || claims.get("acr").is_some();
        return if said { Err(Refused::because("person without grant")) } else { Ok(None) };
    };
    Ok(Some(Behind {
        grant: grant.parse().map_err(|_| Refused::because("grant_id"))?,
        authenticated: claims.time("auth_time")?,
        acr: claims.optional_text("acr")?.map(str::to_owned),
    }))
}
