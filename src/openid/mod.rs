//! People's identity providers, seen from a relying party (OpenID Connect Core, standards §12).
//!
//! Lives here: discovery and keys of a provider ([`known`]), the authorization code flow ([`flow`]), ID tokens and
//! what they say ([`id_token`]), logout both ways ([`logout`]), telling our own clients of one ([`tell`]), and the
//! bounded HTTP client for it ([`fetch`]).
//! May touch: `openidconnect`, the network, the ground; `proof` for its one spelling of base64url.
//! Must never: name `store` or `vault`; decide who a person is; follow a redirect; take a token that it did not check.

mod fetch;
mod flow;
mod id_token;
mod known;
mod logout;
mod tell;

use std::sync::Arc;

use openidconnect::ClientSecret;

pub use flow::{Ask, Credential, Redeem};
pub use id_token::Arrival;
pub use logout::{EVENT as LOGOUT_EVENT, Ended, unverified_issuer};
pub use tell::tell;

use crate::clock::Clock;
use fetch::Fetch;
use known::Held;

/// What is configured of a provider.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its issuer, exactly as it writes it.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Scopes asked for beside `openid`.
    pub scopes: Vec<String>,
    /// Levels of authentication, any of which will do; empty: any at all.
    pub acr: Vec<String>,
    /// Origins of its endpoints beside the issuer's own (`https://wallet.example`); no other is ever spoken to (O16).
    pub origins: Vec<String>,
}

/// A provider at which we are enrolled.
pub struct Provider {
    settings: Settings,
    /// Where its endpoints may be; the issuer's own first.
    origins: Vec<String>,
    fetch: Fetch,
    held: tokio::sync::Mutex<Held>,
    clock: Arc<dyn Clock>,
}

/// Why nobody was shown to have arrived. The words are for the log; people are told one of three things.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    /// The provider does not answer, or not as a provider does.
    #[error("the identity provider does not answer: {0}")]
    Unreachable(String),
    /// What it sent, or what was sent in its name, is not good.
    #[error("refused: {0}")]
    Refused(String),
    /// It cannot be spoken to as it is configured.
    #[error("the identity provider's settings: {0}")]
    Settings(&'static str),
}

impl Unproved {
    fn refused(reason: impl std::fmt::Display) -> Self {
        Self::Refused(reason.to_string())
    }
}

impl Provider {
    /// A provider as configured; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`Unproved::Settings`] when the issuer or an origin is not one.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Unproved> {
        let mut origins = vec![origin(&settings.issuer).ok_or(Unproved::Settings("the issuer is not a URL"))?];
        for text in &settings.origins {
            let origin = origin(text).filter(|o| o == text).ok_or(Unproved::Settings("an origin is not an origin"))?;
            origins.push(origin);
        }
        let fetch = Fetch::new(origins.clone())?;
        Ok(Self { settings, origins, fetch, held: tokio::sync::Mutex::default(), clock })
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Our name there.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.settings.client_id
    }

    /// The levels of authentication that will do; empty: any.
    #[must_use]
    pub fn acr(&self) -> &[String] {
        &self.settings.acr
    }

    /// Where its endpoints may be: the only places to which a page of ours sends a browser.
    #[must_use]
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    fn secret(credential: &Credential<'_>) -> Option<ClientSecret> {
        match credential {
            Credential::Secret(secret) => Some(ClientSecret::new((*secret).to_owned())),
            Credential::Assertion(_) => None,
        }
    }
}

/// The origin of a URL: scheme, host and, unless it is the usual one, port.
fn origin(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    matches!(url.scheme(), "https" | "http").then(|| url.origin().ascii_serialization())
}
