//! Revisions of consents, requests for them, and the facts a patient's preview is made of.

use super::Store;
use crate::db::{DbError, Row};
use crate::id::{ConsentId, DeedId, PatientId, RecordId, StatementId};
use crate::model::Sealed;

/// A row of `consent_revision`.
#[derive(Clone, Debug)]
pub struct RevisionRow {
    /// Which consent.
    pub consent: ConsentId,
    /// Which revision of it.
    pub revision: i64,
    /// Log index of the act.
    pub leaf: i64,
    /// Sealed evidence.
    pub evidence: Sealed,
}

/// A row of `consent_request`.
#[derive(Clone, Debug)]
pub struct RequestRow {
    /// Which request: the deed that made it.
    pub request: DeedId,
    /// Keyed tag of patient and asking organisation.
    pub asker: Vec<u8>,
    /// `open`, `accepted` or `declined`.
    pub state: String,
    /// MAC over the row and what is asked.
    pub seal: Vec<u8>,
    /// What is asked, sealed.
    pub sealed: Sealed,
}

impl Store {
    /// The revision that a statement made.
    pub async fn revision_by_statement(
        &self,
        patient: PatientId,
        statement: StatementId,
    ) -> Result<Option<RevisionRow>, DbError> {
        const SQL: &str = "SELECT consent, revision, leaf, evidence FROM consent_revision \
             WHERE patient = $1 AND statement = $2";
        let args = [patient.as_bytes().into(), statement.as_bytes().into()];
        self.db().maybe("consent_revision", SQL, &args, revision).await
    }

    /// Every revision of a consent, in order.
    pub async fn revisions_of(&self, patient: PatientId, consent: ConsentId) -> Result<Vec<RevisionRow>, DbError> {
        const SQL: &str = "SELECT consent, revision, leaf, evidence FROM consent_revision \
             WHERE patient = $1 AND consent = $2 ORDER BY revision";
        let args = [patient.as_bytes().into(), consent.as_bytes().into()];
        self.db().all("consent_revision", SQL, &args, revision).await
    }

    /// The sealed facts of every record of a patient, with its current version.
    pub async fn facts_of(&self, patient: PatientId) -> Result<Vec<(RecordId, i64, Sealed)>, DbError> {
        const SQL: &str = "SELECT record, version, facts FROM record WHERE patient = $1 ORDER BY record";
        let read =
            |row: &Row<'_>| Ok((RecordId::from_bytes(row.array(0)?), row.int(1)?, Sealed(row.bytes(2)?.to_vec())));
        self.db().all("record", SQL, &[patient.as_bytes().into()], read).await
    }

    /// Every request for a consent of a patient, the oldest first.
    pub async fn requests_of(&self, patient: PatientId) -> Result<Vec<RequestRow>, DbError> {
        const SQL: &str =
            "SELECT request, asker, state, seal, sealed FROM consent_request WHERE patient = $1 ORDER BY request";
        self.db().all("consent_request", SQL, &[patient.as_bytes().into()], request).await
    }

    /// One request.
    pub async fn request_of(&self, patient: PatientId, id: DeedId) -> Result<Option<RequestRow>, DbError> {
        const SQL: &str = "SELECT request, asker, state, seal, sealed FROM consent_request \
             WHERE patient = $1 AND request = $2";
        self.db().maybe("consent_request", SQL, &[patient.as_bytes().into(), id.as_bytes().into()], request).await
    }

    /// How many requests of an asker from `since` on are open with a patient.
    pub async fn open_requests(&self, patient: PatientId, asker: &[u8; 16], since: DeedId) -> Result<i64, DbError> {
        const SQL: &str = "SELECT COUNT(*) FROM consent_request \
             WHERE patient = $1 AND asker = $2 AND state = 'open' AND request >= $3";
        let args = [patient.as_bytes().into(), asker.into(), since.as_bytes().into()];
        Ok(self.db().maybe("consent_request", SQL, &args, |row| row.int(0)).await?.unwrap_or(0))
    }
}

fn revision(row: &Row<'_>) -> Result<RevisionRow, DbError> {
    Ok(RevisionRow {
        consent: ConsentId::from_bytes(row.array(0)?),
        revision: row.int(1)?,
        leaf: row.int(2)?,
        evidence: Sealed(row.bytes(3)?.to_vec()),
    })
}

fn request(row: &Row<'_>) -> Result<RequestRow, DbError> {
    Ok(RequestRow {
        request: DeedId::from_bytes(row.array(0)?),
        asker: row.bytes(1)?.to_vec(),
        state: row.text(2)?.to_owned(),
        seal: row.bytes(3)?.to_vec(),
        sealed: Sealed(row.bytes(4)?.to_vec()),
    })
}
