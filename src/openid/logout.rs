//! Logout both ways: ours at the provider (RP-Initiated Logout 1.0), the provider's with us (Back-Channel Logout 1.0).

use openidconnect::core::{CoreIdToken, CoreJsonWebKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey as _, LogoutRequest, PostLogoutRedirectUrl};

use super::id_token::{ALGORITHMS, read, strictly};
use super::{Provider, Unproved};
use crate::clock::Timestamp;
use crate::json::Node;
use crate::proof::base64url;

/// The one event that a logout token tells (Back-Channel Logout §2.4).
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The longest logout token that is looked at.
const LONGEST: usize = 8 * 1024;
/// How old a logout token may be, and how long it may live; its `jti` is remembered as long.
const OLDEST_SECONDS: i64 = 600;
/// How far clocks may differ.
const AHEAD_SECONDS: i64 = 10;

/// Whose sessions a provider says have ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The person's sessions, all of them unless [`session`](Self::session) names one.
    pub subject: Option<String>,
    /// The one session.
    pub session: Option<String>,
    /// Names the token; to be taken once.
    pub id: String,
    /// When it may be forgotten.
    pub forget: Timestamp,
}

/// Who a logout token says it is from, to find out whose keys to check it with.
#[must_use]
pub fn unverified_issuer(token: &str) -> Option<String> {
    if token.len() > LONGEST {
        return None;
    }
    let [_, payload] = strictly(token).ok()?;
    let tree = read(&payload).ok()?;
    tree.text_of("iss").map(str::to_owned)
}

impl Provider {
    /// The URL at which a person ends their session with the provider; `None` when it offers none.
    ///
    /// # Errors
    /// [`Unproved`] when the provider cannot be reached or `back` is not a URL.
    pub async fn end_session(&self, hint: Option<&str>, back: &str) -> Result<Option<String>, Unproved> {
        let known = self.known().await?;
        let Some(at) = known.additional_metadata().end_session_endpoint.clone() else { return Ok(None) };
        let back = PostLogoutRedirectUrl::new(back.to_owned())
            .map_err(|_| Unproved::Settings("the address after logout is not a URL"))?;
        let mut request = LogoutRequest::from(at).set_client_id(self.our_id()).set_post_logout_redirect_uri(back);
        if let Some(token) = hint.and_then(|hint| hint.parse::<CoreIdToken>().ok()) {
            request = request.set_id_token_hint(&token);
        }
        Ok(Some(request.http_get_url().to_string()))
    }

    /// What a logout token says, checked (Back-Channel Logout §2.6); that it was not taken before is not yet said.
    ///
    /// # Errors
    /// [`Unproved`].
    pub async fn logout_token(&self, token: &str) -> Result<Ended, Unproved> {
        if token.len() > LONGEST {
            return Err(Unproved::refused("too long"));
        }
        let [header, payload] = strictly(token)?;
        let (header, claims) = (read(&header)?, read(&payload)?);
        self.signed(token, &header).await?;
        let refused = |word: &str| Err(Unproved::refused(word));
        if claims.text_of("iss") != Some(self.issuer()) {
            return refused("iss");
        }
        let audience = claims.get("aud").and_then(|aud| match aud.items() {
            [one] => one.as_str(),
            _ => aud.as_str(),
        });
        if audience != Some(self.client_id()) {
            return refused("aud");
        }
        let forget = self.timely(&claims)?;
        // An ID token has a nonce; it must not end a session (§2.4).
        if claims.get("nonce").is_some() {
            return refused("nonce");
        }
        if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Node::is_object) {
            return refused("events");
        }
        let Some(id) = claims.text_of("jti").filter(|id| !id.is_empty() && id.len() <= 256) else {
            return refused("jti");
        };
        let text = |name| claims.text_of(name).filter(|t| !t.is_empty()).map(str::to_owned);
        let (subject, session) = (text("sub"), text("sid"));
        if subject.is_none() && session.is_none() {
            return refused("neither sub nor sid");
        }
        Ok(Ended { subject, session, id: id.to_owned(), forget })
    }

    async fn signed(&self, token: &str, header: &Node<'_>) -> Result<(), Unproved> {
        let refused = |word: &str| Unproved::refused(word);
        // Providers in the field leave `typ` out or write JWT; `events` and the missing nonce tell it apart then.
        if !matches!(header.text_of("typ"), None | Some("logout+jwt" | "JWT")) || header.get("crit").is_some() {
            return Err(refused("typ or crit"));
        }
        let named = header.text_of("alg").ok_or_else(|| refused("alg"))?;
        let algorithm: CoreJwsSigningAlgorithm = serde_json::from_value(named.into()).map_err(|_| refused("alg"))?;
        if !ALGORITHMS.contains(&algorithm) {
            return Err(refused("alg"));
        }
        let kid = header.text_of("kid").ok_or_else(|| refused("kid"))?;
        let known = self.known_for(Some(kid)).await?;
        let mut keys = known.jwks().keys().iter().filter(|key| key.key_id().is_some_and(|id| id.as_str() == kid));
        let (Some(key), None) = (keys.next(), keys.next()) else { return Err(refused("kid unknown")) };
        let (signed, signature) = token.rsplit_once('.').ok_or_else(|| refused("not a compact JWS"))?;
        let signature = base64url::decode(signature).map_err(|_| refused("not a compact JWS"))?;
        CoreJsonWebKey::verify_signature(key, &algorithm, signed.as_bytes(), &signature).map_err(Unproved::refused)
    }

    fn timely(&self, claims: &Node<'_>) -> Result<Timestamp, Unproved> {
        let now = self.clock.now();
        let moment = |name| claims.int_of(name).map(Timestamp::from_secs);
        let refused = || Unproved::refused("iat or exp");
        let issued = moment("iat").ok_or_else(refused)?;
        let latest = now.plus_secs(AHEAD_SECONDS);
        let old = now.plus_secs(OLDEST_SECONDS.saturating_neg());
        let expired = match claims.get("exp") {
            // Back-Channel Logout before its final text had none.
            None => false,
            Some(_) => moment("exp").ok_or_else(refused)? <= now,
        };
        if issued > latest || issued < old || expired {
            return Err(refused());
        }
        // As long as the token would be taken by its age.
        Ok(issued.plus_secs(OLDEST_SECONDS + AHEAD_SECONDS))
    }
}
