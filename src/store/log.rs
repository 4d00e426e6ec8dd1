//! Reading the log and keeping its checkpoints.

use super::Store;
use super::rows::{CheckpointRow, Head, LeafRow};
use crate::clock::Timestamp;
use crate::db::DbError;
use crate::id::PatientId;
use crate::model::{RecordKey, Sealed};

/// The leaves from `$1` to below `$2`, in order.
pub(super) const LEAVES: &str =
    "SELECT leaf, patient, entry, personal FROM log_leaf WHERE leaf >= $1 AND leaf < $2 ORDER BY leaf";

impl Store {
    /// Where the log stands; `None` before it was begun.
    pub async fn head(&self) -> Result<Option<Head>, DbError> {
        const SQL: &str = "SELECT size, time, chain FROM log_head WHERE one = 1";
        self.db
            .maybe("log_head", SQL, &[], |row| {
                Ok(Head { size: row.int(0)?, time: Timestamp(row.int(1)?), chain: row.array(2)? })
            })
            .await
    }

    /// Begins an empty log; one that exists is left as it is.
    pub async fn begin_log(&self) -> Result<(), DbError> {
        const SQL: &str = "INSERT INTO log_head (one, size, time, chain, updated_by) VALUES (1, 0, 0, $1, 'begin_log') \
             ON CONFLICT (one) DO NOTHING";
        self.db.transact("begin_log", vec![(SQL, vec![vec![0u8; 32].into()])]).await.map(|_| ())
    }

    /// At most `most` leaves from index `from` on, in order.
    pub async fn leaves(&self, from: i64, most: i64) -> Result<Vec<LeafRow>, DbError> {
        self.db.all("log_leaf", LEAVES, &[from.into(), from.saturating_add(most).into()], leaf).await
    }

    /// The history of one patient from index `from` on, in order.
    pub async fn leaves_of(&self, patient: PatientId, from: i64, most: i64) -> Result<Vec<LeafRow>, DbError> {
        const SQL: &str = "SELECT leaf, patient, entry, personal FROM log_leaf \
             WHERE patient = $1 AND leaf >= $2 ORDER BY leaf LIMIT $3";
        self.db.all("log_leaf", SQL, &[patient.as_bytes().into(), from.into(), most.into()], leaf).await
    }

    /// The history of one patient below index `below`, the latest first.
    pub async fn leaves_before(&self, patient: PatientId, below: i64, most: i64) -> Result<Vec<LeafRow>, DbError> {
        const SQL: &str = "SELECT leaf, patient, entry, personal FROM log_leaf \
             WHERE patient = $1 AND leaf < $2 ORDER BY leaf DESC LIMIT $3";
        self.db.all("log_leaf", SQL, &[patient.as_bytes().into(), below.into(), most.into()], leaf).await
    }

    /// Each version of a record with the index of the leaf that admitted it, the first one first.
    pub async fn admissions(&self, key: RecordKey) -> Result<Vec<(i64, i64)>, DbError> {
        const SQL: &str = "SELECT version, leaf FROM content WHERE patient = $1 AND record = $2 ORDER BY version";
        let args = [key.patient.as_bytes().into(), key.record.as_bytes().into()];
        self.db.all("content", SQL, &args, |row| Ok((row.int(0)?, row.int(1)?))).await
    }

    /// The newest checkpoint, signed or not.
    pub async fn last_checkpoint(&self) -> Result<Option<CheckpointRow>, DbError> {
        const SQL: &str = "SELECT size, root, frontier, chain, note FROM log_checkpoint ORDER BY size DESC LIMIT 1";
        self.db.maybe("log_checkpoint", SQL, &[], checkpoint).await
    }

    /// The checkpoint of exactly `size` leaves.
    pub async fn checkpoint_at(&self, size: i64) -> Result<Option<CheckpointRow>, DbError> {
        const SQL: &str = "SELECT size, root, frontier, chain, note FROM log_checkpoint WHERE size = $1";
        self.db.maybe("log_checkpoint", SQL, &[size.into()], checkpoint).await
    }

    /// Keeps a tree head before it is signed, if its size is new; a head of that size that exists stays.
    pub async fn keep_checkpoint(&self, new: &CheckpointRow) -> Result<(), DbError> {
        const SQL: &str = "INSERT INTO log_checkpoint (size, root, frontier, chain, note, updated_by) \
             VALUES ($1, $2, $3, $4, '', 'keep_checkpoint') ON CONFLICT (size) DO NOTHING";
        let args =
            vec![new.size.into(), new.root.to_vec().into(), new.frontier.clone().into(), new.chain.to_vec().into()];
        self.db.transact("keep_checkpoint", vec![(SQL, args)]).await.map(|_| ())
    }

    /// Adds the signature to a kept tree head that has none.
    pub async fn sign_checkpoint(&self, size: i64, note: String) -> Result<(), DbError> {
        const SQL: &str =
            "UPDATE log_checkpoint SET note = $2, updated_by = 'sign_checkpoint' WHERE size = $1 AND note = ''";
        self.db.transact("sign_checkpoint", vec![(SQL, vec![size.into(), note.into()])]).await.map(|_| ())
    }
}

pub(super) fn leaf(row: &crate::db::Row<'_>) -> Result<LeafRow, DbError> {
    let patient = match row.maybe_bytes(1)? {
        None => None,
        Some(bytes) => Some(PatientId::from_slice(bytes).ok_or_else(|| row.unreadable(1))?),
    };
    Ok(LeafRow {
        leaf: row.int(0)?,
        patient,
        entry: row.bytes(2)?.to_vec(),
        personal: row.maybe_bytes(3)?.map(|b| Sealed(b.to_vec())),
    })
}

fn checkpoint(row: &crate::db::Row<'_>) -> Result<CheckpointRow, DbError> {
    Ok(CheckpointRow {
        size: row.int(0)?,
        root: row.array(1)?,
        frontier: row.bytes(2)?.to_vec(),
        chain: row.array(3)?,
        note: row.text(4)?.to_owned(),
    })
}
