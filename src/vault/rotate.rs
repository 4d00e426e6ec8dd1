//! Rotating the key-encryption key while the service runs.
//!
//! Order: the new epoch is stored first, then keys move to it a few at a time, then an epoch that no key names is
//! removed. Each step is one transaction and each may be the last before a crash: the next call finishes what it
//! finds begun. The database refuses to remove an epoch that a key still names, so none can be orphaned, not even by
//! a process that still wraps new keys under the old one.
//!
//! This does not help when the old key-encryption key and an old copy of the keystore have both leaked (security K8).

use super::VaultError;
use super::epoch::{self, Epochs};
use super::keyring::Keyring;
use super::patient_key::{Use, WrappedKey};
use super::service_key::WrappedService;
use crate::db::{Arg, DbError};
use crate::id::PatientId;

/// How far a rotation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Keys moved to the current epoch by this call.
    pub rewrapped: u64,
    /// Keys that still name an older epoch.
    pub left: u64,
}

/// What a rotation did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rotation {
    /// The epoch now current.
    pub epoch: i64,
    /// Whether this call finished an earlier one instead of beginning an epoch.
    pub resumed: bool,
    /// Keys moved.
    pub rewrapped: u64,
    /// Keys that did not unwrap and stay on an old epoch, which therefore stays too. Not zero: raise an alarm.
    pub left: u64,
}

const OLD_ROWS: &str = "SELECT patient, use, version, epoch, wrapped FROM patient_key \
                        WHERE epoch < $1 AND patient > $2 ORDER BY patient LIMIT 64";
// The old epoch in the condition makes this a compare-and-swap: a row shredded meanwhile is not brought back.
const MOVE: &str = "UPDATE patient_key SET wrapped = $1, epoch = $2, updated_by = 'rotate' \
                    WHERE patient = $3 AND use = $4 AND version = $5 AND epoch = $6";

type Statement = (&'static str, Vec<Arg<'static>>);

impl Keyring {
    /// Begins an epoch and moves all keys to it, or finishes a rotation that was cut short.
    ///
    /// # Errors
    /// [`VaultError`]; whatever was moved stays moved, and calling again goes on.
    pub async fn rotate(&self, mut progress: impl FnMut(Progress) + Send) -> Result<Rotation, VaultError> {
        self.0.reload().await?;
        let (rewrapped, removed) = self.sweep(&mut progress).await?;
        let resumed = rewrapped + removed > 0;
        let mut moved = rewrapped;
        if !resumed {
            self.begin_epoch().await?;
            moved += self.sweep(&mut progress).await?.0;
        }
        let epoch = self.0.epochs().current().0;
        Ok(Rotation { epoch, resumed, rewrapped: moved, left: self.left().await? })
    }

    async fn begin_epoch(&self) -> Result<(), VaultError> {
        const DEMOTE: &str = "UPDATE epoch SET state = 'old', updated_by = 'begin epoch' \
                              WHERE epoch = $1 AND state = 'current'";
        let setup = &self.0.setup;
        let now = self.0.epochs().current().0;
        let next = now.checked_add(1).ok_or(VaultError::Refused)?;
        let (sql, args, _) = epoch::insert(next, &*setup.root, &setup.deployment, &*setup.chance, setup.clock.now())?;
        match setup.db.transact("begin epoch", vec![(DEMOTE, vec![now.into()]), (sql, args)]).await {
            // Taken: another process began it at the same moment; moving the keys is then shared work.
            Ok(_) | Err(DbError::Taken) => self.0.reload().await,
            Err(error) => Err(error.into()),
        }
    }

    /// Moves keys until none can be moved; gives how many were moved and how many epochs removed.
    async fn sweep(&self, progress: &mut (impl FnMut(Progress) + Send)) -> Result<(u64, u64), VaultError> {
        let (mut moved, mut removed) = (0, 0);
        loop {
            let epochs = self.0.epochs();
            let before = moved;
            moved += self.move_services(&epochs).await?;
            let mut after = Vec::new();
            while let Some((last, now)) = self.move_patients(&epochs, after).await? {
                after = last;
                moved += now;
                progress(Progress { rewrapped: moved, left: self.left().await? });
            }
            removed += self.remove_epochs().await?;
            if moved == before {
                return Ok((moved, removed));
            }
        }
    }

