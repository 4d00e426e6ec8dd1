//! Whose resource it is: by its subject, never by any other hit of the patient compartment (FH-63).

use super::resource::at;
use crate::json::Node;

/// Whose resource it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject<'n> {
    /// The Patient resource itself.
    Itself,
    /// The patient whom this reference names, as written.
    Of(&'n str),
    /// No patient's: a Practitioner, an Organization, a Medication.
    Nobody,
}

/// It cannot be told whose resource it is; it must then not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// Not a resource type of R4.
    #[error("not a resource")]
    NotAResource,
    /// A type of the patient compartment without a reference to a patient.
    #[error("the resource does not say which patient it is about")]
    Missing,
    /// More than one patient.
    #[error("the resource is about more than one patient")]
    Several,
    /// A group, a device, a place.
    #[error("the subject of the resource is not a patient")]
    NotAPatient,
}

/// The elements that name the subject, by type. `*` before the path: it holds other participants too, of whom
/// only patients count; `?` before it: the type lies outside the patient compartment and may have no subject.
const SUBJECTS: &[(&str, &str)] = &[
    ("Account", "subject"),
    ("AdverseEvent", "subject"),
    ("AllergyIntolerance", "patient"),
    ("Appointment", "*participant.actor"),
    ("AppointmentResponse", "*actor"),
    ("AuditEvent", "*entity.what"),
    ("Basic", "subject"),
    ("Binary", "securityContext"),
    ("BodyStructure", "patient"),
    ("CarePlan", "subject"),
    ("CareTeam", "subject"),
    ("ChargeItem", "subject"),
    ("Claim", "patient"),
    ("ClaimResponse", "patient"),
    ("ClinicalImpression", "subject"),
    ("Communication", "subject"),
    ("CommunicationRequest", "subject"),
    ("Composition", "subject"),
    ("Condition", "subject"),
    ("Consent", "patient"),
    ("Contract", "?subject"),
    ("Coverage", "beneficiary"),
    ("CoverageEligibilityRequest", "patient"),
    ("CoverageEligibilityResponse", "patient"),
    ("DetectedIssue", "patient"),
    ("Device", "?patient"),
    ("DeviceRequest", "subject"),
    ("DeviceUseStatement", "subject"),
    ("DiagnosticReport", "subject"),
    ("DocumentManifest", "subject"),
    ("DocumentReference", "subject"),
    ("Encounter", "subject"),
    ("EnrollmentRequest", "candidate"),
    ("EpisodeOfCare", "patient"),
    ("ExplanationOfBenefit", "patient"),
    ("FamilyMemberHistory", "patient"),
    ("Flag", "subject"),
    ("Goal", "subject"),
    ("Group", "*member.entity"),
    ("GuidanceResponse", "subject"),
    ("ImagingStudy", "subject"),
    ("Immunization", "patient"),
    ("ImmunizationEvaluation", "patient"),
    ("ImmunizationRecommendation", "patient"),
    ("Invoice", "subject"),
    ("List", "subject"),
    ("MeasureReport", "subject"),
    ("Media", "subject"),
    ("MedicationAdministration", "subject"),
    ("MedicationDispense", "subject"),
    ("MedicationRequest", "subject"),
    ("MedicationStatement", "subject"),
    ("MolecularSequence", "patient"),
    ("NutritionOrder", "patient"),
    ("Observation", "subject"),
    ("Person", "*link.target"),
    ("Procedure", "subject"),
    ("Provenance", "*target"),
    ("QuestionnaireResponse", "subject"),
    ("RelatedPerson", "patient"),
    ("RequestGroup", "subject"),
    ("ResearchSubject", "individual"),
    ("RiskAssessment", "subject"),
    ("Schedule", "*actor"),
    ("ServiceRequest", "subject"),
    ("Specimen", "subject"),
    ("SupplyDelivery", "patient"),
    ("SupplyRequest", "deliverTo"),
    ("Task", "for"),
    ("VisionPrescription", "patient"),
];

/// Types outside the compartment that carry patients' data without saying whose: they are never nobody's, for
/// what is nobody's may be read by everyone.
const UNTELLABLE: [&str; 7] = [
    "Bundle",
    "EnrollmentResponse",
    "Linkage",
    "MessageHeader",
    "Parameters",
    "PaymentNotice",
    "PaymentReconciliation",
];

/// Whether resources of this type can belong to a patient (the R4 CompartmentDefinition `patient`).
#[must_use]
pub fn is_in_patient_compartment(resource_type: &str) -> bool {
    let mut lines = include_str!("definitions/compartment.txt").lines();
    lines.any(|l| l.split_once(' ').is_some_and(|(name, _)| name == resource_type))
}

