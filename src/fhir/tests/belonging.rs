//! Whose a resource is, and what a decision may know of it.

use super::tree;
use crate::clock::Timestamp;
use crate::fhir::{ContentFacts, FactsError, LabelError, Subject, SubjectError, subject, subject_resolved};
use crate::model::{Confidentiality, RecordClass};

#[test]
fn a_resource_belongs_to_its_subject_and_to_no_other_patient_it_names() {
    let cases: &[(&str, Result<Subject<'_>, SubjectError>)] = &[
        (r#"{"resourceType":"Patient"}"#, Ok(Subject::Itself)),
        (
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a"},"performer":[{"reference":"Patient/b"}]}"#,
            Ok(Subject::Of("Patient/a")),
        ),
        (
            r#"{"resourceType":"Coverage","beneficiary":{"reference":"urn:uuid:1"},"payor":[{"reference":"Patient/b"}]}"#,
            Ok(Subject::Of("urn:uuid:1")),
        ),
        (r#"{"resourceType":"Practitioner"}"#, Ok(Subject::Nobody)),
        (r#"{"resourceType":"Medication"}"#, Ok(Subject::Nobody)),
        (r#"{"resourceType":"Device"}"#, Ok(Subject::Nobody)),
        (r#"{"resourceType":"Device","patient":{"reference":"Patient/a"}}"#, Ok(Subject::Of("Patient/a"))),
        (r#"{"resourceType":"Binary","securityContext":{"reference":"Patient/a"}}"#, Ok(Subject::Of("Patient/a"))),
        (r#"{"resourceType":"Binary"}"#, Err(SubjectError::Missing)),
        (r#"{"resourceType":"Bundle"}"#, Err(SubjectError::Missing)),
        (r#"{"resourceType":"PaymentNotice"}"#, Err(SubjectError::Missing)),
        (r#"{"resourceType":"Observation"}"#, Err(SubjectError::Missing)),
        (r#"{"resourceType":"Observation","subject":{"identifier":{"value":"x"}}}"#, Err(SubjectError::Missing)),
        (r#"{"resourceType":"Observation","subject":{"reference":"Group/g"}}"#, Err(SubjectError::NotAPatient)),
        (
            r#"{"resourceType":"Observation","subject":{"reference":"urn:uuid:1","type":"Device"}}"#,
            Err(SubjectError::NotAPatient),
        ),
        (
            r##"{"resourceType":"Observation","subject":{"reference":"#p"},"contained":[{"resourceType":"Patient","id":"p"}]}"##,
            Err(SubjectError::NotAPatient),
        ),
        (
            r#"{"resourceType":"Account","subject":[{"reference":"Patient/a"},{"reference":"Patient/b"}]}"#,
            Err(SubjectError::Several),
        ),
        (
            r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Practitioner/x"}},{"actor":{"reference":"Patient/a"}}]}"#,
            Ok(Subject::Of("Patient/a")),
        ),
        (
            r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/b"}},{"actor":{"reference":"Patient/a"}}]}"#,
            Err(SubjectError::Several),
        ),
        (
            r#"{"resourceType":"Group","member":[{"entity":{"reference":"Patient/b"}},{"entity":{"reference":"Patient/a"}}]}"#,
            Err(SubjectError::Several),
        ),
        (
            r#"{"resourceType":"DiagnosticReport","subject":{"reference":"Patient/a"},"contained":[{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/b"}}]}"#,
            Err(SubjectError::Several),
        ),
        (
            r#"{"resourceType":"DiagnosticReport","subject":{"reference":"Patient/a"},"contained":[{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/a"}},{"resourceType":"Practitioner","id":"d"}]}"#,
            Ok(Subject::Of("Patient/a")),
        ),
        (r#"{"resourceType":"Nonsense"}"#, Err(SubjectError::NotAResource)),
    ];
    for (text, expected) in cases {
        assert_eq!(subject(&tree(text)), *expected, "{text}");
    }
}

#[test]
fn a_reference_that_resolves_to_something_else_is_not_a_patient() {
    let node = tree(r#"{"resourceType":"Observation","subject":{"reference":"urn:uuid:1","type":"Patient"}}"#);
    assert_eq!(subject_resolved(&node, &|_| Some("Group".into())), Err(SubjectError::NotAPatient));
    assert_eq!(subject_resolved(&node, &|_| Some("Patient".into())), Ok(Subject::Of("urn:uuid:1")));
}

fn facts(inner: &str) -> Result<ContentFacts, FactsError> {
    ContentFacts::read(&tree(&format!("{{\"resourceType\":{inner}}}")))
}

fn labelled(labels: &str) -> Result<(Confidentiality, Vec<&'static str>), FactsError> {
    let facts = facts(&format!("\"Observation\",\"meta\":{{\"security\":[{labels}]}}"))?;
    Ok((facts.confidentiality, facts.sensitivities.iter().map(crate::model::Sensitivity::code).collect()))
}

#[test]
fn labels_are_read_strictly_and_only_ever_raise_protection() {
    let conf =
        |c: &str| format!(r#"{{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"{c}"}}"#);
    let act = |c: &str| format!(r#"{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{c}"}}"#);
    let test = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HTEST"}"#;
    assert_eq!(labelled(test), Ok((Confidentiality::N, vec![])));
    assert_eq!(labelled(&conf("V")), Ok((Confidentiality::V, vec![])));
    assert_eq!(labelled(&format!("{},{}", conf("N"), act("PSY"))), Ok((Confidentiality::R, vec!["PSY"])));
    assert_eq!(labelled(&format!("{},{}", act("PSY"), act("HIV"))), Ok((Confidentiality::R, vec!["HIV", "PSY"])));
    assert_eq!(labelled(&format!("{},{}", conf("V"), act("HIV"))), Ok((Confidentiality::V, vec!["HIV"])));
    assert_eq!(labelled(&act("NORDSCLCD")), Ok((Confidentiality::N, vec![])));
    let label = |e| Err(FactsError::Label(e));
    assert_eq!(labelled(&format!("{},{}", conf("N"), conf("R"))), label(LabelError::SeveralConfidentialities));
    for unknown in [
        conf("X"),
        act("NONSENSE"),
        act("CEL"),
        r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"X"}"#.into(),
    ] {
        assert_eq!(labelled(&unknown), label(LabelError::UnknownCode), "{unknown}");
    }
    assert_eq!(labelled(r#"{"code":"R"}"#), label(LabelError::NoSystem));
    let document = facts(&format!(r#""DocumentReference","securityLabel":[{{"coding":[{}]}}]"#, conf("R"))).unwrap();
    assert_eq!(document.confidentiality, Confidentiality::R);
}

#[test]
fn only_bare_proof_of_reimbursement_is_not_medical() {
    let class = |inner: &str| facts(inner).unwrap().class;
    assert_eq!(class(r#""ExplanationOfBenefit","total":[]"#), RecordClass::Reimbursement);
    assert_eq!(class(r#""Coverage","status":"active""#), RecordClass::Reimbursement);
    assert_eq!(class(r#""Observation""#), RecordClass::Medical);
    for member in ["diagnosis", "procedure", "supportingInfo", "contained", "prescription", "careTeam", "text"] {
        assert_eq!(class(&format!(r#""ExplanationOfBenefit","{member}":[{{}}]"#)), RecordClass::Medical, "{member}");
    }
    assert_eq!(class(r#""ExplanationOfBenefit","item":[{"x":{"diagnosis":1}}]"#), RecordClass::Medical);
}

#[test]
fn a_record_is_dated_by_what_its_type_says_in_full_stretches_of_time() {
    let authored = |inner: &str| facts(inner).unwrap().authored.map(|p| (p.from, p.to));
    let at = |t: &str| Timestamp::from_rfc3339(t).unwrap();
    let year = Some((at("2024-01-01T00:00:00Z"), Timestamp(at("2025-01-01T00:00:00Z").0 - 1)));
    assert_eq!(authored(r#""Observation","effectiveDateTime":"2024","issued":"2020-01-01T00:00:00Z""#), year);
    assert_eq!(authored(r#""Condition","onsetDateTime":"2024""#), year);
    assert_eq!(authored(r#""DocumentReference","context":{"period":{"start":"2024-01","end":"2024-12"}}"#), year);
    assert_eq!(
        authored(r#""Encounter","period":{"start":"2024"}"#),
        Some((at("2024-01-01T00:00:00Z"), Timestamp(i64::MAX)))
    );
    assert_eq!(authored(r#""Observation""#), None);
    assert_eq!(authored(r#""Practitioner","birthDate":"2024""#), None);
    let reversed = facts(r#""Encounter","period":{"start":"2024","end":"2023"}"#);
    assert_eq!(reversed, Err(FactsError::ReversedPeriod));
}

#[test]
fn categories_and_document_types_are_sorted_codings() {
    let got = facts(r#""DiagnosticReport","category":[{"coding":[{"system":"s","code":"b"},{"code":"a"}]}],"code":{"coding":[{"system":"l","code":"1"}]}"#).unwrap();
    let words = |c: &[crate::model::Coding]| c.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(words(&got.categories), ["|a", "s|b"]);
    assert_eq!(words(&got.document_types), ["l|1"]);
}
