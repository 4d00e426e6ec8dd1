//! What is enrolled or shut out, named in the log so that nobody can tell who it is.
//!
//! The row of an enrolment bears the registry's signature, but so did the row before it, and the row of an exclusion
//! that is gone bears nothing at all (security T2). The leaf of each enrolment, suspension, erasure and exclusion
//! therefore names its subject by a keyed mark, and the sequencer holds what a deed rests on against the newest leaf
//! of each mark. The marks stand in these leaves only, never in that of a disclosure.

use crate::id::{Mark, PatientId, ProfessionalId};
use crate::model::Enrolled;
use crate::vault::RowMac;

/// An enrolment at a revision: made by a deed, or rested on.
#[derive(Clone, Copy, Debug)]
pub struct Enrolment {
    pub(super) what: Enrolled,
    pub(super) said: Marked,
}

impl Enrolment {
    /// What the leaf of a deed says that makes this revision.
    #[must_use]
    pub const fn made(self) -> Marked {
        self.said
    }
}

/// A mark and the revision that a leaf makes of what it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marked {
    /// The mark.
    pub mark: Mark,
    /// From 1; of an exclusion, the revision of its consent.
    pub revision: i64,
}

pub(super) fn enrolment(mac: &RowMac, what: Enrolled, revision: i64) -> Enrolment {
    let mark = match &what {
        Enrolled::Party(party) => cut(mac, &[b"mark", b"party", party]),
        Enrolled::Patient(patient) => cut(mac, &[b"mark", b"patient", patient.as_bytes()]),
        Enrolled::SignIn(patient, tag) => cut(mac, &[b"mark", b"sign-in", patient.as_bytes(), tag]),
        Enrolled::Device(patient, device) => cut(mac, &[b"mark", b"device", patient.as_bytes(), device.as_bytes()]),
    };
    Enrolment { what, said: Marked { mark, revision } }
}

/// The mark of a professional as one patient may shut them out.
pub(super) fn shut_out(mac: &RowMac, patient: PatientId, professional: ProfessionalId) -> Mark {
    cut(mac, &[b"mark", b"shut out", patient.as_bytes(), professional.as_bytes()])
}

fn cut(mac: &RowMac, parts: &[&[u8]]) -> Mark {
    // A MAC has 32 bytes: there is a first half.
    Mark::from_bytes(mac.mac(parts).first_chunk().copied().unwrap_or_default())
}
