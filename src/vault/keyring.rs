//! The keyring: the keystore opened.

use std::sync::{Arc, PoisonError, RwLock};

use super::bind::LONGEST_NAME;
use super::cache::Cache;
use super::epoch::{self, EpochMark, Epochs};
use super::patient_key::{NotUnwrapped, PatientKeys, Use, WrappedKey};
use super::root::Root;
use super::service_key::ServiceKeys;
use super::{
    Indexer, LogSigner, NonceMac, PageSealer, RegistrySigner, RegistryVerifier, RowMac, TokenSigner, VaultError,
};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::id::PatientId;

/// What a keyring is opened with.
#[derive(Clone)]
pub struct Setup {
    /// The keystore, opened with [`super::migrations`] and `Holds::Keys`.
    pub db: Db,
    /// The root key.
    pub root: Arc<dyn Root>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The generator of keys and salts.
    pub chance: Arc<dyn Chance>,
    /// Names this deployment; bound into every ciphertext, so it can never be changed. 1 to 64 bytes.
    pub deployment: String,
    /// How many patients' wrapped keys are kept in memory.
    pub cached_patients: usize,
    /// For how long, in seconds; 30 at most.
    pub cached_seconds: i64,
}

/// All keys. Held by `app` alone, which hands each room the capability it needs.
#[derive(Clone)]
pub struct Keyring(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) setup: Setup,
    epochs: RwLock<Arc<Epochs>>,
    pub(super) cache: Cache,
    service: ServiceKeys,
}

impl Keyring {
    /// Makes the first epoch and the deployment's own keys in an empty keystore, and opens it.
    ///
    /// # Errors
    /// [`VaultError::Keystore`] with [`DbError::Taken`] when the keystore is not empty.
    pub async fn init(setup: Setup) -> Result<Self, VaultError> {
        check(&setup)?;
        let Setup { db, root, clock, chance, deployment, .. } = &setup;
        let (sql, args, key) = epoch::insert(1, &**root, deployment, &**chance, clock.now())?;
        let mut statements = vec![(sql, args)];
        statements.extend(ServiceKeys::inserts(&Epochs::first(key), deployment, &**chance)?);
        db.transact("init keystore", statements).await?;
        Self::open(setup).await
    }

    /// Opens a keystore: unwraps the epochs' keys and the deployment's own, and compares their check values.
    ///
    /// # Errors
    /// [`VaultError::Root`] with what the operator should look at.
    pub async fn open(setup: Setup) -> Result<Self, VaultError> {
        check(&setup)?;
        let epochs = Epochs::load(&setup.db, &*setup.root, &setup.deployment).await?;
        let service = ServiceKeys::load(&setup.db, &epochs, &setup.deployment, &setup.chance).await?;
        let cache = Cache::new(setup.cached_patients, setup.cached_seconds);
        Ok(Self(Arc::new(Inner { setup, epochs: RwLock::new(Arc::new(epochs)), cache, service })))
    }

    /// The epochs in force, for the log.
    #[must_use]
    pub fn epochs(&self) -> Vec<EpochMark> {
        self.0.epochs().marks()
    }

    /// Makes blind-index tags.
    #[must_use]
    pub fn indexer(&self) -> Indexer {
        self.0.service.index.clone()
    }

    /// Authenticates rows.
    #[must_use]
    pub fn row_mac(&self) -> RowMac {
        self.0.service.row.clone()
    }

    /// Seals links to further pages.
    #[must_use]
    pub fn page_sealer(&self) -> PageSealer {
        self.0.service.page.clone()
    }

    /// Authenticates the server's nonces.
    #[must_use]
    pub fn nonce_mac(&self) -> NonceMac {
        self.0.service.nonce.clone()
    }

    /// Signs access tokens.
    #[must_use]
    pub fn access_signer(&self) -> TokenSigner {
        self.0.service.access.clone()
    }

    /// Countersigns consents.
    #[must_use]
    pub fn consent_signer(&self) -> TokenSigner {
        self.0.service.consent.clone()
    }

    /// Signs the log's heads.
    #[must_use]
    pub fn log_signer(&self) -> LogSigner {
        self.0.service.log.clone()
    }

    /// Signs the registry's entries.
    #[must_use]
    pub fn registry_signer(&self) -> RegistrySigner {
        self.0.service.registry.clone()
    }

    /// Verifies the registry's entries.
    #[must_use]
    pub fn registry_verifier(&self) -> RegistryVerifier {
        self.0.service.registry.verifier()
    }

    /// Unwraps the keys of `patient`, once per request.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] when the patient has none; [`VaultError::Refused`] when one does not unwrap.
    pub async fn keys(&self, patient: PatientId) -> Result<PatientKeys, VaultError> {
        self.0.keys(patient).await
    }
}

impl Inner {
    pub(super) fn epochs(&self) -> Arc<Epochs> {
        Arc::clone(&self.epochs.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the epochs anew; an epoch removed from the keystore is wiped once its last reader is done.
    pub(super) async fn reload(&self) -> Result<(), VaultError> {
        let epochs = Arc::new(Epochs::load(&self.setup.db, &*self.setup.root, &self.setup.deployment).await?);
        *self.epochs.write().unwrap_or_else(PoisonError::into_inner) = epochs;
        Ok(())
    }

    async fn keys(&self, patient: PatientId) -> Result<PatientKeys, VaultError> {
        let mut rows = match self.cache.find(patient, self.setup.clock.now()) {
            Some(rows) => rows,
            None => self.read(patient).await?,
        };
        for _ in 0..2 {
            let epochs = self.epochs();
            match PatientKeys::unwrap(patient, &rows, &self.setup.deployment, &epochs) {
                Ok(keys) => return Ok(keys),
                Err(NotUnwrapped::Refused) => return Err(VaultError::Refused),
                // A rotation has begun an epoch, or ended the one these rows were read under: look once more.
                Err(NotUnwrapped::UnknownEpoch) => {
                    self.reload().await?;
                    self.cache.forget(patient);
                    rows = self.read(patient).await?;
                }
            }
        }
        Err(VaultError::Refused)
    }

    async fn read(&self, patient: PatientId) -> Result<Arc<[WrappedKey]>, VaultError> {
        const SQL: &str = "SELECT use, version, epoch, wrapped FROM patient_key WHERE patient = $1";
        let ticket = self.cache.ticket();
        let read = |row: &crate::db::Row<'_>| -> Result<WrappedKey, DbError> {
            let purpose = Use::from_word(row.text(0)?).ok_or_else(|| row.unreadable(0))?;
            Ok(WrappedKey { purpose, version: row.int(1)?, epoch: row.int(2)?, wrapped: row.bytes(3)?.to_vec() })
        };
        let rows = self.setup.db.all("patient_key", SQL, &[patient.as_bytes().into()], read).await?;
        if rows.is_empty() {
            return Err(VaultError::NoKey);
        }
        let rows = Arc::from(rows);
        self.cache.keep(patient, &rows, self.setup.clock.now(), ticket);
        Ok(rows)
    }
}

fn check(setup: &Setup) -> Result<(), VaultError> {
    if (1..=LONGEST_NAME).contains(&setup.deployment.len()) {
        Ok(())
    } else {
        Err(VaultError::Root("the deployment's name must have 1 to 64 bytes"))
    }
}
