//! Patients, devices, parties and consents, outside the hot path.

use std::sync::atomic::Ordering;

use super::Store;
use super::rows::{ConsentRow, DeviceRow, PartyRow, PatientRow};
use crate::clock::Timestamp;
use crate::db::{Arg, DbError, Row};
use crate::id::{ConsentId, DeviceId, PatientId};
use crate::model::Sealed;

/// How often what was used up and has expired is forgotten, by one process.
const SWEEP_SECONDS: i64 = 10;

/// The row of `deployment`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deployment {
    /// Random id bound into every key and ciphertext.
    pub id: [u8; 16],
    /// The FHIR base URL that statements and tokens are meant for.
    pub base_url: String,
}

impl Store {
    /// What this store is; `None` before `init`.
    pub async fn deployment(&self) -> Result<Option<Deployment>, DbError> {
        const SQL: &str = "SELECT deployment, base_url FROM deployment WHERE one = 1";
        let read = |row: &Row<'_>| Ok(Deployment { id: row.array(0)?, base_url: row.text(1)?.to_owned() });
        self.db.maybe("deployment", SQL, &[], read).await
    }

    /// Names the store once and for all.
    pub async fn found(&self, deployment: &Deployment, at: Timestamp) -> Result<(), DbError> {
        const SQL: &str = "INSERT INTO deployment (one, deployment, base_url, since, updated_by) \
             VALUES (1, $1, $2, $3, 'found')";
        let args = vec![deployment.id.to_vec().into(), deployment.base_url.clone().into(), at.0.into()];
        self.db.transact("found", vec![(SQL, args)]).await.map(|_| ())
    }

    /// Finds a patient by the keyed tag of an identifier, with the row's seal. The tag is a hint: compare after
    /// opening the record.
    pub async fn patient_by_tag(&self, tag: &[u8; 32]) -> Result<Option<(PatientId, Vec<u8>)>, DbError> {
        const SQL: &str = "SELECT patient, seal FROM identifier WHERE tag = $1";
        let read = |row: &Row<'_>| Ok((PatientId::from_bytes(row.array(0)?), row.bytes(1)?.to_vec()));
        self.db.maybe("identifier", SQL, &[tag.into()], read).await
    }

    /// Whether the file with this keyed tag was imported.
    pub async fn imported(&self, tag: &[u8; 32]) -> Result<bool, DbError> {
        const SQL: &str = "SELECT leaf FROM import_file WHERE tag = $1";
        Ok(self.db.maybe("import_file", SQL, &[tag.into()], |row| row.int(0)).await?.is_some())
    }

    /// A patient's row.
    pub async fn patient(&self, patient: PatientId) -> Result<Option<PatientRow>, DbError> {
        const SQL: &str = "SELECT patient, state, seal FROM patient WHERE patient = $1";
        self.db
            .maybe("patient", SQL, &[patient.as_bytes().into()], |row| {
                Ok(PatientRow { patient, state: row.text(1)?.to_owned(), seal: row.bytes(2)?.to_vec() })
            })
            .await
    }

    /// All patients' ids, at most `most` after `after`, in order.
    pub async fn patients(&self, after: Option<PatientId>, most: i64) -> Result<Vec<PatientId>, DbError> {
        const SQL: &str = "SELECT patient FROM patient WHERE patient > $1 ORDER BY patient LIMIT $2";
        let after = after.map_or_else(Vec::new, |p| p.as_bytes().to_vec());
        self.db.all("patient", SQL, &[after.into(), most.into()], |row| Ok(PatientId::from_bytes(row.array(0)?))).await
    }

    /// A patient's devices.
    pub async fn devices(&self, patient: PatientId) -> Result<Vec<DeviceRow>, DbError> {
        const SQL: &str =
            "SELECT device, state, body, signature, counter FROM device WHERE patient = $1 ORDER BY device";
        self.db
            .all("device", SQL, &[patient.as_bytes().into()], |row| {
                Ok(DeviceRow {
                    device: DeviceId::from_bytes(row.array(0)?),
                    state: row.text(1)?.to_owned(),
                    body: row.text(2)?.to_owned(),
                    signature: row.bytes(3)?.to_vec(),
                    counter: row.int(4)?,
                })
            })
            .await
    }

