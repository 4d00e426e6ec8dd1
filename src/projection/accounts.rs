//! The accounting of disclosures as its patient reads it: who did what, when, for what, on which consent.

use super::event::{Doer, doer};
use super::events::{KIND, Window};
use super::leaf::Leaf;
use super::names::Names;
use super::{Projection, alias::alias};
use crate::asking::about;
use crate::clock::Timestamp;
use crate::id::{ConsentId, PatientId};
use crate::ledger::{Act, Reason};
use crate::model::{Bearer, Interaction, Purpose, RecordKey};
use crate::release::Withheld;

/// One thing that was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Names it in this patient's history.
    pub id: String,
    /// Its place in the log.
    pub leaf: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub did: Did,
    /// Who.
    pub by: By,
    /// For what, when that was stated.
    pub purpose: Option<Purpose>,
    /// How many records it concerned.
    pub records: u64,
    /// Of which FHIR type, when it was of one.
    pub resource_type: Option<String>,
    /// The consents it rested on, or made, or ended.
    pub consents: Vec<ConsentId>,
    /// Why it was refused, as the code in the log.
    pub refused: Option<String>,
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Did {
    /// Records were shown, or asked for and refused.
    Read,
    /// Records were taken in.
    Added,
    /// Records were replaced.
    Changed,
    /// Records were deleted.
    Deleted,
    /// A visibility code was set or lifted.
    Hid,
    /// An access was given.
    Granted,
    /// An access was made narrower.
    Narrowed,
    /// An access was ended.
    Revoked,
    /// A professional was shut out.
    Excluded,
    /// A professional is no longer shut out.
    Lifted,
    /// An access was asked for.
    Asked,
    /// A request was declined.
    Declined,
    /// Something about the patient's enrolment, devices or keys.
    Enrolled,
    /// The history was looked at.
    Looked,
}

/// Who did it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum By {
    /// The patient.
    Patient,
    /// The guarantor.
    Guarantor,
    /// Software of an organisation; absent names are of parties that the register no longer knows.
    Software {
        /// The professional behind it, when there is one.
        person: Option<Option<String>>,
        /// The organisation.
        place: Option<String>,
        /// The software.
        client: Option<String>,
    },
}

/// A stretch of a history, the latest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accounts {
    /// What was done.
    pub told: Vec<Account>,
    /// Where the stretch before begins, when there may be one.
    pub next: Option<String>,
}

impl Projection {
    /// The patient's own history, or one stretch of it; looking at it is recorded as well (AU-17).
    ///
    /// # Errors
    /// [`Withheld`].
    pub async fn accounts(
        &self,
        bearer: &Bearer,
        patient: PatientId,
        window: &Window,
        wanted: impl Fn(&Account) -> bool,
    ) -> Result<Accounts, Withheld> {
        let about = about(bearer, patient, "search", Some(KIND));
        let met = self.meet(bearer, RecordKey::of_patient(patient), &about).await?;
        let permit = self.history(patient, &met, &about, Interaction::Search).await?;
        let tell = |leaf: &Leaf, names: &Names| {
            let told = account(alias(&self.indexer, patient, leaf.entry.index), leaf, names);
            Ok(wanted(&told).then_some(told))
        };
        let found = self.find(patient, &met, window, tell).await?;
        self.spend(permit, &met, about).await?;
        Ok(Accounts { told: found.told, next: found.next })
    }
}

fn account(id: String, leaf: &Leaf, names: &Names) -> Account {
    let (entry, personal) = (&leaf.entry, &leaf.personal);
    let looked = entry.act == Act::Inspect || personal.resource_type.as_deref() == Some(KIND);
    let by = match doer(leaf) {
        Doer::Patient => By::Patient,
        Doer::Guarantor => By::Guarantor,
        Doer::Software => By::Software {
            person: personal.professional.map(|id| names.of(id.as_bytes()).map(str::to_owned)),
            place: personal.organisation.and_then(|id| names.of(id.as_bytes()).map(str::to_owned)),
            client: personal.client.and_then(|id| names.of(id.as_bytes()).map(str::to_owned)),
        },
    };
    Account {
        id,
        leaf: entry.index,
        at: entry.time,
        did: if looked { Did::Looked } else { did(entry.act, &personal.route) },
        by,
        purpose: entry.purpose,
        records: personal.records.total(),
        resource_type: personal.resource_type.clone(),
        consents: entry.basis.iter().map(|basis| basis.consent).collect(),
        refused: entry.reason.as_ref().map(Reason::code).map(str::to_owned),
    }
}

fn did(act: Act, route: &str) -> Did {
    match act {
        Act::Disclose | Act::Inspect => Did::Read,
        // A refusal is of the deed that was tried.
        Act::Refuse => match route {
            "deposit" => Did::Added,
            "consent/request" => Did::Asked,
            _ => Did::Read,
        },
        Act::Admit => Did::Added,
        Act::Update => Did::Changed,
        Act::Delete => Did::Deleted,
        Act::Mask => Did::Hid,
        Act::Grant => Did::Granted,
        Act::Narrow => Did::Narrowed,
        Act::Revoke => Did::Revoked,
        Act::Exclude => Did::Excluded,
        Act::Lift => Did::Lifted,
        Act::Request => Did::Asked,
        Act::Decline => Did::Declined,
        Act::Genesis | Act::Enrol | Act::Suspend | Act::Shred | Act::Rotate => Did::Enrolled,
    }
}
