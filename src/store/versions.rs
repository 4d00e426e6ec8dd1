//! The versions of a record: what replaced what, and what ended it.
//!
//! `record` holds what is current and nothing else, so whoever searches cannot meet a version that was replaced or a
//! record that was deleted.

use super::Store;
use super::rows::{CurrentRow, VersionRow};
use super::turn::{Deletion, NewRecord, one};
use crate::clock::Timestamp;
use crate::db::{Arg, Batch, DbError, Row, Turn};
use crate::id::{PatientId, RecordId};
use crate::model::{RecordKey, Sealed};

/// Keeps the facts of the version that is replaced or ended; it must still be the current one.
const KEEP: &str = "INSERT INTO past (patient, record, version, state, facts, updated_by) \
     SELECT patient, record, version, 'replaced', facts, $4 FROM record \
     WHERE patient = $1 AND record = $2 AND version = $3";

const CONTENT: &str = "INSERT INTO content (patient, record, version, sealed, leaf, time, updated_by) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// Puts `new` in the place of version `replaces`.
pub(super) async fn replace(
    turn: &mut Turn<'_>,
    name: &'static str,
    leaf: i64,
    replaces: i64,
    new: &NewRecord,
) -> Result<(), DbError> {
    const SQL: &str = "UPDATE record SET version = $3, kind = $4, facts = $5, found = $6, updated_by = $7 \
         WHERE patient = $1 AND record = $2 AND version = $3 - 1";
    let (patient, record) = (new.patient.as_bytes(), new.record.as_bytes());
    let version = replaces.saturating_add(1);
    one(turn.run(KEEP, &[patient.into(), record.into(), replaces.into(), name.into()]).await?)?;
    let (facts, found) = (new.facts.0.as_slice().into(), new.found.0.as_slice().into());
    let args = [patient.into(), record.into(), version.into(), (&new.kind).into(), facts, found, name.into()];
    one(turn.run(SQL, &args).await?)?;
    content(turn, name, (leaf, new.at), (new.patient, new.record, version), &new.sealed).await
}

/// Ends a record with a last version that has no text.
pub(super) async fn delete(
    turn: &mut Turn<'_>,
    name: &'static str,
    leaf: i64,
    deletion: &Deletion,
) -> Result<(), DbError> {
    const GONE: &str = "DELETE FROM record WHERE patient = $1 AND record = $2 AND version = $3";
    const PAST: &str = "INSERT INTO past (patient, record, version, state, facts, updated_by) \
         VALUES ($1, $2, $3, 'deleted', $4, $5)";
    let Deletion { patient, record, ends, facts, sealed, at } = deletion;
    let version = ends.saturating_add(1);
    let (whose, which) = (patient.as_bytes(), record.as_bytes());
    one(turn.run(KEEP, &[whose.into(), which.into(), (*ends).into(), name.into()]).await?)?;
    one(turn.run(GONE, &[whose.into(), which.into(), (*ends).into()]).await?)?;
    turn.run(PAST, &[whose.into(), which.into(), version.into(), facts.0.as_slice().into(), name.into()]).await?;
    content(turn, name, (leaf, *at), (*patient, *record, version), sealed).await
}

async fn content(
    turn: &mut Turn<'_>,
    name: &'static str,
    (leaf, at): (i64, Timestamp),
    (patient, record, version): (PatientId, RecordId, i64),
    sealed: &Sealed,
) -> Result<(), DbError> {
    let sealed: Arg<'_> = sealed.0.as_slice().into();
    let (patient, record) = (patient.as_bytes().into(), record.as_bytes().into());
    let args = [patient, record, version.into(), sealed, leaf.into(), at.0.into(), name.into()];
    turn.run(CONTENT, &args).await.map(drop)
}

impl Store {
    /// The current versions of records, deletions included, without their content; absent ones are left out.
    pub async fn current(&self, patient: PatientId, wanted: &[RecordId]) -> Result<Vec<CurrentRow>, DbError> {
        const LIVE: Batch = Batch {
            head: "SELECT record, version, facts FROM record WHERE (patient, record) IN (VALUES",
            columns: 2,
            tail: ")",
        };
        const DELETED: Batch = Batch {
            head: "SELECT record, version, facts FROM past WHERE state = 'deleted' AND (patient, record) IN (VALUES",
            columns: 2,
            tail: ")",
        };
        let keys: Vec<Vec<Arg<'_>>> =
            wanted.iter().map(|record| vec![patient.as_bytes().into(), record.as_bytes().into()]).collect();
        let mut all = Vec::with_capacity(wanted.len());
        // Both are asked, whatever the first gives: what is hidden takes as long as what is not there.
        for (batch, deleted) in [(&LIVE, false), (&DELETED, true)] {
            let read = |row: &Row<'_>| {
                let facts = Sealed(row.bytes(2)?.to_vec());
                Ok(CurrentRow { record: RecordId::from_bytes(row.array(0)?), version: row.int(1)?, deleted, facts })
            };
            all.extend(self.db().all_rows("record", batch, &keys, read).await?);
        }
        Ok(all)
    }

    /// The newest `most` versions of a record, the newest first.
    pub async fn versions(&self, key: RecordKey, most: i64) -> Result<Vec<VersionRow>, DbError> {
        const SQL: &str = "SELECT c.version, c.time, COALESCE(p.state, ''), p.facts FROM content c \
             LEFT JOIN past p ON p.patient = c.patient AND p.record = c.record AND p.version = c.version \
             WHERE c.patient = $1 AND c.record = $2 ORDER BY c.version DESC LIMIT $3";
        let args = [key.patient.as_bytes().into(), key.record.as_bytes().into(), most.into()];
        self.db()
            .all("past", SQL, &args, |row| {
                Ok(VersionRow {
                    version: row.int(0)?,
                    at: Timestamp(row.int(1)?),
                    deleted: row.text(2)? == "deleted",
                    facts: row.maybe_bytes(3)?.map(|b| Sealed(b.to_vec())),
                })
            })
            .await
    }

    /// The sealed facts and text of a version that was replaced, and when it was made.
    pub async fn replaced(&self, key: RecordKey, version: i64) -> Result<Option<(Sealed, Sealed, Timestamp)>, DbError> {
        const SQL: &str = "SELECT p.facts, c.sealed, c.time FROM past p JOIN content c \
             ON c.patient = p.patient AND c.record = p.record AND c.version = p.version \
             WHERE p.patient = $1 AND p.record = $2 AND p.version = $3 AND p.state = 'replaced'";
        let args = [key.patient.as_bytes().into(), key.record.as_bytes().into(), version.into()];
        self.db()
            .maybe("past", SQL, &args, |row| {
                Ok((Sealed(row.bytes(0)?.to_vec()), Sealed(row.bytes(1)?.to_vec()), Timestamp(row.int(2)?)))
            })
            .await
    }
}
