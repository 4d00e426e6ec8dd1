//! The keys of one kind of token, each with its time: published before it signs, taken until the last token it
//! signed is over, then gone (P50).

use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

use super::keyring::Keyring;
use super::service_key::WrappedService;
use super::{TokenSigner, VaultError, token};
use crate::clock::Timestamp;
use crate::db::{Arg, DbError};

/// How long a fresh key is published before it signs, in seconds: every node has read it by then.
pub const LEAD_SECONDS: i64 = 60;
/// How long a key that signs no more is still taken, in seconds: a token's longest life and a lead.
pub const LINGER_SECONDS: i64 = 300 + LEAD_SECONDS;

/// The keys of one kind of token. Clones share them, and see what is read anew.
#[derive(Clone)]
pub struct TokenKeys(Arc<RwLock<Arc<Ring>>>);

/// At least one key, in the order in which they begin.
struct Ring {
    first: Dated,
    more: Vec<Dated>,
}

struct Dated {
    signer: TokenSigner,
    begins: Timestamp,
    /// From when on it is not taken; 0 while that is open.
    ends: Timestamp,
}

impl Dated {
    fn taken(&self, now: Timestamp) -> bool {
        self.ends == Timestamp(0) || now < self.ends
    }
}

impl Ring {
    fn all(&self) -> impl Iterator<Item = &Dated> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

impl TokenKeys {
    pub(super) fn new(keys: Vec<(TokenSigner, &WrappedService)>) -> Result<Self, VaultError> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(ring(keys)?)))))
    }

    pub(super) fn replace(&self, keys: Vec<(TokenSigner, &WrappedService)>) -> Result<(), VaultError> {
        let ring = Arc::new(ring(keys)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that signs now: the youngest that has begun.
    #[must_use]
    pub fn signer(&self, now: Timestamp) -> TokenSigner {
        let ring = self.ring();
        ring.all().filter(|key| key.begins <= now).last().unwrap_or(&ring.first).signer.clone()
    }

    /// The public key of this name, `04 | x | y`, if what it signed is taken now.
    #[must_use]
    pub fn find(&self, kid: &str, now: Timestamp) -> Option<[u8; 65]> {
        let ring = self.ring();
        ring.all().find(|key| key.signer.kid() == kid && key.taken(now)).map(|key| *key.signer.public())
    }

    /// The members of a JWK set (RFC 7517 §5.1): every key that signs, will sign, or is still taken.
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> String {
        let ring = self.ring();
        let mut out = String::new();
        for key in ring.all().filter(|key| key.taken(now)) {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "{}{}", if out.is_empty() { "" } else { "," }, key.signer.jwk());
        }
        out
    }
}

fn ring(keys: Vec<(TokenSigner, &WrappedService)>) -> Result<Ring, VaultError> {
    let mut dated: Vec<Dated> = keys
        .into_iter()
        .map(|(signer, row)| Dated { signer, begins: Timestamp(row.begins), ends: Timestamp(row.ends) })
        .collect();
    dated.sort_by_key(|key| key.begins);
    let mut all = dated.into_iter();
    let first = all.next().ok_or(VaultError::Root("a key of the deployment is missing from the keystore"))?;
    Ok(Ring { first, more: all.collect() })
}

/// The kinds of token whose keys are rotated.
pub(super) const ROTATED: [&str; 2] = ["access", "identity"];

impl Keyring {
    /// Begins fresh keys for access and identity tokens, and sets the end of those that sign now. Each fresh key signs
    /// after [`LEAD_SECONDS`]; nothing that is valid is refused at any moment. Gives when they sign.
    ///
    /// # Errors
    /// [`VaultError::Root`] when the last rotation has not come to its end.
    pub async fn rotate_tokens(&self) -> Result<Timestamp, VaultError> {
        const ADD: &str = "INSERT INTO service_key (name, version, epoch, wrapped, public_key, begins, ends, updated_by) \
                           VALUES ($1, $2, $3, $4, $5, $6, 0, 'rotate tokens')";
        const END: &str = "UPDATE service_key SET wrapped = $1, epoch = $2, ends = $3, updated_by = 'rotate tokens' \
                           WHERE name = $4 AND version = $5 AND ends = 0";
        const FORGET: &str = "DELETE FROM service_key WHERE name = $1 AND ends > 0 AND ends <= $2";
        self.0.reload().await?;
        let setup = &self.0.setup;
        let (epochs, now) = (self.0.epochs(), setup.clock.now());
        let begins = now.plus_secs(LEAD_SECONDS);
        let (epoch, _) = epochs.current();
        let rows = WrappedService::all(&setup.db).await?;
        let mut statements: Vec<(&'static str, Vec<Arg<'static>>)> = Vec::new();
        for name in ROTATED {
            let newest = rows.iter().filter(|row| row.name == name).max_by_key(|row| row.version);
            let newest = newest.ok_or(VaultError::Root("a key of the deployment is missing from the keystore"))?;
            if newest.begins > now.0 || newest.ends != 0 {
                return Err(VaultError::Root("the last rotation of token keys is not over: wait a minute"));
            }
            let (secret, public) = token::generate()?;
            let version = newest.version.checked_add(1).ok_or(VaultError::Refused)?;
            let fresh = WrappedService {
                name: name.to_owned(),
                version,
                epoch,
                wrapped: Vec::new(),
                public,
                begins: begins.0,
                ends: 0,
            };
            let wrapped = fresh.wrap(&setup.deployment, &epochs, &secret, &*setup.chance)?;
            let ends = begins.plus_secs(LINGER_SECONDS);
            let ending = newest.ending(&setup.deployment, &epochs, &*setup.chance, ends.0)?;
            statements.extend([
                (FORGET, vec![name.into(), now.0.into()]),
                (
                    ADD,
                    vec![
                        name.into(),
                        version.into(),
                        epoch.into(),
                        wrapped.into(),
                        fresh.public.into(),
                        begins.0.into(),
                    ],
                ),
                (END, vec![ending.into(), epoch.into(), ends.0.into(), name.into(), newest.version.into()]),
            ]);
        }
        match setup.db.transact("rotate tokens", statements).await {
            Ok(_) => {}
            Err(DbError::Taken) => return Err(VaultError::Root("another process rotates token keys at this moment")),
            Err(error) => return Err(error.into()),
        }
        self.reload_tokens().await?;
        Ok(begins)
    }

    /// Reads the keys of tokens anew, as another process may have rotated them.
    ///
    /// # Errors
    /// [`VaultError`]; the keys read before stay in use.
    pub async fn reload_tokens(&self) -> Result<(), VaultError> {
        self.0.reload().await?;
        let rows = WrappedService::all(&self.0.setup.db).await?;
        let epochs = self.0.epochs();
        for (name, keys) in ROTATED.into_iter().zip([self.access_keys(), self.identity_keys()]) {
            keys.replace(WrappedService::signers(&rows, name, &self.0.setup.deployment, &epochs)?)?;
        }
        Ok(())
    }
}
