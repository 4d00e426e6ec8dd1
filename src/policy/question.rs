//! What a decision is asked, and on what facts.

use crate::clock::Timestamp;
use crate::id::{ConsentId, PatientId, ProfessionalId};
use crate::model::{Actor, Interaction, RecordFacts, Terms};

/// A consent of the patient whose signature the caller has verified over the stored bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Provision {
    /// Which consent.
    pub consent: ConsentId,
    /// Which revision of it; the ledger reads it again in its turn.
    pub revision: i64,
    /// Who signed it, from the signed bytes: it speaks of that patient's records only.
    pub patient: PatientId,
    /// What it allows.
    pub terms: Terms,
}

/// A professional whom the patient has shut out; verified by the caller as a provision is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exclusion {
    /// The consent row that holds the exclusion.
    pub consent: ConsentId,
    /// Its revision.
    pub revision: i64,
    /// Who is shut out.
    pub professional: ProfessionalId,
}

/// Whether those who ask are in good standing with the guarantor. A patient's standing is not asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The software's enrolment holds.
    pub client: bool,
    /// The organisation's enrolment holds.
    pub organisation: bool,
    /// The named professional's place in that organisation holds; true when none is named (F39).
    pub professional: bool,
}

impl Standing {
    /// All in good standing.
    pub const ACTIVE: Self = Self { client: true, organisation: true, professional: true };

    pub(super) const fn holds(self) -> bool {
        self.client && self.organisation && self.professional
    }
}

/// One question: everything the answer may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub actor: &'a Actor,
    /// Whether the asking parties are in good standing.
    pub standing: Standing,
    /// What they want to do.
    pub interaction: Interaction,
    /// The moment of asking: provisions not in force then count for nothing.
    pub now: Timestamp,
    /// With which records; all of one patient.
    pub records: &'a [RecordFacts],
    /// That patient's consents.
    pub provisions: &'a [Provision],
    /// That patient's exclusions.
    pub exclusions: &'a [Exclusion],
}
