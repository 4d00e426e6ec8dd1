//! All that a decision needs, in one round trip.

use std::collections::HashMap;

use super::Store;
use super::rows::{ConsentRow, PartyRow, PatientRow, RecordRow};
use crate::db::{Arg, Batch, DbError, Row};
use crate::id::{ConsentId, PatientId, RecordId};
use crate::model::{RecordKey, Sealed};

/// Records in one statement of a search: what is held in memory at once.
pub const CHUNK: i64 = 256;

/// What was found for one question. Absent things are simply absent.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The patient.
    pub patient: Option<PatientRow>,
    /// The record asked for (with its content), or the first of one kind (with their search values).
    pub records: Vec<RecordRow>,
    /// Active consents that name the asker, exclusions included.
    pub consents: Vec<ConsentRow>,
    /// The asker's own enrolments.
    pub parties: Vec<PartyRow>,
}

/// Whose consents and enrolments matter: keyed tags of the possible grantees, and the parties themselves.
///
/// Unused places hold zeros, which match nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker {
    /// Tags of organisation, professional and role.
    pub grantees: [[u8; 16]; 3],
    /// Ids of client, organisation and professional.
    pub parties: [[u8; 16]; 3],
}

// Columns: what, id, number, text, bytes, bytes, bytes. The first branch fixes their types.
macro_rules! gather {
    ($first:literal) => {
        concat!(
            $first,
            " UNION ALL SELECT 0, patient, 0, state, seal, NULL, NULL FROM patient WHERE patient = $1",
            " UNION ALL SELECT 2, c.consent, c.revision, c.state, c.grantee, c.seal, r.evidence",
            " FROM consent c JOIN consent_revision r",
            " ON r.patient = c.patient AND r.consent = c.consent AND r.revision = c.revision",
            " WHERE c.patient = $1 AND c.grantee IN ($3, $4, $5) AND c.state = 'active'",
            " UNION ALL SELECT 3, party, revision, body, signature, NULL, NULL FROM party WHERE party IN ($6, $7, $8)"
        )
    };
}

impl Store {
    /// Gathers one record with its current content.
    pub async fn gather_read(&self, key: RecordKey, asker: &Asker) -> Result<Gathered, DbError> {
        const SQL: &str = gather!(
            "SELECT CAST(1 AS BIGINT) AS what, r.record AS id, r.version AS number, '' AS txt, \
             r.facts AS a, c.sealed AS b, r.kind AS c \
             FROM record r JOIN content c ON c.patient = r.patient AND c.record = r.record AND c.version = r.version \
             WHERE r.patient = $1 AND r.record = $2"
        );
        self.gather(SQL, key.patient, key.record.as_bytes(), asker, &[]).await
    }

    /// Gathers the first records after `after` of one kind of one patient, or of every kind, with their search values
    /// but not their content, in the order of their ids.
    pub async fn gather_search(
        &self,
        patient: PatientId,
        kind: Option<&[u8; 8]>,
        after: RecordId,
        asker: &Asker,
    ) -> Result<Gathered, DbError> {
        const OF_KIND: &str = gather!(
            "SELECT what, id, number, txt, a, b, c FROM (SELECT CAST(1 AS BIGINT) AS what, record AS id, \
             version AS number, '' AS txt, facts AS a, found AS b, kind AS c FROM record \
             WHERE patient = $1 AND kind = $2 AND record > $9 ORDER BY record LIMIT $10) AS first_ones"
        );
        const OF_ALL: &str = gather!(
            "SELECT what, id, number, txt, a, b, c FROM (SELECT CAST(1 AS BIGINT) AS what, record AS id, \
             version AS number, '' AS txt, facts AS a, found AS b, kind AS c FROM record \
             WHERE patient = $1 AND record > $2 ORDER BY record LIMIT $9) AS first_ones"
        );
        let mut gathered = match kind {
            Some(kind) => {
                let more = [after.as_bytes().into(), CHUNK.into()];
                self.gather(OF_KIND, patient, kind, asker, &more).await?
            }
            None => self.gather(OF_ALL, patient, after.as_bytes(), asker, &[CHUNK.into()]).await?,
        };
        // The branches of a union come in an order of the engine's own.
        gathered.records.sort_unstable_by_key(|row| row.record);
        Ok(gathered)
    }

    /// The next records after `after`, as [`Store::gather_search`] gives the first.
    pub async fn records_after(
        &self,
        patient: PatientId,
        kind: Option<&[u8; 8]>,
        after: RecordId,
    ) -> Result<Vec<RecordRow>, DbError> {
        const OF_KIND: &str = "SELECT record, version, facts, found FROM record \
                               WHERE patient = $1 AND kind = $2 AND record > $3 ORDER BY record LIMIT $4";
        const OF_ALL: &str = "SELECT record, version, facts, found FROM record \
                              WHERE patient = $1 AND record > $2 ORDER BY record LIMIT $3";
        if let Some(kind) = kind {
            let args = [patient.as_bytes().into(), kind.into(), after.as_bytes().into(), CHUNK.into()];
            self.db.all("record", OF_KIND, &args, found).await
        } else {
            let args = [patient.as_bytes().into(), after.as_bytes().into(), CHUNK.into()];
            self.db.all("record", OF_ALL, &args, found).await
        }
    }

