//! Settings, read once.
//!
//! Lives here: `garant.toml` of a data folder, with a default and a unit for each field.
//! May touch: the ground and the file system; the environment for secrets.
//! Must never: hold a secret in the file, accept a field it does not know, read anything twice.

mod sign_in;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

pub use sign_in::{ProviderConfig, SignInConfig};

/// The file's name within the data folder.
pub const FILE: &str = "garant.toml";
/// The environment variable that may hold the root passphrase (or the HSM's PIN).
pub const PASSPHRASE: &str = "GARANT_PASSPHRASE";

/// The settings of one deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The FHIR base URL as clients see it, without a slash at its end; tokens and statements are bound to it.
    pub base_url: String,
    /// Where to listen; put a TLS front before anything but loopback.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Development mode: a passphrase-file root and the built-in identity provider are allowed. Never in production.
    #[serde(default)]
    pub development: bool,
    /// PostgreSQL URL of the store; absent: `store.sqlite` in the data folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// PostgreSQL URL of the keystore, another database than the store's; absent: `keys.sqlite` in the data folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keystore: Option<String>,
    /// What protects the keystore.
    pub root: RootConfig,
    /// Connections for reading, at most. Default 4; about twice the number of cores is best.
    #[serde(default = "default_readers")]
    pub readers: u32,
    /// Seconds between checkpoints of the log. Default 1.
    #[serde(default = "default_checkpoint")]
    pub checkpoint_secs: u64,
    /// Web origins whose passkey assertions are accepted for consents; when none is named, that of `base_url`.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Where people sign in.
    #[serde(default)]
    pub sign_in: SignInConfig,
    /// What the doors ask of those who knock.
    #[serde(default)]
    pub doors: Doors,
}

/// What the doors ask of those who knock.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Doors {
    /// Whether each proof of possession must bear a nonce of this server (RFC 9449 §8, §9). Default true: without,
    /// whoever could use a client's key for a moment may have made proofs for later.
    pub dpop_nonces: bool,
    /// Requests a second from one client or patient; twice as many may come at once. Default 500.
    pub per_second: NonZeroU32,
    /// The same for all from one address who show no token. Default 100.
    pub strangers_per_second: NonZeroU32,
    /// Requests of one of them that are worked on at the same moment. Default 64.
    pub at_once: usize,
    /// MiB that all bodies under way may fill together; one client has a quarter of it. Default 256.
    pub bodies_mib: usize,
    /// Connections from one address at once; of 1024 in all. Default 256.
    pub connections: usize,
    /// Addresses of your own fronts (TLS, load balancing). Their `X-Forwarded-For` is believed, nobody else's, and
    /// they may hold any number of connections. Default none.
    pub fronts: Vec<IpAddr>,
}

impl Default for Doors {
    fn default() -> Self {
        let per_second = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            dpop_nonces: true,
            per_second: per_second(500),
            strangers_per_second: per_second(100),
            at_once: 64,
            bodies_mib: 256,
            connections: 256,
            fronts: Vec::new(),
        }
    }
}

/// What protects the keystore.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RootConfig {
    /// A passphrase-protected file, `root.json` in the data folder; development only, unless `in_production` is true.
    File {
        /// Accepts the file root in production.
        #[serde(default)]
        in_production: bool,
    },
    /// A PKCS#11 token.
    Pkcs11 {
        /// Path of the module.
        module: PathBuf,
        /// Label of the token.
        token: String,
        /// Label of the key in the token.
        #[serde(default = "default_key_label")]
        key: String,
    },
}

const fn default_readers() -> u32 {
    4
}

const fn default_checkpoint() -> u64 {
    1
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8750))
}

fn default_key_label() -> String {
    "garant-root".to_owned()
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("no {FILE} in {0}: `garant init --data {0}` makes a new data folder")]
    Missing(PathBuf),
    /// The file cannot be read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    /// The file says something that is not known or not allowed.
    #[error("{0}: {1}")]
    Wrong(PathBuf, String),
    /// The passphrase was not given.
    #[error("the root passphrase is missing: set {PASSPHRASE}, or name a file with --passphrase-file")]
    NoPassphrase,
}

