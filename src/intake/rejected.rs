//! Why nothing was stored.

use crate::asking::Unasked;
use crate::fhir::bundle::BadBundle;
use crate::fhir::{BadEdit, BadLink, BadPatch, BadQuery, Code, FactsError, Issue, Severity, SubjectError, outcome};
use crate::json::Broken;

/// Why nothing was stored. No message quotes what was sent.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// Not JSON as we accept it.
    #[error("not JSON as FHIR requires it: {0}")]
    Broken(#[from] Broken),
    /// Not valid FHIR R4.
    #[error("not valid FHIR R4")]
    Invalid(Vec<Issue>),
    /// A Bundle that breaks a rule of the standard.
    #[error(transparent)]
    Bundle(#[from] BadBundle),
    /// Something that is not offered, in the entry given.
    #[error("{what}")]
    NotSupported {
        /// Position in the Bundle, from 0.
        entry: Option<usize>,
        /// What.
        what: &'static str,
    },
    /// It cannot be told whose an entry is.
    #[error("{why}")]
    Subject {
        /// Position in the Bundle, from 0.
        entry: Option<usize>,
        /// Why not.
        why: SubjectError,
    },
    /// The labels or dates of an entry.
    #[error("{why}")]
    Facts {
        /// Position in the Bundle, from 0.
        entry: Option<usize>,
        /// Why not.
        why: FactsError,
    },
    /// A reference in an entry that can be neither kept nor rewritten.
    #[error("{why}")]
    Link {
        /// Position in the Bundle, from 0.
        entry: Option<usize>,
        /// Why not.
        why: BadEdit,
    },
    /// A patch that cannot be read, or does not succeed. That it does not is told only to one who may read the record.
    #[error(transparent)]
    Patch(#[from] BadPatch),
    /// The conditions of a conditional create cannot be asked.
    #[error("If-None-Exist: {0}")]
    Conditions(#[from] BadQuery),
    /// More than one record meets the conditions of a conditional create; each may be seen by who asks (FH-14).
    #[error("more than one record meets the conditions")]
    SeveralMatch,
    /// Not the type that the address names (FH-13).
    #[error("the resource is not of the type that the address names")]
    WrongType,
    /// The id in the resource is not that of the address (FH-18).
    #[error("the resource has not the id that the address names")]
    WrongId,
    /// No `If-Match` with the weak ETag of a version (FH-19).
    #[error("a change names the version it rests on: If-Match: W/\"n\"")]
    NoVersion,
    /// Not the current version any more, or never. Told only to one who may make the change.
    #[error("version is not current")]
    Stale,
    /// Records of this type never change (FH-29).
    #[error("records of this type never change")]
    Fixed,
    /// It would lower the protection that the record has.
    #[error("an update cannot lower the protection of a record")]
    Lowered,
    /// The Patient resource in it has identifiers that this patient is not known by.
    #[error("the identifiers of a patient are changed by the guarantor")]
    Identifiers,
    /// It was deleted before. Told only to one who might delete it.
    #[error("it was deleted")]
    Deleted,
    /// There is no such record to update, or it is not for this bearer: nobody outside can tell which (FH-20, FH-67).
    #[error("there is no such record to update")]
    NoUpdate,
    /// There is no such record, or it is not for this bearer: nobody outside can tell which.
    #[error("not found")]
    NotFound,
    /// It names another patient than the one whose record it is to join (FH-26, security F20).
    #[error("it names another patient")]
    OtherPatient,
    /// Two Patient resources, or identifiers of two patients.
    #[error("it is about more than one patient")]
    SeveralPatients,
    /// Nothing in it says which patient it is about.
    #[error("nothing in it says which patient it is about")]
    NoPatient,
    /// A Patient whom nobody could find again.
    #[error("the Patient has no identifier with both system and value")]
    NoIdentifier,
    /// The patient named is not enrolled, or was erased. Told to the guarantor only.
    #[error("no such patient")]
    NoSuchPatient,
    /// The Patient resource is there already.
    #[error("the Patient resource of this patient exists; refer to it as Patient/id")]
    Exists,
    /// Somebody changed the same patient's record at the same moment; nothing was stored, and it may be tried again.
    #[error("the record changed at the same moment; try again")]
    Conflict,
    /// Patients do not deposit into their own record.
    #[error("patients cannot deposit into their record")]
    Patient,
    /// The token does not allow to create anything; that says nothing about any patient.
    #[error("the access token does not cover this")]
    OutOfScope,
    /// No such patient, or no consent for all of it: nobody outside can tell which. A refusal is on record.
    #[error("not admitted")]
    Hidden,
    /// Something below failed: nothing may be assumed to be stored.
    #[error("nothing can be taken in now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Rejected {
    pub(super) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(error))
    }

    /// What is wrong, as the issues of an OperationOutcome.
    #[must_use]
    pub fn issues(&self) -> Vec<Issue> {
        let at = |entry: Option<usize>| entry.map_or_else(String::new, |i| format!("Bundle.entry[{i}]"));
        let resource = |entry: Option<usize>| entry.map_or_else(String::new, |i| format!("Bundle.entry[{i}].resource"));
        match self {
            Self::Broken(broken) => vec![issue(Code::Structure, String::new(), broken.reason)],
            Self::Invalid(issues) => issues.clone(),
            Self::Bundle(BadBundle::Rule(rule)) => vec![issue(Code::Invariant, "Bundle".to_owned(), rule)],
            Self::Bundle(BadBundle::Entry(i, rule)) => vec![issue(Code::Invariant, at(Some(*i)), rule)],
            Self::Bundle(BadBundle::NotABundle) => vec![issue(Code::Structure, String::new(), "not a Bundle")],
            Self::Bundle(BadBundle::Kind) => {
                let only = "only Bundles of type transaction, batch, collection or document are accepted";
                vec![issue(Code::NotSupported, "Bundle.type".to_owned(), only)]
            }
            Self::NotSupported { entry, what } => vec![issue(Code::NotSupported, at(*entry), what)],
            Self::Subject { entry, why } => vec![issue(Code::BusinessRule, resource(*entry), subject(*why))],
            Self::Facts { entry, why } => vec![issue(Code::BusinessRule, resource(*entry), facts(*why))],
            Self::Link { entry, why } => vec![issue(Code::Processing, resource(*entry), link(*why))],
            Self::Patch(bad) => one(patch(bad).0, patch(bad).1),
            Self::Conditions(_) => one(Code::NotSupported, "the conditions in If-None-Exist cannot be asked"),
            Self::SeveralMatch => one(Code::MultipleMatches, "more than one record meets the conditions"),
            Self::WrongType => one(Code::Invalid, "the resource is not of the type that the address names"),
            Self::WrongId => one(Code::Invalid, "the resource has not the id that the address names"),
            Self::NoVersion => {
                one(Code::Required, "a change names the version it rests on, as the header If-Match: W/\"n\"")
            }
            Self::Stale => one(Code::Conflict, "version is not current"),
            Self::Fixed => one(Code::NotSupported, "records of this type never change"),
            Self::Lowered => one(Code::BusinessRule, "an update cannot lower the protection of a record"),
            Self::Identifiers => one(Code::BusinessRule, "the identifiers of a patient are changed by the guarantor"),
            Self::Deleted => one(Code::Deleted, "deleted"),
            Self::NoUpdate => one(Code::NotSupported, "there is no such record to update; ids are given by the server"),
            Self::NotFound => one(Code::NotFound, "not found"),
            Self::OtherPatient => one(Code::Forbidden, "it names another patient"),
            Self::SeveralPatients => one(Code::BusinessRule, "it is about more than one patient"),
            Self::NoPatient => one(Code::Required, "nothing in it says which patient it is about"),
            Self::NoIdentifier => one(Code::Required, "the Patient has no identifier with both system and value"),
            Self::NoSuchPatient => one(Code::NotFound, "no such patient"),
            Self::Exists => {
                one(Code::Duplicate, "the Patient resource of this patient exists; refer to it as Patient/id")
            }
            Self::Conflict => one(Code::Conflict, "the record changed at the same moment; try again"),
            Self::Patient => one(Code::Forbidden, "patients cannot deposit into their record"),
            Self::OutOfScope => one(Code::Forbidden, "the access token does not cover this"),
            Self::Hidden => one(Code::Forbidden, "not admitted"),
            Self::Unavailable(_) => one(Code::Transient, "nothing can be taken in now"),
        }
    }

    /// The OperationOutcome to answer with.
    #[must_use]
    pub fn outcome(&self) -> String {
        match self {
            // The place in the text helps whoever wrote it, and quotes nothing of it.
            Self::Broken(broken) => outcome::of_one(Code::Structure, &broken.to_string()),
            Self::Patch(bad) => outcome::of_one(patch(bad).0, &bad.to_string()),
            Self::Conditions(_) => outcome::of_one(Code::NotSupported, &self.to_string()),
            Self::Invalid(_)
            | Self::Bundle(_)
            | Self::NotSupported { .. }
            | Self::Subject { .. }
            | Self::Facts { .. }
            | Self::Link { .. }
            | Self::SeveralMatch
            | Self::WrongType
            | Self::WrongId
            | Self::NoVersion
            | Self::Stale
            | Self::Fixed
            | Self::Lowered
            | Self::Identifiers
            | Self::Deleted
            | Self::NoUpdate
            | Self::NotFound
            | Self::OtherPatient
            | Self::SeveralPatients
            | Self::NoPatient
            | Self::NoIdentifier
            | Self::NoSuchPatient
            | Self::Exists
            | Self::Conflict
            | Self::Patient
            | Self::OutOfScope
            | Self::Hidden
            | Self::Unavailable(_) => outcome::of_issues(&self.issues()),
        }
    }
}

impl Rejected {
    /// The status of such an entry in a `batch-response`.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Broken(_)
            | Self::Bundle(_)
            | Self::Patch(BadPatch::Broken(_) | BadPatch::Malformed(..))
            | Self::Conditions(_)
            | Self::WrongType
            | Self::WrongId
            | Self::NoVersion => "400 Bad Request",
            Self::OtherPatient | Self::Patient | Self::OutOfScope | Self::Hidden => "403 Forbidden",
            Self::NoSuchPatient | Self::NotFound => "404 Not Found",
            Self::Fixed | Self::NoUpdate => "405 Method Not Allowed",
            Self::Deleted => "204 No Content",
            Self::Stale | Self::SeveralMatch => "412 Precondition Failed",
            Self::Exists | Self::Conflict => "409 Conflict",
            Self::Invalid(_)
            | Self::NotSupported { .. }
            | Self::Subject { .. }
            | Self::Facts { .. }
            | Self::Link { .. }
            | Self::Patch(BadPatch::Failed(..) | BadPatch::Fixed | BadPatch::TooCostly)
            | Self::SeveralPatients
            | Self::NoPatient
            | Self::Lowered
            | Self::Identifiers
            | Self::NoIdentifier => "422 Unprocessable Entity",
            Self::Unavailable(_) => "503 Service Unavailable",
        }
    }

    /// Writes it as an entry of a `batch-response`.
    pub fn write(&self, out: &mut String) {
        out.push_str("{\"response\":{\"status\":\"");
        out.push_str(self.status());
        out.push_str("\",\"outcome\":");
        out.push_str(&self.outcome());
        out.push_str("}}");
    }
}

