//! Patients and the devices they sign with, enrolled by the guarantor; and the end of a patient's record.

use std::sync::Arc;

use crate::chance::{Chance, NoChance};
use crate::clock::{Clock, Timestamp};
use crate::consent::row::patient_seal;
use crate::db::DbError;
use crate::id::{DeedId, DeviceId, PatientId};
use crate::ledger::{Act, Ground, Ledger, Personal, Placed, Unplaced, Unrecorded};
use crate::model::{Device, DeviceKind, Enrolled};
use crate::proof::PublicKey;
use crate::store::Store;
use crate::store::turn::Write;
use crate::vault::{
    Enroller, Indexer, PatientKeys, RegistrySigner, RowMac, ShredCertificate, Shredder, Unwrapper, VaultError, Which,
};

/// Enrols patients and devices.
pub struct Patients {
    /// Where they are kept.
    pub store: Store,
    /// Where each deed is recorded.
    pub ledger: Ledger,
    /// Makes patients' keys.
    pub enroller: Enroller,
    /// Unwraps them.
    pub unwrapper: Unwrapper,
    /// Destroys them.
    pub shredder: Shredder,
    /// Makes the tags under which patients are found.
    pub indexer: Indexer,
    /// Authenticates rows.
    pub mac: RowMac,
    /// Signs devices' enrolments.
    pub registry: RegistrySigner,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub chance: Arc<dyn Chance>,
}

/// An identifier of a patient: a system's URI and a value in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identifier {
    /// For example `urn:oid:1.2.250.1.213.1.4.8` (INS-NIR).
    pub system: String,
    /// The value, compared exactly: no case folding on identifiers (security I14).
    pub value: String,
}

/// Why a patient or device was not enrolled, removed or erased.
#[derive(Debug, thiserror::Error)]
pub enum PatientError {
    /// An identifier is another patient's already, or the patient was enrolled at the same moment.
    #[error("this patient is enrolled already")]
    Enrolled,
    /// There is no such patient, or they were erased.
    #[error("no such patient")]
    Unknown,
    /// The invitation is unknown, used up or has ended; or the account is linked already.
    #[error("this invitation does not hold, or the account is linked already")]
    NotInvited,
    /// The row of an identifier is not as the house wrote it.
    #[error("an identifier's row was altered: it may lead to another patient")]
    Altered,
    /// The public key cannot be enrolled.
    #[error("this is not a public key we take: P-256 only, on the curve, as a public JWK")]
    BadKey,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The keystore failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// No chance, no id.
    #[error(transparent)]
    NoChance(#[from] NoChance),
}

impl Patients {
    /// Enrols a patient with keys of their own, found by `identifiers` from now on.
    ///
    /// # Errors
    /// [`PatientError::Enrolled`] when any identifier is known.
    pub async fn enrol(&self, identifiers: &[Identifier]) -> Result<PatientId, PatientError> {
        for identifier in identifiers {
            if self.find(identifier).await?.is_some() {
                return Err(PatientError::Enrolled);
            }
        }
        let patient = PatientId::random(&*self.chance)?;
        // Keys first: a row without keys could not be read, keys without a row harm nobody.
        self.enroller.enrol(patient).await?;
        let keys = self.unwrapper.keys(patient).await?;
        let mut writes = vec![Write::Patient {
            patient,
            state: "active",
            since: self.clock.now(),
            seal: patient_seal(&self.mac, patient, "active").to_vec(),
        }];
        writes.extend(identifiers.iter().map(|i| self.naming(patient, i)));
        let whole = (Enrolled::Patient(patient), Enrolled::ACTIVE);
        self.record(patient, (Act::Enrol, "patient/enrol"), whole, &keys, writes).await?;
        Ok(patient)
    }

    /// Finds a patient by an identifier. The blind index is a hint; what is released later is bound to the patient.
    ///
    /// # Errors
    /// [`PatientError::Db`]; [`PatientError::Altered`]: what is stored next must not land in another's record.
    pub async fn find(&self, identifier: &Identifier) -> Result<Option<PatientId>, PatientError> {
        let tag = self.tag(identifier);
        let Some((patient, seal)) = self.store.patient_by_tag(&tag).await? else { return Ok(None) };
        if self.mac.verify(&[b"identifier", patient.as_bytes(), &tag], &seal).is_err() {
            tracing::error!("the row of an identifier was altered");
            return Err(PatientError::Altered);
        }
        Ok(Some(patient))
    }

    /// The write by which `patient` is found by `identifier` from then on.
    #[must_use]
    pub fn naming(&self, patient: PatientId, identifier: &Identifier) -> Write {
        let tag = self.tag(identifier);
        Write::Identifier { patient, tag, seal: self.mac.mac(&[b"identifier", patient.as_bytes(), &tag]) }
    }

    /// Enrols a key with which `patient` signs.
    ///
    /// # Errors
    /// [`PatientError::BadKey`] for malformed, private, low-order or off-curve keys (security J21).
    pub async fn add_device(&self, patient: PatientId, kind: DeviceKind, key: &str) -> Result<Device, PatientError> {
        match PublicKey::from_jwk(key.as_bytes()) {
            Ok(key) if key.algorithm() == crate::proof::key::Algorithm::Es256 => {}
            Ok(_) | Err(_) => return Err(PatientError::BadKey),
        }
        let keys = self.keys(patient).await?;
        let since = Timestamp::from_secs(self.clock.now().secs());
        let device = Device { id: DeviceId::random(&*self.chance)?, patient, kind, key: key.to_owned(), since };
        self.write_device(&device, "active", Act::Enrol, &keys).await?;
        Ok(device)
    }

