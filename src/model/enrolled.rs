//! What the guarantor enrols.

use crate::id::{DeviceId, PatientId};

/// Something whose standing the log tells by revisions: a later one replaces the earlier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Enrolled {
    /// An organisation, a professional or software; each change of the enrolment is a revision.
    Party([u8; 16]),
    /// A patient: 1 active, 2 erased.
    Patient(PatientId),
    /// A key with which a patient signs: 1 active, 2 removed.
    Device(PatientId, DeviceId),
    /// An account with which a patient signs in, or an invitation to link one, by its keyed tag: 1 made.
    SignIn(PatientId, [u8; 32]),
}

impl Enrolled {
    /// The revision of a patient or device that is active.
    pub const ACTIVE: i64 = 1;
    /// The revision of a patient or device that was ended.
    pub const ENDED: i64 = 2;
}