impl From<Unasked> for Rejected {
    fn from(unasked: Unasked) -> Self {
        match unasked {
            Unasked::Hidden => Self::Hidden,
            Unasked::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

fn one(code: Code, reason: &'static str) -> Vec<Issue> {
    vec![issue(code, String::new(), reason)]
}

fn issue(code: Code, expression: String, reason: &'static str) -> Issue {
    Issue { severity: Severity::Error, code, expression, reason }
}

const fn subject(why: SubjectError) -> &'static str {
    match why {
        SubjectError::NotAResource => "not a resource of a patient's record",
        SubjectError::Missing => "the resource does not say which patient it is about",
        SubjectError::Several => "the resource is about more than one patient",
        SubjectError::NotAPatient => "the subject of the resource is not a patient",
    }
}

const fn facts(why: FactsError) -> &'static str {
    use crate::fhir::LabelError;
    match why {
        FactsError::NotAResource => "not a resource",
        FactsError::ReversedPeriod => "a period ends before it begins",
        FactsError::Label(LabelError::SeveralConfidentialities) => {
            "a resource may have only one confidentiality code (DS4P)"
        }
        FactsError::Label(LabelError::UnknownCode) => {
            "a security label has a code that its system does not have, or that is not supported here"
        }
        FactsError::Label(LabelError::NoSystem) => "a security label has no code system or no code",
        FactsError::Label(LabelError::Lowered) => "only its author may make a record less protected than it was",
        FactsError::Label(LabelError::HiddenFromAll) => {
            "a document cannot be hidden from the patient and masked from professionals at once (TRE_A07)"
        }
    }
}

const fn patch(why: &BadPatch) -> (Code, &'static str) {
    match why {
        BadPatch::Broken(broken) => (Code::Structure, broken.reason),
        BadPatch::Malformed(_, why) => (Code::Invalid, why),
        BadPatch::Failed(_, why) => (Code::Processing, why),
        BadPatch::Fixed => (Code::BusinessRule, "a patch changes neither type, id, meta nor the patient"),
        BadPatch::TooCostly => (Code::TooCostly, "the patch has too many operations, or its result is too large"),
    }
}

const fn link(why: BadEdit) -> &'static str {
    match why {
        BadEdit::Link(BadLink::Conditional) => "conditional references are not accepted",
        BadEdit::Link(BadLink::Dangling) => "a reference names an entry that is not in the Bundle",
        BadEdit::Overlap | BadEdit::NotAResource => "the resource cannot be rewritten",
    }
}
