//! From the headers of a request to a [`Bearer`].

use std::sync::Arc;

use ring::digest::{SHA256, digest};

use super::possession::{Possession, Unproved};
use crate::clock::Clock;
use crate::model::{Bearer, ClinicalScope, Subject};
use crate::proof::{AccessToken, Memo, PublicKey, Window, access_token, dpop};
use crate::recall::Recall;
use crate::store::Store;

/// The longest an access token lives, in seconds: revocation never waits for it, but a theft ends with it.
pub const LONGEST_SECONDS: i64 = 300;

/// Checks access tokens.
pub struct Authenticator {
    /// Our issuer, exact `iss`.
    pub issuer: String,
    /// Our FHIR base URL, exact `aud`.
    pub audience: String,
    /// The key that signs access tokens: its id and the key.
    pub key: (String, PublicKey),
    /// Digest of a token's exact bytes → what it says, for tokens that verified under `key`. Immutable: every limit
    /// of time, its proof, and whoever it names are asked anew at each use.
    pub known: Recall<Arc<Known>>,
    /// Takes proofs of possession.
    pub possession: Arc<Possession>,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
}

/// What a token that verified says.
#[derive(Debug)]
pub struct Known {
    said: AccessToken,
    bearer: Bearer,
}

/// What a request carries to show who asks, as received.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'r> {
    /// The value of the one `Authorization` header.
    pub authorization: &'r str,
    /// The value of the one `DPoP` header.
    pub dpop: Option<&'r str>,
    /// The method.
    pub method: &'r str,
    /// The public URL: configured base and received path, never the `Host` header.
    pub url: &'r str,
}

