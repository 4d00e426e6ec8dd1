//! Foreign Consents: what they may ask, and what is refused (PC-07, CO-01 to CO-08, CO-14).

use serde_json::{Value, json};

use crate::fhir::validate;
use crate::json::{Limits, parse};
use crate::model::{Confidentiality, Grantee, Terms};
use crate::projection::pcf::{Asked, Unaskable, read};

const BASE: &str = "https://garant.example/fhir";

fn coding(system: &str, code: &str) -> Value {
    json!({ "system": format!("http://terminology.hl7.org/CodeSystem/{system}"), "code": code })
}

fn actor(reference: &str) -> Value {
    json!([{ "role": { "coding": [coding("v3-ParticipationType", "IRCP")] }, "reference": { "reference": reference } }])
}

fn organization() -> String {
    format!("Organization/{}", "1".repeat(24) + "00")
}

fn consent() -> Value {
    let patient = format!("Patient/{}", "0".repeat(26));
    json!({
        "resourceType": "Consent", "status": "proposed",
        "scope": { "coding": [coding("consentscope", "patient-privacy")] },
        "category": [{ "coding": [{ "system": "http://loinc.org", "code": "59284-0" }] }],
        "patient": { "reference": patient }, "dateTime": "2026-03-01T09:00:00+01:00",
        "performer": [{ "reference": patient }], "organization": [{ "reference": "Organization/store" }],
        "sourceReference": { "reference": "DocumentReference/x" }, "policy": [{ "uri": "urn:x" }],
        "provision": {
            "type": "permit", "period": { "start": "2026-03-01", "end": "2026-06-01" },
            "actor": actor(&organization()), "purpose": [coding("v3-ActReason", "TREAT")],
        },
    })
}

fn asked(consent: &Value) -> Result<Asked, Unaskable> {
    let text = consent.to_string();
    read(&parse(text.as_bytes(), Limits::FHIR).unwrap(), BASE)
}

fn with(path: &str, value: Value) -> Value {
    let mut consent = consent();
    let (parent, name) = path.rsplit_once('/').unwrap();
    consent.pointer_mut(parent).unwrap()[name] = value;
    consent
}

fn terms(consent: &Value) -> Vec<Terms> {
    asked(consent).unwrap().terms
}

#[test]
fn a_pcf_consent_asks_for_exactly_what_it_says() {
    let [one] = terms(&consent()).try_into().unwrap();
    assert_eq!(one.grantee, organization().replace("Organization", "organisation").parse::<Grantee>().unwrap());
    assert_eq!(one.confidentiality, Confidentiality::V, "no restriction is no restriction");
    assert_eq!(one.valid.from.to_rfc3339(), "2026-03-01T00:00:00.000Z");
    assert_eq!(one.valid.to.to_rfc3339(), "2026-06-02T00:00:00.000Z", "CO-06: the end covers its whole day");
    let years = with("/provision/dataPeriod", json!({ "start": "2022", "end": "2022-12-31" }));
    let [one] = terms(&years).try_into().unwrap();
    assert_eq!(one.authored.from.to_rfc3339(), "2022-01-01T00:00:00.000Z");
    assert_eq!(one.authored.to.to_rfc3339(), "2023-01-01T00:00:00.000Z");
    let labels = json!([coding("v3-Confidentiality", "N"), coding("v3-Confidentiality", "R")]);
    assert_eq!(terms(&with("/provision/securityLabel", labels))[0].confidentiality, Confidentiality::R);
    let except = |code: Value| with("/provision/provision", json!([{ "type": "deny", "securityLabel": [code] }]));
    let below = terms(&except(coding("v3-Confidentiality", "R")));
    assert_eq!(below[0].confidentiality, Confidentiality::N, "CO-05b: deny R is R and above");
    let without = terms(&except(coding("v3-ActCode", "SDV")));
    assert!(without[0].sensitivity.iter().all(|s| s.code() != "SDV"));
    assert!(without[0].sensitivity.iter().any(|s| s.code() == "HIV"));
    let absolute = with("/patient", json!({ "reference": format!("{BASE}/Patient/{}", "0".repeat(26)) }));
    assert_eq!(asked(&absolute).unwrap().patient, asked(&consent()).unwrap().patient);
}

#[test]
fn pc_07_each_violation_is_refused() {
    let elsewhere = json!([{ "meaning": "instance", "reference": { "reference": "Observation/o1" } }]);
    let own = actor(&organization());
    let nested = |rule: Value| with("/provision/provision", json!([rule]));
    let mut role = own.clone();
    role[0]["role"]["coding"][0]["code"] = "CST".into();
    let cases = [
        ("verification", with("/verification", json!([{ "verified": true }]))),
        ("action", with("/provision/action", json!([{ "text": "x" }]))),
        ("class", with("/provision/class", json!([{ "code": "Observation" }]))),
        ("code", with("/provision/code", json!([{ "text": "x" }]))),
        ("instances", with("/provision/data", elsewhere.clone())),
        ("nested instances", nested(json!({ "type": "deny", "data": elsewhere }))),
        ("nested period", nested(json!({ "type": "deny", "dataPeriod": { "start": "2022", "end": "2022" } }))),
        ("deep", nested(json!({ "type": "permit", "actor": own, "provision": [{ "type": "deny" }] }))),
        ("nothing to lift", nested(json!({ "type": "permit", "actor": own }))),
        ("nested without a sign", nested(json!({ "actor": own }))),
        ("empty exception", nested(json!({ "type": "deny" }))),
        ("role", with("/provision/actor", role)),
        ("no actor", with("/provision/actor", Value::Null)),
        ("stranger", with("/provision/actor", actor("PractitionerRole/pr9"))),
        ("no purpose", with("/provision/purpose", Value::Null)),
        ("purpose", with("/provision/purpose", json!([coding("v3-ActReason", "FooBar")]))),
        ("label", with("/provision/securityLabel", json!([coding("v3-ActCode", "PSY")]))),
        ("a label nobody knows", with("/provision/securityLabel", json!([coding("v3-ActCode", "NOPE")]))),
        ("no end", with("/provision/period", json!({ "start": "2026-03-01" }))),
        ("no period", with("/provision/period", Value::Null)),
        ("no sign", with("/provision/type", Value::Null)),
        ("refusal", with("/provision/type", json!("deny"))),
        ("extension", with("/provision/extension", json!([{ "url": "urn:x", "valueBoolean": true }]))),
        ("no provision", with("/provision", Value::Null)),
        ("no performer", with("/performer", Value::Null)),
        ("another performer", with("/performer", json!([{ "reference": "RelatedPerson/r" }]))),
        ("no organization", with("/organization", Value::Null)),
        ("no source", with("/sourceReference", Value::Null)),
        ("no policy", with("/policy", Value::Null)),
        ("no date", with("/dateTime", Value::Null)),
        ("nobody's", with("/patient", json!({ "reference": "Patient/x" }))),
        ("over", with("/status", json!("inactive"))),
        ("status", with("/status", json!("nonsense"))),
        ("no scope", with("/scope", Value::Null)),
        ("no category", with("/category", Value::Null)),
    ];
    assert!(asked(&consent()).is_ok());
    for (what, mut consent) in cases {
        strip(&mut consent);
        assert!(asked(&consent).is_err(), "{what}");
    }
}

/// A member set to null is one that is not there.
fn strip(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, inner| !inner.is_null());
        members.values_mut().for_each(strip);
    }
}

#[test]
fn the_consent_of_these_tests_is_valid_r4() {
    let text = consent().to_string();
    assert_eq!(validate(&parse(text.as_bytes(), Limits::FHIR).unwrap()), []);
}
