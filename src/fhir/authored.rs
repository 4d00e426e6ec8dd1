//! When the content of a resource was authored or observed, by type.

use super::moment;
use super::resource::at;
use crate::json::Node;
use crate::model::Period;

/// The elements that date a resource, in order; the first that is there counts.
const DATES: &[(&str, &[&str])] = &[
    ("AdverseEvent", &["date", "detected", "recordedDate"]),
    ("AllergyIntolerance", &["recordedDate", "onsetDateTime", "onsetPeriod"]),
    ("Appointment", &["start", "created"]),
    ("CarePlan", &["period", "created"]),
    ("CareTeam", &["period"]),
    ("ChargeItem", &["occurrenceDateTime", "occurrencePeriod", "enteredDate"]),
    ("Claim", &["created", "billablePeriod"]),
    ("ClaimResponse", &["created"]),
    ("ClinicalImpression", &["effectiveDateTime", "effectivePeriod", "date"]),
    ("Communication", &["sent", "received"]),
    ("CommunicationRequest", &["authoredOn"]),
    ("Composition", &["date"]),
    ("Condition", &["recordedDate", "onsetDateTime", "onsetPeriod"]),
    ("Consent", &["dateTime"]),
    ("Coverage", &["period"]),
    ("DetectedIssue", &["identifiedDateTime", "identifiedPeriod"]),
    ("DeviceRequest", &["authoredOn"]),
    ("DeviceUseStatement", &["recordedOn", "timingDateTime", "timingPeriod"]),
    ("DiagnosticReport", &["effectiveDateTime", "effectivePeriod", "issued"]),
    ("DocumentManifest", &["created"]),
    ("DocumentReference", &["date", "context.period"]),
    ("Encounter", &["period"]),
    ("EpisodeOfCare", &["period"]),
    ("ExplanationOfBenefit", &["created", "billablePeriod"]),
    ("FamilyMemberHistory", &["date"]),
    ("Flag", &["period"]),
    ("Goal", &["startDate", "statusDate"]),
    ("ImagingStudy", &["started"]),
    ("Immunization", &["occurrenceDateTime", "recorded"]),
    ("ImmunizationEvaluation", &["date"]),
    ("ImmunizationRecommendation", &["date"]),
    ("Invoice", &["date"]),
    ("List", &["date"]),
    ("MeasureReport", &["date", "period"]),
    ("Media", &["createdDateTime", "createdPeriod", "issued"]),
    ("MedicationAdministration", &["effectiveDateTime", "effectivePeriod"]),
    ("MedicationDispense", &["whenHandedOver", "whenPrepared"]),
    ("MedicationRequest", &["authoredOn"]),
    ("MedicationStatement", &["dateAsserted", "effectiveDateTime", "effectivePeriod"]),
    ("NutritionOrder", &["dateTime"]),
    ("Observation", &["effectiveDateTime", "effectiveInstant", "effectivePeriod", "issued"]),
    ("PaymentNotice", &["created"]),
    ("PaymentReconciliation", &["created"]),
    ("Procedure", &["performedDateTime", "performedPeriod"]),
    ("Provenance", &["recorded"]),
    ("QuestionnaireResponse", &["authored"]),
    ("RequestGroup", &["authoredOn"]),
    ("RiskAssessment", &["occurrenceDateTime", "occurrencePeriod"]),
    ("ServiceRequest", &["authoredOn", "occurrenceDateTime", "occurrencePeriod"]),
    ("Specimen", &["collection.collectedDateTime", "collection.collectedPeriod", "receivedTime"]),
    ("Task", &["authoredOn", "lastModified"]),
    ("VisionPrescription", &["dateWritten", "created"]),
];

/// A period ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reversed;

/// When `node` was authored; `None` when it does not say.
pub(super) fn read(node: &Node<'_>) -> Result<Option<Period>, Reversed> {
    let name = node.text_of("resourceType").unwrap_or_default();
    let Some((_, paths)) = DATES.iter().find(|(t, _)| *t == name) else { return Ok(None) };
    for path in *paths {
        if let Some(found) = at(node, path).first().and_then(|n| stretch(n)) {
            return if found.from <= found.to { Ok(Some(found)) } else { Err(Reversed) };
        }
    }
    Ok(None)
}

/// The stretch of a date, dateTime, instant or Period; an end that is not given is open.
pub(super) fn stretch(node: &Node<'_>) -> Option<Period> {
    if let Some(text) = node.as_str() {
        return moment::date_time(text);
    }
    let end = |name| node.text_of(name).and_then(moment::date_time);
    let (start, end) = (end("start"), end("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    let from = start.map_or(Period::ALWAYS.from, |p| p.from);
    Some(Period { from, to: end.map_or(Period::ALWAYS.to, |p| p.to) })
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Shape, schema};
    use super::*;

    #[test]
    fn every_dating_element_exists_in_the_definitions() {
        for (name, paths) in DATES {
            for path in *paths {
                let mut at = schema().resource(name).unwrap().0;
                for step in path.split('.') {
                    let field = schema().ty(at).unwrap().field(step).unwrap_or_else(|| panic!("{name}.{path}"));
                    if let Shape::Complex(id) = field.shape {
                        at = id;
                    }
                }
            }
        }
    }
}
