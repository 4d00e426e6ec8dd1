//! Where a ciphertext lives.

use super::VaultError;
use super::bind::{Binding, LONGEST_NAME};
use super::patient_key::Use;
use super::wrap::SUITE;
use crate::id::{ConsentId, DeedId, PatientId};
use crate::model::RecordKey;

/// The place of one ciphertext. Always built from the request and the code that runs, never from the row that is
/// being opened: a place read back from a row would authenticate whatever an attacker wrote there (security K4).
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Whose it is.
    pub patient: PatientId,
    /// The table.
    pub table: &'static str,
    /// The column; decides which key and which capability open it.
    pub column: &'static str,
    /// The row's own identifier.
    pub row: [u8; 16],
    /// The version of the row.
    pub version: i64,
}

/// What a column holds, which decides who may open it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// A patient's content: [`super::Opener`] only.
    Content,
    /// What a decision, a search or a verification needs: also [`super::Reader`].
    Label,
    /// What the log says about a person, under the log key: [`super::LogReader`] only.
    Log,
}

impl Class {
    /// The domain word of the derivation, so that no two classes can ever share a key.
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Content => b"garant seal content",
            Self::Label => b"garant seal label",
            Self::Log => b"garant seal log",
        }
    }

    /// Which of the patient's keys it is under.
    pub(super) const fn key(self) -> Use {
        match self {
            Self::Content | Self::Label => Use::Record,
            Self::Log => Use::Log,
        }
    }
}

impl Place {
    /// The text of a record's version.
    #[must_use]
    pub const fn content(key: RecordKey, version: i64) -> Self {
        Self { patient: key.patient, table: "content", column: "sealed", row: *key.record.as_bytes(), version }
    }

    /// The facts of a record's current version.
    #[must_use]
    pub const fn facts(key: RecordKey, version: i64) -> Self {
        Self { patient: key.patient, table: "record", column: "facts", row: *key.record.as_bytes(), version }
    }

    /// The search values of a record's current version.
    #[must_use]
    pub const fn found(key: RecordKey, version: i64) -> Self {
        Self { patient: key.patient, table: "record", column: "found", row: *key.record.as_bytes(), version }
    }

    /// The evidence of a consent revision.
    #[must_use]
    pub const fn evidence(patient: PatientId, consent: ConsentId, revision: i64) -> Self {
        let row = *consent.as_bytes();
        Self { patient, table: "consent_revision", column: "evidence", row, version: revision }
    }

    /// What a request for a consent asks.
    #[must_use]
    pub const fn request(patient: PatientId, request: DeedId) -> Self {
        Self { patient, table: "consent_request", column: "request", row: *request.as_bytes(), version: 0 }
    }

    /// What a secret that was given out stands for; `row` is the beginning of its hash.
    #[must_use]
    pub const fn voucher(patient: PatientId, row: [u8; 16], kind: i64) -> Self {
        Self { patient, table: "oauth_secret", column: "voucher", row, version: kind }
    }

    /// The personal part of a deed: its salt (32 bytes), then its canonical bytes.
    #[must_use]
    pub const fn personal(patient: PatientId, deed: DeedId) -> Self {
        Self { patient, table: "log_leaf", column: "personal", row: *deed.as_bytes(), version: 0 }
    }

    /// The class of the column. A column nobody listed is content, the class that the fewest may open.
    pub(super) fn class(&self) -> Class {
        match self.column {
            "facts" | "found" | "evidence" | "request" | "voucher" => Class::Label,
            "personal" => Class::Log,
            _ => Class::Content,
        }
    }

    /// Adds the place to `binding`, after the domain word, the suite and the deployment.
    pub(super) fn bind(&self, binding: Binding, deployment: &str) -> Result<Binding, VaultError> {
        if self.table.len() > LONGEST_NAME || self.column.len() > LONGEST_NAME {
            return Err(VaultError::Refused);
        }
        binding
            .field(self.class().word())?
            .field(&[SUITE])?
            .field(deployment.as_bytes())?
            .field(self.patient.as_bytes())?
            .field(self.table.as_bytes())?
            .field(self.column.as_bytes())?
            .field(&self.row)?
            .field(&self.version.to_be_bytes())
    }
}