    /// The keys of a patient that stand, the oldest first; one whose row does not hold is none.
    ///
    /// # Errors
    /// [`PatientError::Db`].
    pub async fn devices(&self, patient: PatientId) -> Result<Vec<Device>, PatientError> {
        let mut devices = Vec::new();
        for row in self.store.devices(patient).await?.into_iter().filter(|row| row.state == "active") {
            if self.registry.verifier().verify(row.body.as_bytes(), &row.signature).is_err() {
                tracing::error!(device = %row.device, "the enrolment of a patient's key does not hold");
                continue;
            }
            devices.extend(Device::parse(&row.body).filter(|d| d.patient == patient && d.id == row.device));
        }
        devices.sort_by_key(|device| device.since);
        Ok(devices)
    }

    /// Ends a key: nothing signed with it is taken from now on; what was signed before stays verifiable (WA-13).
    ///
    /// # Errors
    /// [`PatientError::Unknown`].
    pub async fn remove_device(&self, patient: PatientId, device: DeviceId) -> Result<(), PatientError> {
        let keys = self.keys(patient).await?;
        let rows = self.store.devices(patient).await?;
        let row = rows.into_iter().find(|row| row.device == device).ok_or(PatientError::Unknown)?;
        // Signing what a row says without asking who wrote it would make the registry vouch for anybody's key.
        let said = Device::signed(&row.body, &row.state);
        self.registry.verifier().verify(said.as_bytes(), &row.signature)?;
        let device = Device::parse(&row.body).filter(|d| d.patient == patient && d.id == device);
        let device = device.ok_or(PatientError::Unknown)?;
        self.write_device(&device, "removed", Act::Suspend, &keys).await
    }

    /// Ends a patient's record: from the turn on nothing of it is released, then its key is destroyed.
    ///
    /// The history of who read it stays readable under the log key for as long as the law keeps it.
    ///
    /// # Errors
    /// [`PatientError`]; an erasure that stopped half-way is finished by asking again.
    pub async fn erase(&self, patient: PatientId, backup_days: u32) -> Result<ShredCertificate, PatientError> {
        let row = self.store.patient(patient).await?.ok_or(PatientError::Unknown)?;
        if row.state != "erased" {
            let keys = self.keys(patient).await?;
            let seal = patient_seal(&self.mac, patient, "erased").to_vec();
            let writes = vec![
                Write::Patient { patient, state: "erased", since: self.clock.now(), seal },
                Write::Forget { patient },
            ];
            let whole = (Enrolled::Patient(patient), Enrolled::ENDED);
            self.record(patient, (Act::Shred, "patient/erase"), whole, &keys, writes).await?;
        }
        Ok(self.shredder.shred(patient, Which::Record, backup_days).await?)
    }

    pub(super) async fn keys(&self, patient: PatientId) -> Result<PatientKeys, PatientError> {
        let row = self.store.patient(patient).await?.ok_or(PatientError::Unknown)?;
        if row.state == "erased" {
            return Err(PatientError::Unknown);
        }
        Ok(self.unwrapper.keys(patient).await?)
    }

    async fn write_device(
        &self,
        device: &Device,
        state: &'static str,
        act: Act,
        keys: &PatientKeys,
    ) -> Result<(), PatientError> {
        let body = device.to_body();
        let signature = self.registry.sign(Device::signed(&body, state).as_bytes())?.to_vec();
        let write = Write::Device { patient: device.patient, device: device.id, state, body, signature };
        let revision = if state == "active" { Enrolled::ACTIVE } else { Enrolled::ENDED };
        let made = (Enrolled::Device(device.patient, device.id), revision);
        self.record(device.patient, (act, "patient/device"), made, keys, vec![write]).await
    }

    pub(super) async fn record(
        &self,
        patient: PatientId,
        (act, route): (Act, &'static str),
        (what, revision): (Enrolled, i64),
        keys: &PatientKeys,
        writes: Vec<Write>,
    ) -> Result<(), PatientError> {
        let about = Personal { patient: Some(patient), route: route.to_owned(), ..Personal::default() };
        let id = DeedId::ordered(&*self.clock, &*self.chance)?;
        let mut deed = self.ledger.prepare(id, act, about, Some(keys)).await?;
        deed.ground = Ground::Guarantor;
        deed.subject = Some(self.ledger.enrolment(what, revision).made());
        deed.writes = writes;
        match self.ledger.record(deed).await {
            Ok(Placed::Done { .. }) => Ok(()),
            Ok(Placed::Stale) | Err(Unrecorded::Unplaced(Unplaced::Taken)) => Err(PatientError::Enrolled),
            Err(other) => Err(other.into()),
        }
    }

    fn tag(&self, identifier: &Identifier) -> [u8; 32] {
        self.indexer.identifier(&identifier.system, &identifier.value)
    }
}
