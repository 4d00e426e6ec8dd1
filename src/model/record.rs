//! What is protected: a record and the facts a decision may know about it without seeing its content.

use std::fmt;
use std::str::FromStr;

use super::actor::Actor;
use super::label::{Confidentiality, Sensitivity};
use super::visibility::Visibility;
use crate::clock::Timestamp;
use crate::id::{NotAnId, PatientId, ProfessionalId, RecordId};

/// Names one record of one patient; the FHIR logical id is `PATIENT.RECORD` (53 characters), and the Patient
/// resource itself has the plain `PATIENT` id. The patient comes first so that every statement names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordKey {
    /// Whose record it is.
    pub patient: PatientId,
    /// Which record of theirs.
    pub record: RecordId,
}

impl RecordKey {
    /// The record that holds the Patient resource itself.
    #[must_use]
    pub const fn of_patient(patient: PatientId) -> Self {
        Self { patient, record: RecordId::from_bytes(*patient.as_bytes()) }
    }

    /// Whether this is the Patient resource itself.
    #[must_use]
    pub fn is_patient(&self) -> bool {
        self.record.as_bytes() == self.patient.as_bytes()
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_patient() { write!(f, "{}", self.patient) } else { write!(f, "{}.{}", self.patient, self.record) }
    }
}

impl FromStr for RecordKey {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        match text.split_once('.') {
            None => Ok(Self::of_patient(text.parse()?)),
            Some((patient, record)) => {
                let key = Self { patient: patient.parse()?, record: record.parse()? };
                // One spelling per record: the Patient resource has no dotted form.
                if key.is_patient() { Err(NotAnId) } else { Ok(key) }
            }
        }
    }
}

/// A code in a code system; an empty system means none was given.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Coding {
    /// The code system's URI, or empty.
    pub system: String,
    /// The code.
    pub code: String,
}

impl fmt::Display for Coding {
    /// `system|code`, as FHIR token parameters are written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.system, self.code)
    }
}

impl FromStr for Coding {
    type Err = std::convert::Infallible;
    /// `system|code`; without a bar the whole text is the code.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('|') {
            Some((system, code)) => Self { system: system.to_owned(), code: code.to_owned() },
            None => Self { system: String::new(), code: text.to_owned() },
        })
    }
}

/// A stretch of time, both ends included, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Period {
    /// First moment.
    pub from: Timestamp,
    /// Last moment.
    pub to: Timestamp,
}

impl Period {
    /// All of time.
    pub const ALWAYS: Self = Self { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };

    /// Whether `other` lies wholly within.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// Whether `moment` lies within.
    #[must_use]
    pub fn has(&self, moment: Timestamp) -> bool {
        self.from <= moment && moment <= self.to
    }
}

/// Fixed at creation, never by the requester (FR-04): what kind of data this is in law.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RecordClass {
    /// The medical record; an insurer may never open it, whatever anyone consents to (L.1111-18 CSP).
    Medical,
    /// Proof of reimbursement or cover, holding no clinical content.
    Reimbursement,
}

impl RecordClass {
    /// The word used in policies.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Medical => "medical",
            Self::Reimbursement => "reimbursement",
        }
    }
}

/// All that a decision may know about a record. Kept sealed beside the record under its own derived key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordFacts {
    /// Which record.
    pub key: RecordKey,
    /// Which version, from 1.
    pub version: i64,
    /// FHIR resource type, as `Observation`.
    pub resource_type: String,
    /// What kind of data it is in law.
    pub class: RecordClass,
    /// Exactly one (SL-01).
    pub confidentiality: Confidentiality,
    /// Sensitive categories, sorted, possibly none.
    pub sensitivities: Vec<Sensitivity>,
    /// `category` codings, for scopes such as `Observation.rs?category=…|laboratory`.
    pub categories: Vec<Coding>,
    /// `type` codings of a document (DocumentReference, Composition, DiagnosticReport), for the profession matrix.
    pub document_types: Vec<Coding>,
    /// When the content was authored or observed; `None` when undated, which no date range ever covers.
    pub authored: Option<Period>,
    /// The French visibility codes, sorted.
    pub visibility: Vec<Visibility>,
    /// When [`Visibility::InvisiblePatient`] ends by itself (FR-20).
    pub announced: Option<Timestamp>,
    /// The professional who deposited it first, by the token, not by what the text claims (security F23).
    pub author: Option<ProfessionalId>,
}

impl RecordFacts {
    /// Whether `actor` acts for the professional who deposited it.
    #[must_use]
    pub fn is_by(&self, actor: &Actor) -> bool {
        let Actor::Software(software) = actor else { return false };
        self.author.is_some() && software.professional.as_ref().map(|(id, _)| *id) == self.author
    }

    /// The facts of another version of the record whose current facts are `current`: who deposited it and who must
    /// not see it belong to the record, not to a version. For the version that is to follow.
    #[must_use]
    pub fn masked_as(self, current: &Self) -> Self {
        let (visibility, announced, author) = (current.visibility.clone(), current.announced, current.author);
        Self { visibility, announced, author, ..self }
    }

    /// The same, and never less protected than the current version is: for a version of the past. What was found to
    /// need protection later must not be had through the history.
    #[must_use]
    pub fn protected_as(self, current: &Self) -> Self {
        let mut facts = self.masked_as(current);
        facts.confidentiality = facts.confidentiality.max(current.confidentiality);
        facts.sensitivities.extend(current.sensitivities.iter().cloned());
        facts.sensitivities.sort();
        facts.sensitivities.dedup();
        facts
    }

    /// Whether at `now` it is no longer to be kept from the patient although it says so.
    #[must_use]
    pub fn is_announced(&self, now: Timestamp) -> bool {
        self.announced.is_some_and(|at| at <= now)
    }

    /// The facts as they count at `now`.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if self.is_announced(now) {
            self.visibility.retain(|v| *v != Visibility::InvisiblePatient);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn a_record_has_one_spelling_and_it_fits_a_fhir_id() {
        let chance = SeededChance::new(1);
        let patient = PatientId::random(&chance).unwrap();
        let key = RecordKey { patient, record: RecordId::random(&chance).unwrap() };
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!(key.to_string().len() <= 64);
        assert_eq!(patient.to_string().parse(), Ok(RecordKey::of_patient(patient)));
        assert!(format!("{patient}.{patient}").parse::<RecordKey>().is_err());
    }
}
