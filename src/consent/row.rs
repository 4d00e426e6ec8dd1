//! What authenticates the rows that a decision rests on.

use ring::digest::{SHA256, digest};

use crate::id::{ConsentId, PatientId};
use crate::model::Sealed;
use crate::store::rows::{ConsentRow, PatientRow};
use crate::vault::RowMac;

/// A consent row as it is authenticated: the whole row and the digest of its evidence, so that neither an edited
/// state nor exchanged evidence passes (J39).
#[derive(Clone, Copy, Debug)]
pub struct ConsentSeal<'r> {
    /// Whose.
    pub patient: PatientId,
    /// Which.
    pub consent: ConsentId,
    /// Its current revision.
    pub revision: i64,
    /// `active` or `ended`.
    pub state: &'r str,
    /// Keyed tag of the grantee.
    pub grantee: &'r [u8],
    /// Its sealed evidence.
    pub evidence: &'r Sealed,
}

impl<'r> ConsentSeal<'r> {
    /// The seal that `row` should bear.
    #[must_use]
    pub fn of(patient: PatientId, row: &'r ConsentRow) -> Self {
        let (consent, revision) = (row.consent, row.revision);
        Self { patient, consent, revision, state: &row.state, grantee: &row.grantee, evidence: &row.evidence }
    }

    /// The MAC to be stored.
    #[must_use]
    pub fn make(&self, mac: &RowMac) -> [u8; 32] {
        let evidence = digest(&SHA256, &self.evidence.0);
        mac.mac(&[
            b"consent",
            self.patient.as_bytes(),
            self.consent.as_bytes(),
            &self.revision.to_be_bytes(),
            self.state.as_bytes(),
            self.grantee,
            evidence.as_ref(),
        ])
    }

    /// Whether `seal` is that MAC; compared in constant time.
    #[must_use]
    pub fn holds(&self, mac: &RowMac, seal: &[u8]) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.make(mac).as_slice(), seal).into()
    }
}

/// The MAC of a patient's row.
#[must_use]
pub fn patient_seal(mac: &RowMac, patient: PatientId, state: &str) -> [u8; 32] {
    mac.mac(&[b"patient", patient.as_bytes(), state.as_bytes()])
}

/// Whether a patient's row bears its MAC.
#[must_use]
pub fn patient_row_holds(mac: &RowMac, row: &PatientRow) -> bool {
    mac.verify(&[b"patient", row.patient.as_bytes(), row.state.as_bytes()], &row.seal).is_ok()
}
