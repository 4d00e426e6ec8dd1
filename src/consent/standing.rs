//! A consent as it stands now.

use super::check::Unproved;
use super::row::ConsentSeal;
use super::{ConsentError, Consents, Kept};
use crate::id::{ConsentId, PatientId};
use crate::model::{Op, Sealed, Statement};
use crate::store::rows::ConsentRow;
use crate::vault::{PatientKeys, Place};

/// A consent's row, bearing its MAC, and what its current revision says.
pub(super) struct Standing {
    pub(super) row: ConsentRow,
    pub(super) said: Statement,
}

impl Standing {
    pub(super) fn active(&self) -> bool {
        self.row.state == "active"
    }

    /// The tag of the grantee, to be kept by the next revision.
    pub(super) fn tag(&self) -> Result<[u8; 16], ConsentError> {
        self.row.grantee.as_slice().try_into().map_err(|_| Unproved("grantee tag").into())
    }

    /// The revision that comes next.
    pub(super) fn next(&self) -> Result<i64, ConsentError> {
        self.row.revision.checked_add(1).ok_or_else(|| Unproved("revision").into())
    }

    pub(super) fn excludes(&self) -> bool {
        matches!(self.said.op, Op::Exclude(_) | Op::Lift)
    }
}

impl Consents {
    /// The keys of a patient who is enrolled and not erased.
    pub(super) async fn keys(&self, patient: PatientId) -> Result<PatientKeys, ConsentError> {
        let row = self.store.patient(patient).await?.ok_or(ConsentError::Unknown)?;
        if !self.checker.patient_row_holds(&row) {
            return Err(Unproved("patient row altered").into());
        }
        if row.state != "active" {
            return Err(ConsentError::Unknown);
        }
        Ok(self.unwrapper.keys(patient).await?)
    }

    /// The consent as the house wrote it.
    pub(super) async fn standing(
        &self,
        patient: PatientId,
        consent: ConsentId,
        keys: &PatientKeys,
    ) -> Result<Standing, ConsentError> {
        let row = self.store.consent_of(patient, consent).await?.ok_or(ConsentError::Unknown)?;
        // A row put to "ended" by another hand must not pass for an end: put back, it would live again.
        if !ConsentSeal::of(patient, &row).holds(&self.mac, &row.seal) {
            return Err(Unproved("row altered").into());
        }
        let (_, said) = self.opened(patient, (row.consent, row.revision), &row.evidence, keys)?;
        Ok(Standing { row, said })
    }

    /// The evidence of a revision, opened where it lives; its signatures are verified where access is given.
    pub(super) fn opened(
        &self,
        patient: PatientId,
        (consent, revision): (ConsentId, i64),
        evidence: &Sealed,
        keys: &PatientKeys,
    ) -> Result<(Kept, Statement), ConsentError> {
        let place = Place::evidence(patient, consent, revision);
        let opened = self.checker.reader.open(keys, &place, evidence);
        let opened = opened.map_err(|_| Unproved("evidence sealed otherwise"))?;
        let kept = Kept::parse(&opened).ok_or(Unproved("evidence malformed"))?;
        let said = Statement::parse(&kept.statement).map_err(|_| Unproved("statement"))?;
        if said.patient != patient || said.consent != consent || said.revision != revision {
            return Err(Unproved("another consent").into());
        }
        Ok((kept, said))
    }
}
