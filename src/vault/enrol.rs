//! A patient gets keys, once in all of time.

use super::VaultError;
use super::keyring::Keyring;
use super::patient_key::{Use, WrappedKey};
use crate::id::PatientId;

impl Keyring {
    /// Makes both keys of `patient`.
    ///
    /// # Errors
    /// [`VaultError::Keystore`] with `DbError::Taken` when the patient has, or ever had, a key: the row in
    /// `enrolment` outlives a shred, so an erased patient is never quietly given a new key (R07).
    pub async fn enrol(&self, patient: PatientId) -> Result<(), VaultError> {
        match self.try_enrol(patient).await {
            // The epoch this process calls current may have been rotated away; look once more.
            Err(VaultError::Keystore(crate::db::DbError::Refused(_))) => {
                self.0.reload().await?;
                self.try_enrol(patient).await
            }
            done => done,
        }
    }

    async fn try_enrol(&self, patient: PatientId) -> Result<(), VaultError> {
        const ENROL: &str = "INSERT INTO enrolment (patient, use, versions, enrolled_at, shredded_at, updated_by) \
                             VALUES ($1, $2, 1, $3, 0, 'enrol')";
        const KEY: &str = "INSERT INTO patient_key (patient, use, version, epoch, wrapped, updated_by) \
                           VALUES ($1, $2, $3, $4, $5, 'enrol')";
        let setup = &self.0.setup;
        let epochs = self.0.epochs();
        let id = patient.as_bytes().to_vec();
        let mut statements = Vec::with_capacity(4);
        for purpose in Use::ALL {
            let key = WrappedKey::fresh(purpose, patient, &setup.deployment, &epochs, &*setup.chance)?;
            let word = purpose.word();
            statements.push((ENROL, vec![id.clone().into(), word.into(), setup.clock.now().0.into()]));
            statements.push((
                KEY,
                vec![id.clone().into(), word.into(), key.version.into(), key.epoch.into(), key.wrapped.into()],
            ));
        }
        setup.db.transact("enrol", statements).await?;
        Ok(())
    }
}