/// Tells whose resource `node` is, from its references as written.
///
/// # Errors
/// [`SubjectError`] when it is about several patients, or about none though its type must be.
pub fn subject<'n>(node: &'n Node<'_>) -> Result<Subject<'n>, SubjectError> {
    subject_resolved(node, &|_| None)
}

/// The same, where `type_of` knows the types of references that do not show them (`urn:uuid:`).
///
/// # Errors
/// As [`subject`].
pub fn subject_resolved<'n>(
    node: &'n Node<'_>,
    type_of: &dyn Fn(&str) -> Option<String>,
) -> Result<Subject<'n>, SubjectError> {
    let name = node.text_of("resourceType").ok_or(SubjectError::NotAResource)?;
    super::schema::schema().resource(name).ok_or(SubjectError::NotAResource)?;
    let own = if name == "Patient" { Subject::Itself } else { named(node, name, type_of)? };
    // SL-13: what is contained must be about the same patient, or about nobody.
    for contained in node.get("contained").map_or(&[][..], Node::items) {
        let kind = contained.text_of("resourceType").ok_or(SubjectError::NotAResource)?;
        if kind == "Patient" {
            return Err(SubjectError::Several);
        }
        match named(contained, kind, type_of) {
            Ok(Subject::Of("#")) if own == Subject::Itself => {}
            Ok(Subject::Of(text)) if own != Subject::Of(text) => return Err(SubjectError::Several),
            Ok(_) | Err(SubjectError::Missing) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(own)
}

fn named<'n>(
    node: &'n Node<'_>,
    name: &str,
    type_of: &dyn Fn(&str) -> Option<String>,
) -> Result<Subject<'n>, SubjectError> {
    let Some((_, path)) = SUBJECTS.iter().find(|(t, _)| *t == name) else {
        // A type of the compartment that the table forgot must not become nobody's.
        let denied = UNTELLABLE.contains(&name) || is_in_patient_compartment(name);
        return if denied { Err(SubjectError::Missing) } else { Ok(Subject::Nobody) };
    };
    let (mixed, optional) = (path.starts_with('*'), path.starts_with('?'));
    let mut found: Option<&'n str> = None;
    for reference in at(node, path.trim_start_matches(['*', '?'])) {
        let Some(text) = reference.text_of("reference") else {
            if mixed || optional {
                continue;
            }
            return Err(SubjectError::Missing);
        };
        // A contained subject has no identity that anyone else could know; `#` alone is the container.
        if text.len() > 1 && text.starts_with('#') {
            return Err(SubjectError::NotAPatient);
        }
        let kind = kind_of(reference, text, type_of);
        if kind.as_deref().is_some_and(|k| k != "Patient") {
            if mixed || optional {
                continue;
            }
            return Err(SubjectError::NotAPatient);
        }
        if found.is_some_and(|f| f != text) {
            return Err(SubjectError::Several);
        }
        found = Some(text);
    }
    match found {
        Some(text) => Ok(Subject::Of(text)),
        None if optional => Ok(Subject::Nobody),
        None => Err(SubjectError::Missing),
    }
}

/// The type a reference points to: what it resolves to, else what its text shows, else what it claims.
fn kind_of(reference: &Node<'_>, text: &str, type_of: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    type_of(text).or_else(|| type_in(text).map(str::to_owned)).or_else(|| reference.text_of("type").map(str::to_owned))
}

/// The resource type that the text of a reference shows.
pub(super) fn type_in(reference: &str) -> Option<&str> {
    let plain = reference.split_once("/_history/").map_or(reference, |(r, _)| r);
    let (before, _) = plain.rsplit_once('/')?;
    let name = before.rsplit('/').next()?;
    super::schema::schema().resource(name).map(|(_, t)| t.name)
}

#[cfg(test)]
mod tests {
    use super::super::schema::schema;
    use super::*;

    #[test]
    fn every_type_of_the_compartment_has_a_subject_that_the_definitions_know() {
        for name in super::super::resource_types().filter(|t| *t != "Patient" && is_in_patient_compartment(t)) {
            assert!(SUBJECTS.iter().any(|(t, path)| *t == name && !path.starts_with('?')), "{name}");
        }
        for (name, path) in SUBJECTS {
            let (mut id, _) = schema().resource(name).unwrap();
            for step in path.trim_start_matches(['*', '?']).split('.') {
                let field = schema().ty(id).unwrap().field(step).unwrap_or_else(|| panic!("{name}.{path}"));
                if let super::super::schema::Shape::Complex(below) = field.shape {
                    id = below;
                }
            }
            assert_eq!(id, schema().reference, "{name}.{path}");
        }
    }
}
