//! A patient's keys: how they are bound when wrapped, and what they are once unwrapped.

use super::VaultError;
use super::bind::Binding;
use super::epoch::Epochs;
use super::wrap::{self, Key, SUITE};
use crate::chance::Chance;
use crate::id::PatientId;

/// What a patient's key is for. The two are erased apart: the record may go while its history stays readable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// The patient's record.
    Record,
    /// What the log says about the patient.
    Log,
}

impl Use {
    pub(super) const ALL: [Self; 2] = [Self::Record, Self::Log];

    /// The word kept in the `use` column.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Log => "log",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}

/// A row of `patient_key`: ciphertext only.
#[derive(Clone, Debug)]
pub(super) struct WrappedKey {
    pub(super) purpose: Use,
    pub(super) version: i64,
    pub(super) epoch: i64,
    pub(super) wrapped: Vec<u8>,
}

/// Why a row did not unwrap; the two are told apart inside the room only, to know when to reload the epochs.
pub(super) enum NotUnwrapped {
    UnknownEpoch,
    Refused,
}

impl WrappedKey {
    fn place(&self, deployment: &str, patient: PatientId, epoch: i64) -> Result<Binding, VaultError> {
        Binding::new()
            .field(b"garant wrap patient key")?
            .field(&[SUITE])?
            .field(deployment.as_bytes())?
            .field(patient.as_bytes())?
            .field(self.purpose.word().as_bytes())?
            .field(&self.version.to_be_bytes())?
            .field(&epoch.to_be_bytes())
    }

    /// Makes the first key for `purpose`, wrapped under the current epoch.
    pub(super) fn fresh(
        purpose: Use,
        patient: PatientId,
        deployment: &str,
        epochs: &Epochs,
        chance: &dyn Chance,
    ) -> Result<Self, VaultError> {
        let (epoch, kek) = epochs.current();
        let mut row = Self { purpose, version: 1, epoch, wrapped: Vec::new() };
        // Random, never derived: a key that can be made again cannot be destroyed (security K2).
        let key = Key::fresh(chance)?;
        row.wrapped = wrap::wrap(kek, &row.place(deployment, patient, epoch)?, &key.0, chance)?;
        Ok(row)
    }

    /// Unwraps the key for `patient`.
    pub(super) fn unwrap(&self, patient: PatientId, deployment: &str, epochs: &Epochs) -> Result<Key, NotUnwrapped> {
        let kek = epochs.find(self.epoch).ok_or(NotUnwrapped::UnknownEpoch)?;
        let place = self.place(deployment, patient, self.epoch).map_err(|_| NotUnwrapped::Refused)?;
        let secret = wrap::unwrap(kek, &place, &self.wrapped).map_err(|_| NotUnwrapped::Refused)?;
        Key::read(&secret).map_err(|_| NotUnwrapped::Refused)
    }

    /// The same key wrapped under the current epoch.
    pub(super) fn rewrap(
        &self,
        patient: PatientId,
        deployment: &str,
        epochs: &Epochs,
        chance: &dyn Chance,
    ) -> Result<Self, VaultError> {
        let key = self.unwrap(patient, deployment, epochs).map_err(|_| VaultError::Refused)?;
        let (epoch, kek) = epochs.current();
        let wrapped = wrap::wrap(kek, &self.place(deployment, patient, epoch)?, &key.0, chance)?;
        Ok(Self { purpose: self.purpose, version: self.version, epoch, wrapped })
    }
}

/// A patient's keys, unwrapped for one request and wiped when dropped. Opaque: only capabilities use them.
pub struct PatientKeys {
    pub(super) patient: PatientId,
    keys: Vec<(Use, i64, Key)>,
}

impl PatientKeys {
    /// Unwraps `rows` of `patient`.
    pub(super) fn unwrap(
        patient: PatientId,
        rows: &[WrappedKey],
        deployment: &str,
        epochs: &Epochs,
    ) -> Result<Self, NotUnwrapped> {
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            keys.push((row.purpose, row.version, row.unwrap(patient, deployment, epochs)?));
        }
        Ok(Self { patient, keys })
    }

    /// Whose keys they are.
    #[must_use]
    pub const fn patient(&self) -> PatientId {
        self.patient
    }

    /// The newest key for `purpose` and its version.
    pub(super) fn newest(&self, purpose: Use) -> Result<(i64, &Key), VaultError> {
        let mine = self.keys.iter().filter(|(of, _, _)| *of == purpose);
        mine.max_by_key(|(_, version, _)| *version).map(|(_, version, key)| (*version, key)).ok_or(VaultError::NoKey)
    }

    /// The key for `purpose` with this version. Without any key it is [`VaultError::NoKey`]; another version is refused.
    pub(super) fn find(&self, purpose: Use, version: i64) -> Result<&Key, VaultError> {
        self.newest(purpose)?;
        let found = self.keys.iter().find(|(of, at, _)| *of == purpose && *at == version);
        found.map(|(_, _, key)| key).ok_or(VaultError::Refused)
    }

    #[cfg(test)]
    pub(super) fn forge(patient: PatientId, record: [u8; 32]) -> Self {
        Self { patient, keys: vec![(Use::Record, 1, Key(record))] }
    }

    #[cfg(test)]
    pub(super) fn dump(&self) -> Vec<[u8; 32]> {
        self.keys.iter().map(|(_, _, key)| key.0).collect()
    }
}
