//! Patients' accounts at identity providers: linked once, by an invitation that the guarantor gave.
//!
//! An account is issuer and subject, nothing else: no name, address or number that a provider sends ever finds a
//! patient (O21, O22). Only keyed tags are kept, each row under a seal of its own: whoever can write to the database
//! cannot move an account to another patient.

use crate::chance;
use crate::clock::Timestamp;
use crate::id::PatientId;
use crate::ledger::Act;
use crate::model::Enrolled;
use crate::secret::Secret;
use crate::store::accounts::TaggedRow;
use crate::store::turn::Write;

use super::patients::{PatientError, Patients};

/// Characters of an invitation: 20 of 32, 100 bits; without I, L, O and U, which people misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_CHARACTERS: usize = 20;

/// An invitation as somebody typed it, known by its tag alone; it may be unknown or used up.
pub type InvitationTag = [u8; 32];

impl Patients {
    /// Invites a patient to link an account within `days`; gives the code, which is shown once and kept nowhere.
    ///
    /// # Errors
    /// [`PatientError::Unknown`] for a patient who is not enrolled or was erased.
    pub async fn invite(&self, patient: PatientId, days: u16) -> Result<Secret<String>, PatientError> {
        let keys = self.keys(patient).await?;
        let random = chance::bytes::<CODE_CHARACTERS>(&*self.chance)?;
        let code: String =
            random.iter().filter_map(|b| ALPHABET.get(usize::from(b & 31))).map(|b| char::from(*b)).collect();
        let tag = self.invitation_tag(&code);
        let expires = self.clock.now().plus_secs(i64::from(days) * 86_400);
        let seal = self.seal("invitation", patient, &tag, expires).to_vec();
        let write = Write::Invitation { patient, tag, expires, seal };
        let made = (Enrolled::SignIn(patient, tag), Enrolled::ACTIVE);
        self.record(patient, (Act::Enrol, "patient/invitation"), made, &keys, vec![write]).await?;
        let groups: Vec<&str> = (0..CODE_CHARACTERS).step_by(4).filter_map(|at| code.get(at..at + 4)).collect();
        Ok(Secret::new(groups.join("-")))
    }

    /// The tag of a code as typed: in any case, with or without hyphens and blanks.
    #[must_use]
    pub fn invitation_tag(&self, typed: &str) -> InvitationTag {
        let plain: String = typed
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect();
        self.indexer.tag("invitation", &[plain.as_bytes()])
    }

    /// The patient to whom an account is linked.
    ///
    /// # Errors
    /// [`PatientError::Unknown`] when a row does not bear its seal.
    pub async fn by_account(&self, issuer: &str, subject: &str) -> Result<Option<PatientId>, PatientError> {
        let tag = self.account_tag(issuer, subject);
        let Some(row) = self.store.account(&tag).await? else { return Ok(None) };
        self.believe("account", &tag, &row)?;
        Ok(Some(row.patient))
    }

    /// Links an account to the patient who was invited, and uses the invitation up.
    ///
    /// # Errors
    /// [`PatientError::NotInvited`]; nothing tells an unknown invitation from one that was used or has ended.
    pub async fn link(
        &self,
        invitation: &InvitationTag,
        issuer: &str,
        subject: &str,
    ) -> Result<PatientId, PatientError> {
        let row = self.store.invitation(invitation).await?.ok_or(PatientError::NotInvited)?;
        self.believe("invitation", invitation, &row)?;
        let (patient, since) = (row.patient, self.clock.now());
        if row.moment <= since {
            return Err(PatientError::NotInvited);
        }
        let keys = self.keys(patient).await?;
        let tag = self.account_tag(issuer, subject);
        let seal = self.seal("account", patient, &tag, since).to_vec();
        let write = Write::Account { patient, tag, invitation: *invitation, since, seal };
        let made = (Enrolled::SignIn(patient, tag), Enrolled::ACTIVE);
        match self.record(patient, (Act::Enrol, "patient/account"), made, &keys, vec![write]).await {
            Ok(()) => Ok(patient),
            Err(PatientError::Enrolled) => Err(PatientError::NotInvited),
            Err(other) => Err(other),
        }
    }

    fn account_tag(&self, issuer: &str, subject: &str) -> [u8; 32] {
        self.indexer.tag("account", &[issuer.as_bytes(), subject.as_bytes()])
    }

    fn seal(&self, table: &str, patient: PatientId, tag: &[u8; 32], moment: Timestamp) -> [u8; 32] {
        self.mac.mac(&[table.as_bytes(), patient.as_bytes(), tag, &moment.0.to_be_bytes()])
    }

    fn believe(&self, table: &str, tag: &[u8; 32], row: &TaggedRow) -> Result<(), PatientError> {
        let parts: [&[u8]; 4] = [table.as_bytes(), row.patient.as_bytes(), tag, &row.moment.0.to_be_bytes()];
        self.mac.verify(&parts, &row.seal).map_err(|_| {
            tracing::error!(target: "garant::security", table, "a row was altered");
            PatientError::Unknown
        })
    }
}