    /// These records of one patient with their search values; absent ones are left out.
    pub async fn records_named(&self, patient: PatientId, wanted: &[RecordId]) -> Result<Vec<RecordRow>, DbError> {
        const SQL: Batch = Batch {
            head: "SELECT record, version, facts, found FROM record WHERE (patient, record) IN (VALUES",
            columns: 2,
            tail: ")",
        };
        let keys: Vec<Vec<Arg<'_>>> =
            wanted.iter().map(|record| vec![patient.as_bytes().into(), record.as_bytes().into()]).collect();
        let mut rows = self.db.all_rows("record", &SQL, &keys, found).await?;
        rows.sort_unstable_by_key(|row| row.record);
        Ok(rows)
    }

    async fn gather(
        &self,
        sql: &'static str,
        patient: PatientId,
        second: &[u8],
        asker: &Asker,
        more: &[Arg<'_>],
    ) -> Result<Gathered, DbError> {
        let mut args: Vec<Arg<'_>> = Vec::with_capacity(10);
        args.push(patient.as_bytes().into());
        args.push(second.into());
        args.extend(asker.grantees.iter().map(Arg::from));
        args.extend(asker.parties.iter().map(Arg::from));
        args.extend(more.iter().cloned());
        let mut gathered = Gathered::default();
        for part in self.db.all("gather", sql, &args, part).await? {
            match part {
                Part::Patient(row) => gathered.patient = Some(row),
                Part::Record(row) => gathered.records.push(row),
                Part::Consent(row) => gathered.consents.push(row),
                Part::Party(row) => gathered.parties.push(row),
            }
        }
        Ok(gathered)
    }

    /// The content of given versions of one patient's records, in the order asked for.
    ///
    /// Absent ones are left out; the caller compares the number.
    pub async fn contents(
        &self,
        patient: PatientId,
        wanted: &[(RecordId, i64)],
    ) -> Result<Vec<(RecordId, i64, Sealed)>, DbError> {
        const SQL: Batch = Batch {
            head: "SELECT record, version, sealed FROM content WHERE (patient, record, version) IN (VALUES",
            columns: 3,
            tail: ")",
        };
        let keys: Vec<Vec<Arg<'_>>> = wanted
            .iter()
            .map(|(record, version)| vec![patient.as_bytes().into(), record.as_bytes().into(), (*version).into()])
            .collect();
        let read =
            |row: &Row<'_>| Ok((RecordId::from_bytes(row.array(0)?), row.int(1)?, Sealed(row.bytes(2)?.to_vec())));
        let rows = self.db.all_rows("content", &SQL, &keys, read).await?;
        // The engine answers in an order of its own.
        let mut by_key: HashMap<(RecordId, i64), Sealed> = rows.into_iter().map(|(r, v, s)| ((r, v), s)).collect();
        let found =
            wanted.iter().filter_map(|(r, v)| by_key.remove(&(*r, *v)).map(|sealed| (*r, *v, sealed))).collect();
        Ok(found)
    }
}

enum Part {
    Patient(PatientRow),
    Record(RecordRow),
    Consent(ConsentRow),
    Party(PartyRow),
}

fn found(row: &Row<'_>) -> Result<RecordRow, DbError> {
    Ok(RecordRow {
        record: RecordId::from_bytes(row.array(0)?),
        version: row.int(1)?,
        facts: Sealed(row.bytes(2)?.to_vec()),
        body: Sealed(row.bytes(3)?.to_vec()),
    })
}

fn part(row: &Row<'_>) -> Result<Part, DbError> {
    let sealed = |at: usize| Ok::<_, DbError>(Sealed(row.bytes(at)?.to_vec()));
    Ok(match row.int(0)? {
        0 => Part::Patient(PatientRow {
            patient: PatientId::from_bytes(row.array(1)?),
            state: row.text(3)?.to_owned(),
            seal: row.bytes(4)?.to_vec(),
        }),
        1 => Part::Record(RecordRow {
            record: RecordId::from_bytes(row.array(1)?),
            version: row.int(2)?,
            facts: sealed(4)?,
            body: sealed(5)?,
        }),
        2 => Part::Consent(ConsentRow {
            consent: ConsentId::from_bytes(row.array(1)?),
            revision: row.int(2)?,
            state: row.text(3)?.to_owned(),
            grantee: row.bytes(4)?.to_vec(),
            seal: row.bytes(5)?.to_vec(),
            evidence: sealed(6)?,
        }),
        3 => Part::Party(PartyRow {
            party: row.array(1)?,
            revision: row.int(2)?,
            body: row.text(3)?.to_owned(),
            signature: row.bytes(4)?.to_vec(),
        }),
        _ => return Err(row.unreadable(0)),
    })
}
