//! What is valid, what is not, and where the finding points.

use super::tree;
use proptest::prelude::*;

use super::envelope;
use crate::fhir::{Bundle, Code, ContentFacts, Edit, Links, MOST_ISSUES, extract, outcome, subject, validate};
use crate::json::{Limits, parse};

const XHTML: &str = r#"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"#;

fn valid() -> Vec<String> {
    [
        r#"{"resourceType":"Patient","name":[{"family":"A","given":["B","C"],"_given":[null,{"extension":[{"url":"http://x","valueString":"y"}]}]}],"birthDate":"1970-03"}"#,
        r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x","valueCode":"unknown"}]},"deceasedBoolean":false}"#,
        r#"{"resourceType":"Patient","name":[{"given":[null,"B"],"_given":[{"id":"g"},null]}]}"#,
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50,"comparator":"<"},"effectiveDateTime":"2024-02-29T10:00:00.123+02:00"}"#,
        r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]}}"#,
        r##"{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"Patient/1"},"contained":[{"resourceType":"Medication","id":"m"}],"medicationReference":{"reference":"#m"},"dosageInstruction":[{"timing":{"repeat":{"frequency":1,"period":1,"periodUnit":"d"}}}]}"##,
        r#"{"resourceType":"QuestionnaireResponse","status":"completed","item":[{"linkId":"1","item":[{"linkId":"1.1","answer":[{"valueInteger":-3}]}]}]}"#,
        r#"{"resourceType":"Binary","contentType":"application/pdf","securityContext":{"reference":"Patient/1"},"data":"JVBERi0="}"#,
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Parameters","parameter":[{"name":"x","valueDecimal":1E-3}]}}]}"#,
        r#"{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"http://x","extension":[{"url":"y","valueBoolean":true}]}]}"#,
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!(r#"{{"resourceType":"Patient","text":{{"status":"generated","div":"{XHTML}"}}}}"#)])
    .collect()
}

#[test]
fn valid_resources_are_accepted() {
    for text in valid() {
        assert_eq!(validate(&tree(&text)), [], "{text}");
    }
}