/// Nobody was shown to be asking. The word is for the log; every answer is the same.
#[derive(Debug, thiserror::Error)]
pub enum Unauthenticated {
    /// The request bears no token.
    #[error("no credentials")]
    Nobody,
    /// The token is not good, or not good in this way.
    #[error("not authenticated: {0}")]
    Refused(&'static str),
    /// The token is good and the proof that must come with it is not (RFC 9449 §7.1).
    #[error("no proof of possession: {0}")]
    Unproved(&'static str),
    /// The proof needs a nonce of ours (RFC 9449 §9).
    #[error("the proof bears no fresh nonce")]
    Stale,
    /// Whether the proof was used before cannot be told now.
    #[error("the store does not answer")]
    Unavailable(#[source] crate::db::DbError),
}

impl From<crate::proof::Refused> for Unauthenticated {
    fn from(refused: crate::proof::Refused) -> Self {
        Self::Refused(refused.reason())
    }
}

impl From<Unproved> for Unauthenticated {
    fn from(unproved: Unproved) -> Self {
        match unproved {
            Unproved::Refused(reason) => Self::Unproved(reason),
            Unproved::Stale => Self::Stale,
            Unproved::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl Authenticator {
    /// The bearer of a good token, with its proof when the token is bound to a key.
    pub async fn authenticate(&self, credentials: Credentials<'_>) -> Result<Bearer, Unauthenticated> {
        let (scheme, token) =
            credentials.authorization.split_once(' ').ok_or(Unauthenticated::Refused("authorization"))?;
        let window = Window::of_ours(self.clock.now(), LONGEST_SECONDS);
        let known = self.known(token, window)?;
        known.said.holds(&window)?;
        let bound = scheme.eq_ignore_ascii_case("DPoP");
        if !bound && !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(Unauthenticated::Refused("scheme"));
        }
        let proof = if bound { Some(self.proof(credentials, token, &known.said).await?) } else { None };
        if !bound && credentials.dpop.is_some() {
            return Err(Unauthenticated::Refused("proof with a plain bearer"));
        }
        known.said.comes_with(proof)?;
        Ok(known.bearer.clone())
    }

    /// Whose token this `Authorization` header bears, when we made it and it is not over: for counting, before its
    /// proof was looked at. Whoever stole a token may use up its holder's share, and nothing else.
    #[must_use]
    pub fn holder(&self, authorization: &str) -> Option<[u8; 16]> {
        let (_, token) = authorization.split_once(' ')?;
        let window = Window::of_ours(self.clock.now(), LONGEST_SECONDS);
        let known = self.known(token, window).ok().filter(|known| known.said.holds(&window).is_ok())?;
        Some(match &known.bearer.subject {
            Subject::Patient(patient) => *patient.as_bytes(),
            Subject::Client { client, .. } => *client.as_bytes(),
        })
    }

    /// What `token` says, if it is one of ours at all; that it is good now is not yet said.
    fn known(&self, token: &str, window: Window) -> Result<Arc<Known>, Unauthenticated> {
        let digest = digest(&SHA256, token.as_bytes());
        let digest: [u8; 32] = digest.as_ref().try_into().map_err(|_| Unauthenticated::Refused("digest"))?;
        if let Some(known) = self.known.get(&digest) {
            return Ok(known);
        }
        let expected =
            access_token::Expected { issuer: &self.issuer, audience: &self.audience, window, memo: None::<&Memo> };
        let (kid, key) = &self.key;
        let said = access_token::verify_but_for_time(token, &expected, |asked| (asked == kid).then_some(*key))?;
        // Only what is good now is kept: nobody fills the memory with tokens of yesterday.
        said.holds(&window)?;
        let known = Arc::new(Known { bearer: bearer(&said)?, said });
        self.known.keep(digest, Arc::clone(&known));
        Ok(known)
    }

    async fn proof(
        &self,
        credentials: Credentials<'_>,
        token: &str,
        said: &AccessToken,
    ) -> Result<crate::proof::Thumbprint, Unauthenticated> {
        let proof = credentials.dpop.ok_or(Unauthenticated::Unproved("no proof"))?;
        let expected = dpop::Expected {
            method: credentials.method,
            url: credentials.url,
            access_token: Some(token),
            key: said.bound_to,
            now: self.clock.now(),
        };
        Ok(self.possession.prove(proof, &expected).await?)
    }
}

/// Uses up a `jti`, on every node at once.
pub(super) async fn use_once(
    store: &Store,
    issuer: &str,
    jti: &str,
    now: crate::clock::Timestamp,
    until: crate::clock::Timestamp,
) -> Result<(), Unauthenticated> {
    let hash: [u8; 32] =
        digest(&SHA256, jti.as_bytes()).as_ref().try_into().map_err(|_| Unauthenticated::Refused("digest"))?;
    match store.use_once(issuer, hash, now, until).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Unauthenticated::Refused("used before")),
        Err(error) => Err(Unauthenticated::Unavailable(error)),
    }
}

fn bearer(token: &AccessToken) -> Result<Bearer, Unauthenticated> {
    let purpose = token.iua.purpose.ok_or(Unauthenticated::Refused("purpose"))?;
    let (subject, context) = match token.patient {
        Some(patient) if token.subject == patient.to_string() => (Subject::Patient(patient), "patient/"),
        Some(_) => return Err(Unauthenticated::Refused("patient and subject differ")),
        None => (client(token)?, "system/"),
    };
    let scopes = token.scope.split(' ').filter(|s| !s.is_empty()).map(|s| {
        s.strip_prefix(context).and_then(|s| s.parse::<ClinicalScope>().ok()).ok_or(Unauthenticated::Refused("scope"))
    });
    Ok(Bearer { subject, purpose, scopes: scopes.collect::<Result<_, _>>()? })
}

fn client(token: &AccessToken) -> Result<Subject, Unauthenticated> {
    let refused = Unauthenticated::Refused;
    let organisation = token.iua.organisation.as_deref().and_then(|o| o.parse().ok()).ok_or(refused("organisation"))?;
    let professional = match (&token.iua.professional, &token.iua.role) {
        (None, None) => None,
        (Some(id), Some(role)) => Some((
            id.parse().map_err(|_| Unauthenticated::Refused("professional"))?,
            role.code.parse().map_err(|_| Unauthenticated::Refused("profession"))?,
        )),
        (Some(_), None) | (None, Some(_)) => return Err(Unauthenticated::Refused("professional without profession")),
    };
    Ok(Subject::Client { client: token.client, organisation, professional })
}
