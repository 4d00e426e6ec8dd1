//! What a room is handed: one thing it can do with keys, and no more.

use std::sync::Arc;

use super::VaultError;
use super::keyring::Keyring;
use super::patient_key::PatientKeys;
use super::place::{Class, Place};
use super::rotate::{Progress, Rotation};
use super::seal::{self, Opened};
use super::shred::{ShredCertificate, Which};
use crate::chance::Chance;
use crate::id::PatientId;
use crate::model::Sealed;

fn only(allowed: bool) -> Result<(), VaultError> {
    if allowed { Ok(()) } else { Err(VaultError::Refused) }
}

/// Seals anything that is under a patient's record key; opens nothing.
#[derive(Clone)]
pub struct Sealer {
    deployment: Arc<str>,
    chance: Arc<dyn Chance>,
}

impl Sealer {
    /// Seals `plaintext` for `place`.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] when the record key is erased; [`VaultError::Refused`] for another patient's place or a
    /// column of the log.
    pub fn seal(&self, keys: &PatientKeys, place: &Place, plaintext: &[u8]) -> Result<Sealed, VaultError> {
        only(place.class() != Class::Log)?;
        seal::seal(keys, place, &self.deployment, plaintext, &*self.chance)
    }
}

/// Opens anything that is under a patient's record key.
#[derive(Clone)]
pub struct Opener {
    deployment: Arc<str>,
}

impl Opener {
    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] when the record key is erased; [`VaultError::Refused`] for anything that is not exactly
    /// what was sealed there.
    pub fn open(&self, keys: &PatientKeys, place: &Place, sealed: &Sealed) -> Result<Opened, VaultError> {
        only(place.class() != Class::Log)?;
        seal::open(keys, place, &self.deployment, sealed)
    }
}

/// Opens the columns `facts`, `found` and `evidence`: labels, search values and the evidence of a consent. Never
/// content, whose keys are derived under another word.
#[derive(Clone)]
pub struct Reader {
    deployment: Arc<str>,
}

impl Reader {
    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// As [`Opener::open`]; [`VaultError::Refused`] for every other column.
    pub fn open(&self, keys: &PatientKeys, place: &Place, sealed: &Sealed) -> Result<Opened, VaultError> {
        only(place.class() == Class::Label)?;
        seal::open(keys, place, &self.deployment, sealed)
    }
}

/// Seals the column `personal` of the log, under the log key.
#[derive(Clone)]
pub struct LogSealer {
    deployment: Arc<str>,
    chance: Arc<dyn Chance>,
}

impl LogSealer {
    /// Seals `plaintext` for `place`.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] when the log key is erased; [`VaultError::Refused`] for any other column.
    pub fn seal(&self, keys: &PatientKeys, place: &Place, plaintext: &[u8]) -> Result<Sealed, VaultError> {
        only(place.class() == Class::Log)?;
        seal::seal(keys, place, &self.deployment, plaintext, &*self.chance)
    }
}

/// Opens the column `personal` of the log.
#[derive(Clone)]
pub struct LogReader {
    deployment: Arc<str>,
}

impl LogReader {
    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] when the log key is erased; [`VaultError::Refused`] for any other column or any change.
    pub fn open(&self, keys: &PatientKeys, place: &Place, sealed: &Sealed) -> Result<Opened, VaultError> {
        only(place.class() == Class::Log)?;
        seal::open(keys, place, &self.deployment, sealed)
    }
}

/// Unwraps patients' keys for one request.
#[derive(Clone)]
pub struct Unwrapper(Keyring);

impl Unwrapper {
    /// As [`Keyring::keys`].
    pub async fn keys(&self, patient: PatientId) -> Result<PatientKeys, VaultError> {
        self.0.keys(patient).await
    }
}

/// Gives patients their keys.
#[derive(Clone)]
pub struct Enroller(Keyring);

impl Enroller {
    /// As [`Keyring::enrol`].
    pub async fn enrol(&self, patient: PatientId) -> Result<(), VaultError> {
        self.0.enrol(patient).await
    }
}

/// Rotates the key-encryption key.
#[derive(Clone)]
pub struct Rewrapper(Keyring);

impl Rewrapper {
    /// As [`Keyring::rotate`].
    pub async fn rotate(&self, progress: impl FnMut(Progress) + Send) -> Result<Rotation, VaultError> {
        self.0.rotate(progress).await
    }
}

/// Destroys patients' keys.
#[derive(Clone)]
pub struct Shredder(Keyring);

impl Shredder {
    /// As [`Keyring::shred`].
    pub async fn shred(
        &self,
        patient: PatientId,
        which: Which,
        backup_days: u32,
    ) -> Result<ShredCertificate, VaultError> {
        self.0.shred(patient, which, backup_days).await
    }
}

impl Keyring {
    fn deployment(&self) -> Arc<str> {
        Arc::from(self.0.setup.deployment.as_str())
    }

    /// Seals under record keys.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        Sealer { deployment: self.deployment(), chance: Arc::clone(&self.0.setup.chance) }
    }

    /// Opens under record keys.
    #[must_use]
    pub fn opener(&self) -> Opener {
        Opener { deployment: self.deployment() }
    }

    /// Opens labels, search values and evidence.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { deployment: self.deployment() }
    }

    /// Seals the log's personal fields.
    #[must_use]
    pub fn log_sealer(&self) -> LogSealer {
        LogSealer { deployment: self.deployment(), chance: Arc::clone(&self.0.setup.chance) }
    }

    /// Opens the log's personal fields.
    #[must_use]
    pub fn log_reader(&self) -> LogReader {
        LogReader { deployment: self.deployment() }
    }

    /// Unwraps keys for a request.
    #[must_use]
    pub fn unwrapper(&self) -> Unwrapper {
        Unwrapper(self.clone())
    }

    /// Makes keys for new patients.
    #[must_use]
    pub fn enroller(&self) -> Enroller {
        Enroller(self.clone())
    }

    /// Rotates.
    #[must_use]
    pub fn rewrapper(&self) -> Rewrapper {
        Rewrapper(self.clone())
    }

    /// Destroys keys.
    #[must_use]
    pub fn shredder(&self) -> Shredder {
        Shredder(self.clone())
    }
}