    /// Moves up to 64 keys of the patients after `after`; gives the last patient seen, or `None` at the end.
    async fn move_patients(&self, epochs: &Epochs, after: Vec<u8>) -> Result<Option<(Vec<u8>, u64)>, VaultError> {
        let setup = &self.0.setup;
        let read = |row: &crate::db::Row<'_>| -> Result<(PatientId, WrappedKey), DbError> {
            let patient = PatientId::from_slice(row.bytes(0)?).ok_or_else(|| row.unreadable(0))?;
            let purpose = Use::from_word(row.text(1)?).ok_or_else(|| row.unreadable(1))?;
            let key = WrappedKey { purpose, version: row.int(2)?, epoch: row.int(3)?, wrapped: row.bytes(4)?.to_vec() };
            Ok((patient, key))
        };
        let args = [epochs.current().0.into(), after.into()];
        let rows = setup.db.all("patient_key", OLD_ROWS, &args, read).await?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        let last = last.as_bytes().to_vec();
        let mut statements: Vec<Statement> = Vec::with_capacity(rows.len());
        for (patient, old) in &rows {
            // One that does not unwrap must not stop the others; it keeps its epoch alive and is counted.
            let Ok(new) = old.rewrap(*patient, &setup.deployment, epochs, &*setup.chance) else { continue };
            let id = patient.as_bytes().to_vec();
            let args: Vec<Arg<'static>> = vec![
                new.wrapped.into(),
                new.epoch.into(),
                id.into(),
                old.purpose.word().into(),
                old.version.into(),
                old.epoch.into(),
            ];
            statements.push((MOVE, args));
        }
        let moved = if statements.is_empty() { 0 } else { self.run(statements).await? };
        Ok(Some((last, moved)))
    }

    async fn move_services(&self, epochs: &Epochs) -> Result<u64, VaultError> {
        const MOVE: &str = "UPDATE service_key SET wrapped = $1, epoch = $2, updated_by = 'rotate' \
                            WHERE name = $3 AND version = $4 AND epoch = $5";
        let setup = &self.0.setup;
        let current = epochs.current().0;
        let mut statements: Vec<Statement> = Vec::new();
        for row in WrappedService::all(&setup.db).await?.into_iter().filter(|row| row.epoch < current) {
            let Ok(wrapped) = row.rewrap(&setup.deployment, epochs, &*setup.chance) else { continue };
            let args = vec![wrapped.into(), current.into(), row.name.into(), row.version.into(), row.epoch.into()];
            statements.push((MOVE, args));
        }
        if statements.is_empty() { Ok(0) } else { self.run(statements).await }
    }

    async fn run(&self, statements: Vec<Statement>) -> Result<u64, VaultError> {
        Ok(self.0.setup.db.transact("rotate", statements).await?.iter().sum())
    }

    /// Removes the old epochs that no key names, from the keystore, its residue and memory.
    async fn remove_epochs(&self) -> Result<u64, VaultError> {
        const REMOVE: &str = "DELETE FROM epoch WHERE state = 'old' \
                              AND NOT EXISTS (SELECT 1 FROM patient_key k WHERE k.epoch = epoch.epoch) \
                              AND NOT EXISTS (SELECT 1 FROM service_key s WHERE s.epoch = epoch.epoch)";
        let removed = match self.run(vec![(REMOVE, Vec::new())]).await {
            // A key was wrapped under it at this very moment; the reference refused. The next pass moves that key.
            Err(VaultError::Keystore(DbError::Refused(_))) => 0,
            other => other?,
        };
        if removed > 0 {
            self.0.setup.db.scrub().await?;
            self.0.reload().await?;
        }
        Ok(removed)
    }

    /// Counts the keys that name an old epoch.
    pub(super) async fn left(&self) -> Result<u64, VaultError> {
        const SQL: &str = "SELECT (SELECT COUNT(*) FROM patient_key WHERE epoch < $1) \
                           + (SELECT COUNT(*) FROM service_key WHERE epoch < $1)";
        let args = [self.0.epochs().current().0.into()];
        let count = self.0.setup.db.maybe("patient_key", SQL, &args, |row| row.int(0)).await?;
        Ok(count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }
}
