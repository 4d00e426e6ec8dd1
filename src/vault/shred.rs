//! Erasure by destroying keys (crypto-erasure).

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

use super::bind::Binding;
use super::keyring::Keyring;
use super::patient_key::Use;
use super::{SIGNATURE_BYTES, VaultError, hex};
use crate::clock::Timestamp;
use crate::db::{Arg, DbError};
use crate::id::PatientId;
use crate::json::quote;

/// Which of a patient's keys are destroyed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// The record; its history stays readable.
    Record,
    /// What the log says about the patient; its proofs still hold.
    Log,
    /// Both.
    Both,
}

impl Which {
    const fn uses(self) -> &'static [Use] {
        match self {
            Self::Record => &[Use::Record],
            Self::Log => &[Use::Log],
            Self::Both => &Use::ALL,
        }
    }
}

/// Says which keys were destroyed and when that becomes final; signed by the registry key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShredCertificate {
    /// Canonical JSON (RFC 8785), the exact bytes that are signed.
    pub json: String,
    /// Ed25519 signature over `json`.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// One key's end, as the keystore remembers it.
struct End {
    purpose: Use,
    versions: i64,
    shredded_at: i64,
}

impl Keyring {
    /// Destroys keys of `patient`. Calling again gives the certificate again, with the moment of the first time.
    ///
    /// `backup_days` is how long backups of the keystore are kept: until then an old backup still holds the key.
    /// Run it in a task that nobody can cancel: the keys would be gone, but what overwrites them might not have run.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] when the patient was never enrolled. After any other error call again.
    pub async fn shred(
        &self,
        patient: PatientId,
        which: Which,
        backup_days: u32,
    ) -> Result<ShredCertificate, VaultError> {
        const DELETE: &str = "DELETE FROM patient_key WHERE patient = $1 AND use = $2";
        const MARK: &str = "UPDATE enrolment SET shredded_at = $1, updated_by = 'shred' \
                            WHERE patient = $2 AND use = $3 AND shredded_at = 0";
        let setup = &self.0.setup;
        if self.ends(patient).await?.is_empty() {
            return Err(VaultError::NoKey);
        }
        let id = || Arg::from(patient.as_bytes().to_vec());
        let now = setup.clock.now().0;
        let mut statements = Vec::new();
        for purpose in which.uses() {
            statements.push((DELETE, vec![id(), purpose.word().into()]));
            statements.push((MARK, vec![now.into(), id(), purpose.word().into()]));
        }
        let done = setup.db.transact("shred", statements).await;
        // Also after an error: the commit may have happened.
        self.0.cache.forget(patient);
        done?;
        setup.db.scrub().await?;
        let ends: Vec<End> =
            self.ends(patient).await?.into_iter().filter(|end| which.uses().contains(&end.purpose)).collect();
        if ends.len() != which.uses().len() || ends.iter().any(|end| end.shredded_at == 0) {
            return Err(VaultError::Refused);
        }
        let json = self.certificate(patient, &ends, backup_days)?;
        let signature = self.registry_signer().sign(json.as_bytes())?;
        Ok(ShredCertificate { json, signature })
    }

    async fn ends(&self, patient: PatientId) -> Result<Vec<End>, VaultError> {
        const SQL: &str = "SELECT use, versions, shredded_at FROM enrolment WHERE patient = $1 ORDER BY use";
        let read = |row: &crate::db::Row<'_>| -> Result<End, DbError> {
            let purpose = Use::from_word(row.text(0)?).ok_or_else(|| row.unreadable(0))?;
            Ok(End { purpose, versions: row.int(1)?, shredded_at: row.int(2)? })
        };
        Ok(self.0.setup.db.all("enrolment", SQL, &[patient.as_bytes().into()], read).await?)
    }

    /// Writes the certificate with its names in canonical order.
    fn certificate(&self, patient: PatientId, ends: &[End], backup_days: u32) -> Result<String, VaultError> {
        let setup = &self.0.setup;
        // Patient ids are random, so their hash cannot be guessed from a list of people.
        let hashed = Binding::new()
            .field(b"garant shredded patient")?
            .field(setup.deployment.as_bytes())?
            .field(patient.as_bytes())?;
        let latest = Timestamp(ends.iter().map(|end| end.shredded_at).max().unwrap_or(0));
        let last = latest.plus_secs(i64::from(backup_days).saturating_mul(86_400));
        let mut out = String::from("{\"backupDays\":");
        // Writing to a String cannot fail.
        let _infallible = write!(out, "{backup_days},\"deployment\":");
        quote(&setup.deployment, &mut out);
        out.push_str(",\"engine\":");
        quote(setup.db.engine(), &mut out);
        out.push_str(",\"finalAfter\":");
        quote(&last.to_rfc3339(), &mut out);
        out.push_str(",\"keys\":[");
        for (i, end) in ends.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let at = Timestamp(end.shredded_at).to_rfc3339();
            let word = end.purpose.word();
            let _infallible =
                write!(out, "{comma}{{\"at\":\"{at}\",\"use\":\"{word}\",\"versions\":{}}}", end.versions);
        }
        out.push_str("],\"patientHash\":");
        quote(&hex::write(digest(&SHA256, hashed.all()).as_ref()), &mut out);
        out.push_str(",\"residue\":");
        quote(residue(setup.db.engine()), &mut out);
        out.push_str(",\"type\":\"garant-shred-certificate-1\"}");
        Ok(out)
    }
}

/// What the engine may keep of a deleted row, in words for the certificate (security K9; measured in §0.6).
fn residue(engine: &str) -> &'static str {
    if engine == "SQLite" {
        "The wrapped keys were overwritten in the keystore file and its write-ahead log was emptied. Copies may remain \
         in snapshots of the file system, in blocks remapped by the storage device, and in backups of the keystore \
         until finalAfter."
    } else {
        "The wrapped keys were deleted. Their bytes may remain in the table until the next VACUUM, in the write-ahead \
         log until it is recycled, on replicas, in archives of that log, and in backups of the keystore until \
         finalAfter. Archives must not be kept longer than backups."
    }
}
