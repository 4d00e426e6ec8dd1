//! Where people sign in: the external identity providers (OpenID Connect).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The identity providers. With none, nobody can sign in; in development mode the built-in ones stand in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInConfig {
    /// Where patients sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patients: Option<ProviderConfig>,
    /// Where professionals sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub professionals: Option<ProviderConfig>,
}

/// One identity provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// Its issuer, exactly as its discovery document writes it.
    pub issuer: String,
    /// Our client id there. Redirect URI: `…/login/callback`; back-channel logout: `…/oidc/backchannel-logout`.
    pub client_id: String,
    /// A file with our client secret; absent: `private_key_jwt` with the key that `…/oidc/jwks` publishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Scopes asked for beside `openid`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Levels of authentication (`acr`), any of which will do, for example `eidas2`. Production needs at least one.
    #[serde(default)]
    pub acr: Vec<String>,
    /// Origins of its endpoints beside the issuer's own, as `https://wallet.example`. No other is spoken to.
    #[serde(default)]
    pub origins: Vec<String>,
    /// The claim with a professional's national number. Default `SubjectNameID`.
    #[serde(default = "default_national_id")]
    pub national_id: String,
    /// The claim with their professions. Default `SubjectRole`.
    #[serde(default = "default_role")]
    pub role: String,
    /// The claim with the numbers of the organisations they act for. Default `SubjectOrganizationID`.
    #[serde(default = "default_organisation")]
    pub organisation: String,
}

fn default_national_id() -> String {
    "SubjectNameID".to_owned()
}

fn default_role() -> String {
    "SubjectRole".to_owned()
}

fn default_organisation() -> String {
    "SubjectOrganizationID".to_owned()
}

impl ProviderConfig {
    /// A provider with the usual claims, at which we sign assertions.
    #[must_use]
    pub fn new(issuer: String, client_id: String) -> Self {
        Self {
            issuer,
            client_id,
            secret_file: None,
            scopes: Vec::new(),
            acr: Vec::new(),
            origins: Vec::new(),
            national_id: default_national_id(),
            role: default_role(),
            organisation: default_organisation(),
        }
    }
}

impl SignInConfig {
    /// Refuses what is unsafe.
    pub(super) fn check(&self, development: bool) -> Result<(), String> {
        for (section, provider) in [("patients", &self.patients), ("professionals", &self.professionals)] {
            let Some(provider) = provider else { continue };
            let wrong = |what: &str| Err(format!("sign_in.{section}: {what}"));
            for url in std::iter::once(&provider.issuer).chain(&provider.origins) {
                let parsed = url::Url::parse(url).map_err(|_| format!("sign_in.{section}: {url} is not a URL"))?;
                let local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
                if parsed.scheme() != "https" && !(development && local && parsed.scheme() == "http") {
                    return wrong("issuer and origins must begin with https:// (in development also http://127.0.0.1)");
                }
            }
            if provider.acr.is_empty() && !development {
                return wrong("acr must name at least one level of authentication that will do");
            }
            if provider.client_id.is_empty() {
                return wrong("client_id must not be empty");
            }
        }
        Ok(())
    }
}