impl Config {
    /// Reads the settings of the data folder `folder`.
    pub fn load(folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Err(ConfigError::Missing(folder.to_owned()));
        }
        let text = std::fs::read_to_string(&path).map_err(|e| ConfigError::Io(path.clone(), e))?;
        let config: Self =
            toml::from_str(&text).map_err(|e| ConfigError::Wrong(path.clone(), e.message().to_owned()))?;
        config.check().map_err(|reason| ConfigError::Wrong(path, reason))?;
        Ok(config)
    }

    /// Writes the settings into the data folder `folder`, which must not have any others.
    pub fn save_new(&self, folder: &Path) -> Result<(), ConfigError> {
        let path = folder.join(FILE);
        self.check().map_err(|reason| ConfigError::Wrong(path.clone(), reason))?;
        let text = toml::to_string_pretty(self).map_err(|e| ConfigError::Wrong(path.clone(), e.to_string()))?;
        if path.exists() {
            // The same settings: a founding that was cut off is taken up again.
            let same = std::fs::read_to_string(&path).is_ok_and(|there| there == text);
            let other = || ConfigError::Wrong(path, "exists already; nothing was changed".to_owned());
            return if same { Ok(()) } else { Err(other()) };
        }
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &path)).map_err(|e| ConfigError::Io(path, e))
    }

    fn check(&self) -> Result<(), String> {
        let url = url::Url::parse(&self.base_url).map_err(|_| "base_url is not a URL".to_owned())?;
        if self.base_url.ends_with('/') || url.query().is_some() || url.fragment().is_some() {
            return Err("base_url must end without a slash, query or fragment".to_owned());
        }
        if url.scheme() != "https" && !self.development {
            return Err("base_url must begin with https:// unless development = true".to_owned());
        }
        let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if self.development && !(url.scheme() == "http" && local && self.listen.ip().is_loopback()) {
            // Its identity provider believes anyone: nobody else may be able to reach it, or be told to.
            return Err("development mode is for this machine alone: base_url must be http://127.0.0.1… or \
                        http://localhost…, and listen a loopback address"
                .to_owned());
        }
        if self.store.is_some() && self.store == self.keystore {
            // Erasure and backups rely on keys and data being apart (security.md §4, K9 and K25).
            return Err("store and keystore must be different databases".to_owned());
        }
        self.sign_in.check(self.development)?;
        match &self.root {
            RootConfig::File { in_production } if !self.development && !in_production => {
                Err("a passphrase-file root is refused in production: use root.kind = \"pkcs11\", \
                     or accept the risk with root.in_production = true"
                    .to_owned())
            }
            RootConfig::File { .. } | RootConfig::Pkcs11 { .. } => Ok(()),
        }
    }

    /// The address of the pages and the issuer of tokens: the base URL without its last path segment.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.base_url.strip_suffix("/fhir").unwrap_or(&self.base_url)
    }

    /// The site whose passkeys are taken (WebAuthn): the host of the base URL, and the origins set, else its own.
    #[must_use]
    pub fn passkey_site(&self) -> (String, Vec<String>) {
        let host =
            url::Url::parse(self.issuer()).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        let origins = if self.origins.is_empty() { vec![self.issuer().to_owned()] } else { self.origins.clone() };
        (host, origins)
    }

    /// The origin line of the log: host and path of the base URL, `/log` added.
    #[must_use]
    pub fn log_origin(&self) -> String {
        let without_scheme = self.issuer().split_once("://").map_or(self.issuer(), |(_, rest)| rest);
        format!("{}/log", without_scheme.replace([' ', '+'], "-"))
    }
}

/// Takes the root passphrase from `file`, or from the environment; the end of line is not part of it.
pub fn passphrase(file: Option<&Path>) -> Result<Secret<String>, ConfigError> {
    if let Some(path) = file {
        return secret(path);
    }
    #[expect(clippy::disallowed_methods, reason = "this room is the one that reads the environment")]
    let text = std::env::var(PASSPHRASE).map_err(|_| ConfigError::NoPassphrase)?;
    without_line_end(text)
}

/// Takes a secret from `file`; the end of line is not part of it.
pub fn secret(file: &Path) -> Result<Secret<String>, ConfigError> {
    without_line_end(std::fs::read_to_string(file).map_err(|e| ConfigError::Io(file.to_owned(), e))?)
}

fn without_line_end(mut text: String) -> Result<Secret<String>, ConfigError> {
    while text.ends_with(['\n', '\r']) {
        text.pop();
    }
    if text.is_empty() { Err(ConfigError::NoPassphrase) } else { Ok(Secret::new(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Config::load(folder.path()).unwrap_err().to_string()
    }

    #[test]
    fn production_refuses_what_is_unsafe_and_says_what_to_do() {
        let file = "base_url = \"https://a.example/fhir\"\nroot = { kind = \"file\" }\n";
        assert!(refused(file).contains("in_production"));
        assert!(refused("base_url = \"http://a.example/fhir\"\nroot = { kind = \"file\" }").contains("https"));
        assert!(refused("base_ur = 1\nroot = { kind = \"file\" }").contains("base_ur"));
        let same = "base_url = \"http://127.0.0.1/fhir\"\ndevelopment = true\nstore = \"postgres://x\"\nkeystore = \"postgres://x\"\nroot = { kind = \"file\" }";
        assert!(refused(same).contains("different"));
        for far in ["http://a.example/fhir", "https://a.example/fhir"] {
            let far = format!("base_url = \"{far}\"\ndevelopment = true\nroot = {{ kind = \"file\" }}");
            assert!(refused(&far).contains("this machine alone"));
        }
        let provider = |issuer: &str, acr: &str| {
            format!(
                "base_url = \"https://a.example/fhir\"\nroot = {{ kind = \"pkcs11\", module = \"m\", token = \"t\" }}\n\
                 [sign_in.patients]\nissuer = \"{issuer}\"\nclient_id = \"garant\"\nacr = [{acr}]\n"
            )
        };
        assert!(refused(&provider("http://127.0.0.1/idp", "\"eidas2\"")).contains("https"));
        assert!(refused(&provider("https://idp.example", "")).contains("acr"));
        assert!(refused(&provider("https://idp.example\"\nsecret = \"x", "\"eidas2\"")).contains("secret"));
        assert!(Config::load(Path::new("/nonexistent")).unwrap_err().to_string().contains("garant init"));
    }
}