/// Each with where the first finding points and its kind.
const INVALID: &[(&str, &str, Code)] = &[
    (r"[]", "Resource", Code::Structure),
    (r#"{"a":1}"#, "Resource", Code::Required),
    (r#"{"resourceType":"Quantity"}"#, "Resource", Code::Structure),
    (r#"{"resourceType":"patient"}"#, "Resource", Code::Structure),
    (r#"{"resourceType":"SubscriptionStatus"}"#, "Resource", Code::Structure),
    (r#"{"resourceType":"Patient","height":1}"#, "Patient.height", Code::Structure),
    (r#"{"resourceType":"Patient","a b":1}"#, "Patient", Code::Structure),
    (r#"{"resourceType":"Patient","id":"a b"}"#, "Patient.id", Code::Value),
    (r#"{"resourceType":"Patient","id":"a","_id":{"id":"x"}}"#, "Patient._id", Code::Structure),
    (r#"{"resourceType":"Patient","name":{"family":"A"}}"#, "Patient.name", Code::Structure),
    (r#"{"resourceType":"Patient","gender":["male"]}"#, "Patient.gender", Code::Structure),
    (r#"{"resourceType":"Patient","gender":"Male"}"#, "Patient.gender", Code::CodeInvalid),
    (r#"{"resourceType":"Patient","name":[]}"#, "Patient.name", Code::Structure),
    (r#"{"resourceType":"Patient","name":[{}]}"#, "Patient.name[0]", Code::Structure),
    (r#"{"resourceType":"Patient","name":[null]}"#, "Patient.name[0]", Code::Structure),
    (r#"{"resourceType":"Patient","name":[{"given":[null]}]}"#, "Patient.name[0].given[0]", Code::Structure),
    (
        r#"{"resourceType":"Patient","name":[{"given":["a"],"_given":[null]}]}"#,
        "Patient.name[0].given",
        Code::Structure,
    ),
    (
        r#"{"resourceType":"Patient","name":[{"given":["a","b"],"_given":[{"id":"x"}]}]}"#,
        "Patient.name[0].given",
        Code::Structure,
    ),
    (r#"{"resourceType":"Patient","gender":null}"#, "Patient.gender", Code::Structure),
    (r#"{"resourceType":"Patient","active":"true"}"#, "Patient.active", Code::Structure),
    (r#"{"resourceType":"Patient","birthDate":"2023-02-29"}"#, "Patient.birthDate", Code::Value),
    (r#"{"resourceType":"Patient","birthDate":""}"#, "Patient.birthDate", Code::Value),
    (
        r#"{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}"#,
        "Patient.deceasedDateTime",
        Code::Structure,
    ),
    (
        r#"{"resourceType":"Patient","deceasedBoolean":true,"_deceasedDateTime":{"id":"x"}}"#,
        "Patient.deceasedDateTime",
        Code::Structure,
    ),
    (r#"{"resourceType":"Patient","meta":{"lastUpdated":"2024-01-01"}}"#, "Patient.meta.lastUpdated", Code::Value),
    (
        r#"{"resourceType":"Patient","modifierExtension":[{"url":"http://x","valueBoolean":true}]}"#,
        "Patient.modifierExtension",
        Code::Extension,
    ),
    (r#"{"resourceType":"Patient","extension":[{"url":"http://x"}]}"#, "Patient.extension[0]", Code::Invariant),
    (r#"{"resourceType":"Patient","extension":[{"valueString":"x"}]}"#, "Patient.extension[0].url", Code::Required),
    (
        r#"{"resourceType":"Patient","meta":{"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-has-inline-sec-label","valueBoolean":true}]}}"#,
        "Patient.meta.extension[0]",
        Code::Extension,
    ),
    (
        r#"{"resourceType":"Patient","text":{"status":"generated","div":"<p>x</p>"}}"#,
        "Patient.text.div",
        Code::Invariant,
    ),
    (
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Patient","id":"b"}]}]}"#,
        "Patient.contained[0].contained",
        Code::Invariant,
    ),
    (
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a","meta":{"versionId":"1"}}]}"#,
        "Patient.contained[0].meta.versionId",
        Code::Invariant,
    ),
    (
        r#"{"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a","meta":{"security":[{"code":"R"}]}}]}"#,
        "Patient.contained[0].meta.security",
        Code::Invariant,
    ),
    (r#"{"resourceType":"Observation","code":{"text":"x"}}"#, "Observation.status", Code::Required),
    (
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":"1"}}"#,
        "Observation.valueQuantity.value",
        Code::Structure,
    ),
    (
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueInteger":1.0}"#,
        "Observation.valueInteger",
        Code::Value,
    ),
    (
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1e400}}"#,
        "Observation.valueQuantity.value",
        Code::Value,
    ),
    (
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"issued":"2024-01-01T10:00:00"}"#,
        "Observation.issued",
        Code::Value,
    ),
    (
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"component":[{"valueString":"x"}]}"#,
        "Observation.component[0].code",
        Code::Required,
    ),
    (
        r#"{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"a"}}"#,
        "MedicationRequest.medication[x]",
        Code::Required,
    ),
    (
        r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://other","code":"active"}]}}"#,
        "Condition.clinicalStatus",
        Code::CodeInvalid,
    ),
    (
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","x":1}}]}"#,
        "Bundle.entry[0].resource.x",
        Code::Structure,
    ),
    (r#"{"resourceType":"Binary","contentType":"application/pdf","data":"*"}"#, "Binary.data", Code::Value),
    (
        r#"{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"linkId":"2","type":"other"}]}]}"#,
        "Questionnaire.item[0].item[0].type",
        Code::CodeInvalid,
    ),
];

#[test]
fn invalid_resources_are_refused_and_the_first_finding_points_to_the_fault() {
    for (text, expression, code) in INVALID {
        let issues = validate(&tree(text));
        let first = issues.first().unwrap_or_else(|| panic!("accepted: {text}"));
        assert_eq!((first.expression.as_str(), first.code), (*expression, *code), "{text}");
    }
}

#[test]
fn findings_are_bounded_and_never_quote_a_value() {
    let many = format!(r#"{{"resourceType":"Patient","name":[{}{{}}]}}"#, "{},".repeat(10_000));
    assert_eq!(validate(&tree(&many)).len(), MOST_ISSUES);
    let secret = r#"{"resourceType":"Patient","gender":"SECRET","birthDate":"SECRET","SECRET SECRET":1,"name":[{"use":"SECRET"}]}"#;
    let issues = validate(&tree(secret));
    assert_eq!(issues.len(), 4);
    assert!(!outcome::of_issues(&issues).contains("SECRET"));
}

#[test]
fn an_outcome_is_itself_a_valid_resource() {
    let issues = validate(&tree(r#"{"resourceType":"Patient","name":[{}],"x":1}"#));
    assert_eq!(validate(&tree(&outcome::of_issues(&issues))), []);
    assert_eq!(validate(&tree(&outcome::of_one(Code::Conflict, "version is \"not\" current"))), []);
}

#[test]
fn a_stamped_resource_is_as_valid_as_before() {
    for text in valid() {
        let node = tree(&text);
        let mut edit = Edit::new();
        edit.stamp(&node, &envelope("p.r")).unwrap();
        edit.rewrite(&node, &Links::new(), None).unwrap();
        let out = edit.apply(&text, node.span).unwrap();
        assert_eq!(validate(&tree(&out)), [], "{out}");
    }
}

proptest! {
    #[test]
    fn no_broken_resource_makes_the_room_panic(
        which in 0usize..11,
        cuts in proptest::collection::vec((0usize..400, 0usize..8, "[\\[\\]{}\",:0-9a-zé#?\\\\ ]{0,4}"), 1..4),
    ) {
        let mut text = valid()[which].clone();
        for (at, len, new) in cuts {
            let (start, end) = (at.min(text.len()), (at + len).min(text.len()));
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                text.replace_range(start..end, &new);
            }
        }
        if let Ok(node) = parse(text.as_bytes(), Limits::FHIR) {
            let issues = validate(&node);
            prop_assert!(issues.len() <= MOST_ISSUES);
            let _values = extract(&node).to_bytes();
            let _facts = ContentFacts::read(&node);
            let _whose = subject(&node);
            let _bundle = Bundle::read(&text, &node);
            let mut edit = Edit::new();
            if edit.stamp(&node, &envelope("x")).is_ok() && edit.rewrite(&node, &Links::new(), None).is_ok() && issues.is_empty() {
                let out = edit.apply(&text, node.span);
                prop_assert!(out.is_ok_and(|o| parse(o.as_bytes(), Limits::FHIR).is_ok()));
            }
        }
    }
}