    /// One party.
    pub async fn party(&self, party: &[u8; 16]) -> Result<Option<PartyRow>, DbError> {
        const SQL: &str = "SELECT party, revision, body, signature FROM party WHERE party = $1";
        self.db.maybe("party", SQL, &[party.into()], read_party).await
    }

    /// All parties of a kind.
    pub async fn parties(&self, kind: &'static str) -> Result<Vec<PartyRow>, DbError> {
        const SQL: &str = "SELECT party, revision, body, signature FROM party WHERE kind = $1 ORDER BY party";
        self.db.all("party", SQL, &[kind.into()], read_party).await
    }

    /// All consents of a patient, ended ones too, with their current evidence.
    pub async fn consents_of(&self, patient: PatientId) -> Result<Vec<ConsentRow>, DbError> {
        const SQL: &str = "SELECT c.consent, c.revision, c.state, c.grantee, c.seal, r.evidence \
             FROM consent c JOIN consent_revision r \
             ON r.patient = c.patient AND r.consent = c.consent AND r.revision = c.revision \
             WHERE c.patient = $1 ORDER BY c.consent";
        self.db.all("consent", SQL, &[patient.as_bytes().into()], read_consent).await
    }

    /// One consent of a patient, with its current evidence.
    pub async fn consent_of(&self, patient: PatientId, consent: ConsentId) -> Result<Option<ConsentRow>, DbError> {
        const SQL: &str = "SELECT c.consent, c.revision, c.state, c.grantee, c.seal, r.evidence \
             FROM consent c JOIN consent_revision r \
             ON r.patient = c.patient AND r.consent = c.consent AND r.revision = c.revision \
             WHERE c.patient = $1 AND c.consent = $2";
        let args = [patient.as_bytes().into(), consent.as_bytes().into()];
        self.db.maybe("consent", SQL, &args, read_consent).await
    }

    /// Uses up `jti` of `issuer` until `expires`; `false` when it was used before. Decided by the key alone,
    /// so that of any number of racing uses on any node exactly one succeeds (P48). Whatever expired is forgotten
    /// on the way, every few seconds: the table holds no more than one window of uses.
    pub async fn use_once(
        &self,
        issuer: &str,
        jti: [u8; 32],
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<bool, DbError> {
        const FORGET: &str = "DELETE FROM used_once WHERE expires < $1";
        const SQL: &str = "INSERT INTO used_once (issuer, jti, expires, updated_by) VALUES ($1, $2, $3, 'use_once') \
             ON CONFLICT (issuer, jti) DO NOTHING";
        let args: Vec<Arg<'static>> = vec![issuer.to_owned().into(), jti.to_vec().into(), expires.0.into()];
        let mut statements = vec![(SQL, args)];
        let swept = self.swept.load(Ordering::Relaxed);
        let due = !(swept..swept.saturating_add(SWEEP_SECONDS * Timestamp::SECOND)).contains(&now.0);
        // One of those who come at the same moment: two would wait for each other's rows.
        if due && self.swept.compare_exchange(swept, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            statements.insert(0, (FORGET, vec![now.0.into()]));
        }
        let touched = self.db.transact("use_once", statements).await?;
        Ok(touched.last() == Some(&1))
    }
}

pub(super) fn read_party(row: &Row<'_>) -> Result<PartyRow, DbError> {
    Ok(PartyRow {
        party: row.array(0)?,
        revision: row.int(1)?,
        body: row.text(2)?.to_owned(),
        signature: row.bytes(3)?.to_vec(),
    })
}

fn read_consent(row: &Row<'_>) -> Result<ConsentRow, DbError> {
    Ok(ConsentRow {
        consent: ConsentId::from_bytes(row.array(0)?),
        revision: row.int(1)?,
        state: row.text(2)?.to_owned(),
        grantee: row.bytes(3)?.to_vec(),
        seal: row.bytes(4)?.to_vec(),
        evidence: Sealed(row.bytes(5)?.to_vec()),
    })
}
