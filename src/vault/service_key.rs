//! The deployment's own keys: one each for the blind index, row MACs, page links, nonces, access
//! tokens, consent tokens, the log and the registry.

use std::sync::Arc;

use super::bind::Binding;
use super::epoch::Epochs;
use super::root::DOES_NOT_OPEN;
use super::wrap::{self, Key, SUITE};
use super::{Indexer, LogSigner, NonceMac, PageSealer, RegistrySigner, RowMac, TokenSigner, VaultError, sign, token};
use crate::chance::Chance;
use crate::db::{Arg, Db};
use crate::secret::Secret;

/// The keys in use, each behind its capability.
pub(super) struct ServiceKeys {
    pub(super) index: Indexer,
    pub(super) row: RowMac,
    pub(super) page: PageSealer,
    pub(super) nonce: NonceMac,
    /// Signs access tokens, and nothing else.
    pub(super) access: TokenSigner,
    /// Signs consent tokens, and nothing else (J30).
    pub(super) consent: TokenSigner,
    pub(super) log: LogSigner,
    pub(super) registry: RegistrySigner,
}

/// A row of `service_key`.
pub(super) struct WrappedService {
    pub(super) name: String,
    pub(super) version: i64,
    pub(super) epoch: i64,
    pub(super) wrapped: Vec<u8>,
    pub(super) public: Vec<u8>,
}

impl WrappedService {
    fn place(&self, deployment: &str, epoch: i64) -> Result<Binding, VaultError> {
        // The public key is bound too: exchanging it would make outsiders trust another key.
        Binding::new()
            .field(b"garant wrap service key")?
            .field(&[SUITE])?
            .field(deployment.as_bytes())?
            .field(self.name.as_bytes())?
            .field(&self.version.to_be_bytes())?
            .field(&epoch.to_be_bytes())?
            .field(&self.public)
    }

    fn unwrap(&self, deployment: &str, epochs: &Epochs) -> Result<Secret<Vec<u8>>, VaultError> {
        let kek = epochs.find(self.epoch).ok_or(VaultError::Refused)?;
        wrap::unwrap(kek, &self.place(deployment, self.epoch)?, &self.wrapped)
    }

    /// The same key wrapped under the current epoch.
    pub(super) fn rewrap(&self, deployment: &str, epochs: &Epochs, chance: &dyn Chance) -> Result<Vec<u8>, VaultError> {
        let secret = self.unwrap(deployment, epochs)?;
        let (epoch, kek) = epochs.current();
        wrap::wrap(kek, &self.place(deployment, epoch)?, secret.expose(), chance)
    }

    /// All rows; there are eight.
    pub(super) async fn all(db: &Db) -> Result<Vec<Self>, VaultError> {
        const SQL: &str = "SELECT name, version, epoch, wrapped, public_key FROM service_key ORDER BY name, version";
        let read = |row: &crate::db::Row<'_>| {
            Ok(Self {
                name: row.text(0)?.to_owned(),
                version: row.int(1)?,
                epoch: row.int(2)?,
                wrapped: row.bytes(3)?.to_vec(),
                public: row.bytes(4)?.to_vec(),
            })
        };
        Ok(db.all("service_key", SQL, &[], read).await?)
    }
}

impl ServiceKeys {
    /// The statements that store fresh keys.
    pub(super) fn inserts(
        epochs: &Epochs,
        deployment: &str,
        chance: &dyn Chance,
    ) -> Result<Vec<(&'static str, Vec<Arg<'static>>)>, VaultError> {
        const SQL: &str = "INSERT INTO service_key (name, version, epoch, wrapped, public_key, updated_by) \
                           VALUES ($1, 1, $2, $3, $4, 'init keystore')";
        let (epoch, kek) = epochs.current();
        let mut statements = Vec::new();
        for name in ["index", "row", "page", "nonce", "access", "consent", "log", "registry"] {
            let (secret, public) = match name {
                "access" | "consent" => token::generate()?,
                "log" | "registry" => {
                    let seed = Key::fresh(chance)?;
                    (Secret::new(seed.0.to_vec()), sign::public_of(&seed)?)
                }
                _ => (Secret::new(Key::fresh(chance)?.0.to_vec()), Vec::new()),
            };
            let row = WrappedService { name: name.to_owned(), version: 1, epoch, wrapped: Vec::new(), public };
            let wrapped = wrap::wrap(kek, &row.place(deployment, epoch)?, secret.expose(), chance)?;
            statements.push((SQL, vec![name.into(), epoch.into(), wrapped.into(), row.public.into()]));
        }
        Ok(statements)
    }

    /// Reads and unwraps the keys.
    pub(super) async fn load(
        db: &Db,
        epochs: &Epochs,
        deployment: &str,
        chance: &Arc<dyn Chance>,
    ) -> Result<Self, VaultError> {
        let rows = WrappedService::all(db).await?;
        let find = |name: &str| {
            let row = rows.iter().find(|row| row.name == name && row.version == 1);
            let row = row.ok_or(VaultError::Root("a key of the deployment is missing from the keystore"))?;
            let secret = row.unwrap(deployment, epochs).map_err(|_| DOES_NOT_OPEN)?;
            Ok::<_, VaultError>((secret, row.public.as_slice()))
        };
        let key = |name: &str| find(name).and_then(|(secret, public)| Ok((Key::read(&secret)?, public)));
        let (log, registry) = (key("log")?, key("registry")?);
        let (access, consent) = (find("access")?, find("consent")?);
        Ok(Self {
            index: Indexer::new(&key("index")?.0),
            row: RowMac::new(&key("row")?.0),
            page: PageSealer::new(key("page")?.0, Arc::clone(chance)),
            nonce: NonceMac::new(&key("nonce")?.0),
            access: TokenSigner::read(&access.0, access.1)?,
            consent: TokenSigner::read(&consent.0, consent.1)?,
            log: LogSigner::read(&log.0, log.1)?,
            registry: RegistrySigner::read(&registry.0, registry.1)?,
        })
    }
}
