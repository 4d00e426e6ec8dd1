//! What is known of a provider: its metadata and its keys, fetched together and kept for a while.

use std::sync::Arc;

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, DiscoveryError, EndSessionUrl, IssuerUrl, JsonWebKey as _, ProviderMetadata,
};
use serde::{Deserialize, Serialize};

use super::{Provider, Unproved, origin};
use crate::clock::Timestamp;

/// How long metadata and keys are used before they are fetched anew: so long may a key that was taken back be taken.
const FRESH_SECONDS: i64 = 600;
/// How often they are fetched at most once they are known: a token with an invented `kid` costs no more (P50, J09).
const SPARING_SECONDS: i64 = 60;
/// How often while nothing is known yet.
const EAGER_SECONDS: i64 = 2;

/// The metadata beyond OpenID Connect Discovery.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Extra {
    /// Where to end the provider's own session (RP-Initiated Logout §2.1).
    pub(super) end_session_endpoint: Option<EndSessionUrl>,
    /// Whether it names itself in its answers (RFC 9207 §3).
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extra {}

/// A provider's metadata, its keys within.
pub(super) type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What is remembered, and when it was last asked for.
#[derive(Default)]
pub(super) struct Held {
    known: Option<(Arc<Metadata>, Timestamp)>,
    tried: Option<Timestamp>,
}

impl Provider {
    /// Metadata and keys, at most ten minutes old.
    pub(super) async fn known(&self) -> Result<Arc<Metadata>, Unproved> {
        self.known_for(None).await
    }

    /// Metadata and keys, fetched anew when no key is called `kid` and a minute has passed since the last time.
    pub(super) async fn known_for(&self, kid: Option<&str>) -> Result<Arc<Metadata>, Unproved> {
        // Held while fetching: those who come meanwhile wait for the one answer rather than ask too.
        let mut held = self.held.lock().await;
        let now = self.clock.now();
        if let Some((known, at)) = &held.known {
            let known_key =
                |kid| known.jwks().keys().iter().any(|key| key.key_id().is_some_and(|id| id.as_str() == kid));
            if within(*at, now, FRESH_SECONDS) && kid.is_none_or(known_key) {
                return Ok(Arc::clone(known));
            }
        }
        let pause = if held.known.is_some() { SPARING_SECONDS } else { EAGER_SECONDS };
        if held.tried.is_some_and(|tried| within(tried, now, pause)) {
            return match (&held.known, kid) {
                (Some((known, at)), Some(_)) if within(*at, now, FRESH_SECONDS) => Ok(Arc::clone(known)),
                _ => Err(Unproved::Unreachable("it was asked a moment ago".to_owned())),
            };
        }
        held.tried = Some(now);
        let known = Arc::new(self.discover().await?);
        held.known = Some((Arc::clone(&known), now));
        Ok(known)
    }

    async fn discover(&self) -> Result<Metadata, Unproved> {
        let issuer =
            IssuerUrl::new(self.settings.issuer.clone()).map_err(|_| Unproved::Settings("the issuer is not a URL"))?;
        let metadata = Metadata::discover_async(issuer, &self.fetch).await.map_err(|error| {
            if let DiscoveryError::Request(_) | DiscoveryError::Response(..) = error {
                return Unproved::Unreachable(format!("discovery: {error}"));
            }
            Unproved::refused(error)
        })?;
        let extra = metadata.additional_metadata();
        let places = [
            Some(metadata.authorization_endpoint().as_str()),
            metadata.token_endpoint().map(|u| u.as_str()),
            metadata.userinfo_endpoint().map(|u| u.as_str()),
            extra.end_session_endpoint.as_ref().map(|u| u.as_str()),
        ];
        for place in places.into_iter().flatten() {
            if !origin(place).is_some_and(|o| self.origins.contains(&o)) {
                // Whoever can write the document must not be able to send people, or our codes, elsewhere.
                return Err(Unproved::refused(format!("{place} is at none of the configured origins")));
            }
        }
        Ok(metadata)
    }
}

fn within(at: Timestamp, now: Timestamp, seconds: i64) -> bool {
    // A clock that was set back makes everything old.
    at <= now && now < at.plus_secs(seconds)
}
