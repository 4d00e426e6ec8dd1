//! What a decision may know about a record, read from its content once, at intake.

use super::labels::{self, LabelError, Labels};
use super::resource::codings;
use super::{authored, schema};
use crate::json::{Node, Value};
use crate::model::{Coding, Confidentiality, Period, RecordClass, RecordFacts, RecordKey, Sensitivity, Visibility};

/// The content does not say what a decision must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Not a resource type of R4.
    #[error("not a resource")]
    NotAResource,
    /// The security labels.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// The period in which it was authored.
    #[error("a period ends before it begins")]
    ReversedPeriod,
}

/// The facts that come from the content; key and version come from the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentFacts {
    /// FHIR resource type.
    pub resource_type: String,
    /// What kind of data it is in law.
    pub class: RecordClass,
    /// Exactly one (SL-01).
    pub confidentiality: Confidentiality,
    /// Sorted, unique.
    pub sensitivities: Vec<Sensitivity>,
    /// `category` codings, sorted, unique.
    pub categories: Vec<Coding>,
    /// Codings of what kind of document it is, sorted, unique.
    pub document_types: Vec<Coding>,
    /// When it was authored or observed.
    pub authored: Option<Period>,
    /// The French visibility codes, sorted, unique. They are not stored in the text: see [`strip`](super::strip).
    pub visibility: Vec<Visibility>,
}

/// Types that can be proof of reimbursement or cover (L.1111-18 CSP).
const REIMBURSEMENT: [&str; 5] =
    ["Coverage", "ExplanationOfBenefit", "Invoice", "PaymentNotice", "PaymentReconciliation"];

/// Elements that are clinical content wherever they stand.
const CLINICAL: [&str; 7] =
    ["diagnosis", "procedure", "supportingInfo", "contained", "prescription", "originalPrescription", "careTeam"];

impl ContentFacts {
    /// Reads the facts of a validated resource.
    ///
    /// # Errors
    /// [`FactsError`] when the labels or the dates contradict themselves or are not known.
    pub fn read(node: &Node<'_>) -> Result<Self, FactsError> {
        let name = node.text_of("resourceType").unwrap_or_default();
        let (_, ty) = schema::schema().resource(name).ok_or(FactsError::NotAResource)?;
        let Labels { confidentiality, sensitivities, visibility } = labels::read(node)?;
        let document = match ty.name {
            "DocumentReference" | "Composition" => "type",
            "DiagnosticReport" => "code",
            _ => "",
        };
        Ok(Self {
            resource_type: ty.name.to_owned(),
            class: class(node, ty.name),
            confidentiality,
            sensitivities,
            categories: sorted(node, "category"),
            document_types: sorted(node, document),
            authored: authored::read(node).map_err(|_| FactsError::ReversedPeriod)?,
            visibility,
        })
    }

    /// The facts of the record `key` at `version`, deposited by nobody who is named.
    #[must_use]
    pub fn of(self, key: RecordKey, version: i64) -> RecordFacts {
        RecordFacts {
            key,
            version,
            resource_type: self.resource_type,
            class: self.class,
            confidentiality: self.confidentiality,
            sensitivities: self.sensitivities,
            categories: self.categories,
            document_types: self.document_types,
            authored: self.authored,
            visibility: self.visibility,
            announced: None,
            author: None,
        }
    }
}

fn sorted(node: &Node<'_>, name: &str) -> Vec<Coding> {
    let mut found = codings(node.get(name));
    found.sort();
    found.dedup();
    found
}

fn class(node: &Node<'_>, name: &str) -> RecordClass {
    let clinical = !REIMBURSEMENT.contains(&name) || node.get("text").is_some() || holds_clinical(node);
    if clinical { RecordClass::Medical } else { RecordClass::Reimbursement }
}

fn holds_clinical(node: &Node<'_>) -> bool {
    match &node.value {
        Value::Object(members) => {
            members.iter().any(|m| CLINICAL.contains(&m.name.as_ref()) || holds_clinical(&m.node))
        }
        Value::Array(items) => items.iter().any(holds_clinical),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
