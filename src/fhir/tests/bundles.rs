//! Bundles taken apart, and resources edited without touching any other byte.

use proptest::prelude::*;

use super::{envelope, tree};
use crate::clock::Timestamp;
use crate::fhir::bundle::{BadBundle, BundleKind, Method};
use crate::fhir::searchset::{Head, Match, Mode, searchset};
use crate::fhir::{
    BadEdit, BadLink, Bundle, Code, Edit, Links, Resource, capability, outcome, resource_types, validate,
};
use crate::json::Span;
use crate::model::{Coding, Confidentiality};

fn stamped(text: &str, level: Confidentiality, labels: &[Coding]) -> String {
    let node = tree(text);
    let mut edit = Edit::new();
    edit.stamp(&node, &crate::fhir::Envelope { confidentiality: level, labels, ..envelope("p.r") }).unwrap();
    edit.apply(text, node.span).unwrap()
}

#[test]
fn what_the_client_says_of_id_version_and_moment_is_replaced_and_the_rest_stays_to_the_byte() {
    let text = "{ \"resourceType\" : \"Observation\",\n \"id\":\"mine\", \"meta\": {\"versionId\":\"9\" , \"lastUpdated\":\"1999-01-01T00:00:00Z\",\"tag\":[{\"code\":\"t\"}]},\"valueQuantity\":{\"value\":1.50}}";
    let got = stamped(text, Confidentiality::N, &[]);
    let label = r#""security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}],"#;
    let expected = text
        .replace("\"mine\"", "\"p.r\"")
        .replace("\"9\"", "\"3\"")
        .replace("1999-01-01T00:00:00Z", "2026-09-21T14:13:20.000Z")
        .replace("{\"versionId", &format!("{{{label}\"versionId"));
    assert_eq!(got, expected);
    let node = tree(&got);
    let resource = Resource::of(&node);
    assert_eq!((resource.id(), resource.version_id()), (Some("p.r"), Some("3")));
    assert_eq!(resource.last_updated(), Some(Timestamp::from_secs(1_790_000_000)));
}

#[test]
fn labels_are_added_raised_and_otherwise_kept() {
    let bare = stamped(r#"{"resourceType":"Observation"}"#, Confidentiality::R, &[]);
    assert_eq!(Resource::of(&tree(&bare)).security().len(), 1);
    let psy = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}"#;
    let low = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N","display":"normal"}"#;
    let text = format!(r#"{{"resourceType":"Observation","meta":{{"security":[{psy},{low}]}}}}"#);
    let patast =
        Coding { system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue".into(), code: "PATAST".into() };
    let got = stamped(&text, Confidentiality::R, std::slice::from_ref(&patast));
    let labels: Vec<_> = Resource::of(&tree(&got)).security().into_iter().map(|c| c.code).collect();
    assert_eq!(labels, ["PATAST", "PSY", "R"]);
    assert!(got.contains(psy) && !got.contains("normal"));
    let again = stamped(&got, Confidentiality::R, &[patast]);
    assert_eq!(again, got, "the same stamp twice changes nothing");
}

const ENTRIES: &str = r#"{"resourceType":"Bundle","type":"transaction","entry":[
 {"fullUrl":"urn:uuid:a","resource":{"resourceType":"Patient","name":[{"family":"é  A"}]},"request":{"method":"POST","url":"Patient"}},
 {"fullUrl":"http://h/fhir/DocumentReference/9","resource":{"resourceType":"DocumentReference","status":"current","subject":{"reference":"urn:uuid:a"},
  "relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/9"}},{"code":"replaces","target":{"reference":"DocumentReference/elsewhere"}}],
  "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"urn:uuid:b\">b</a> urn:uuid:b</div>"},
  "meta":{"profile":["urn:uuid:b"]},"content":[{"attachment":{"url":"urn:uuid:b","title":"urn:uuid:b"}}]},"request":{"method":"POST","url":"DocumentReference"}},
 {"fullUrl":"urn:uuid:b","resource":{"resourceType":"Binary","contentType":"text/plain","data":"AA==","securityContext":{"reference":"urn:uuid:a"}},"request":{"method":"POST","url":"Binary","ifNoneExist":"x=y"}}
]}"#;

fn new_ids() -> Links {
    let mut links = Links::new();
    links.insert("urn:uuid:a", "Patient/p".into());
    links.insert("http://h/fhir/DocumentReference/9", "DocumentReference/p.1".into());
    links.insert("urn:uuid:b", "Binary/p.2".into());
    links
}

#[test]
fn links_between_entries_are_rewritten_everywhere_but_in_canonicals_and_plain_text() {
    let node = tree(ENTRIES);
    assert_eq!(validate(&node), []);
    let bundle = Bundle::read(ENTRIES, &node).unwrap();
    assert_eq!((bundle.kind(), bundle.entries().len()), (BundleKind::Transaction, 3));
    let document = &bundle.entries()[1];
    let got = document.rewritten(&new_ids(), &envelope("p.1")).unwrap();
    for kept in [
        r#""reference":"DocumentReference/elsewhere""#,
        r#""profile":["urn:uuid:b"]"#,
        r#""title":"urn:uuid:b""#,
        "> urn:uuid:b<",
    ] {
        assert!(got.contains(kept), "{kept}\n{got}");
    }
    for new in [
        r#"{"reference":"Patient/p"}"#,
        r#"{"reference":"DocumentReference/p.1"}"#,
        r#""url":"Binary/p.2""#,
        r#"href=\"Binary/p.2\""#,
    ] {
        assert!(got.contains(new), "{new}\n{got}");
    }
    assert_eq!(validate(&tree(&got)), []);
    assert!(document.source().is_some_and(|s| s.starts_with("{\"resourceType\":\"DocumentReference\"")));
    let binary = bundle.entries()[2].request.unwrap();
    assert_eq!((binary.method, binary.if_none_exist), (Method::Post, Some("x=y")));
    assert_eq!(bundle.resolve("DocumentReference/9", document).map(|e| e.index), Some(1));
    assert!(bundle.resolve("DocumentReference/9", &bundle.entries()[0]).is_none());
}

#[test]
fn conditional_and_dangling_references_are_refused() {
    for (reference, error) in [
        ("Patient?identifier=x|1", BadLink::Conditional),
        ("http://h/fhir/Patient?identifier=1", BadLink::Conditional),
        ("urn:uuid:nowhere", BadLink::Dangling),
        ("URN:uuid:nowhere", BadLink::Dangling),
    ] {
        let text = ENTRIES.replacen("{\"reference\":\"urn:uuid:a\"}", &format!("{{\"reference\":\"{reference}\"}}"), 1);
        let node = tree(&text);
        let bundle = Bundle::read(&text, &node).unwrap();
        assert_eq!(bundle.entries()[1].rewritten(&new_ids(), &envelope("x")), Err(BadEdit::Link(error)), "{reference}");
    }
}

#[test]
fn entries_without_a_full_url_are_known_by_type_and_id() {
    let text = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"1"}},
        {"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/1"}}}]}"#;
    let node = tree(text);
    let bundle = Bundle::read(text, &node).unwrap();
    let (patient, observation) = (&bundle.entries()[0], &bundle.entries()[1]);
    assert_eq!(bundle.resolve("Patient/1", observation).and_then(|e| e.type_name()), Some("Patient"));
    let mut links = Links::new();
    links.insert(&patient.key().unwrap(), "Patient/new".into());
    assert!(observation.rewritten(&links, &envelope("o")).unwrap().contains("\"Patient/new\""));
    assert_eq!(observation.key(), None);
}

#[test]
fn bundles_that_break_a_rule_are_refused() {
    let read = |inner: &str| {
        let text = format!("{{\"resourceType\":\"Bundle\",{inner}}}");
        let node = tree(&text);
        Bundle::read(&text, &node).map(|b| b.entries().len())
    };
    let patient = r#""resource":{"resourceType":"Patient"}"#;
    assert_eq!(read(r#""type":"collection""#), Ok(0));
    for kind in ["searchset", "history", "message", "batch-response", "transaction-response", "subscription"] {
        assert_eq!(read(&format!(r#""type":"{kind}""#)), Err(BadBundle::Kind));
    }
    for bad in [
        format!(r#""type":"transaction","entry":[{{{patient}}}]"#),
        format!(r#""type":"batch","entry":[{{{patient},"request":{{"method":"PUT","url":"Observation/1"}}}}]"#),
        format!(r#""type":"batch","entry":[{{{patient},"request":{{"method":"POST","url":"Observation"}}}}]"#),
        r#""type":"batch","entry":[{"request":{"method":"POST","url":"Observation"}}]"#.to_owned(),
        format!(r#""type":"collection","entry":[{{{patient},"request":{{"method":"POST","url":"Patient"}}}}]"#),
        format!(r#""type":"collection","entry":[{{{patient},"response":{{"status":"200"}}}}]"#),
        format!(r#""type":"collection","entry":[{{{patient},"fullUrl":"a"}},{{{patient},"fullUrl":"a"}}]"#),
        format!(r#""type":"collection","entry":[{{{patient},"fullUrl":"http://h/Patient/1/_history/2"}}]"#),
        r#""type":"collection","entry":[{"fullUrl":"a"}]"#.to_owned(),
    ] {
        assert!(matches!(read(&bad), Err(BadBundle::Entry(..))), "{bad}");
    }
    for bad in [
        r#""type":"document""#.to_owned(),
        r#""type":"document","identifier":{"system":"s","value":"v"}"#.to_owned(),
        format!(
            r#""type":"document","identifier":{{"system":"s","value":"v"}},"timestamp":"x","entry":[{{{patient}}}]"#
        ),
    ] {
        assert!(matches!(read(&bad), Err(BadBundle::Rule(_))), "{bad}");
    }
    let document = r#""type":"document","identifier":{"system":"s","value":"v"},"timestamp":"x","entry":[{"resource":{"resourceType":"Composition"}}]"#;
    assert_eq!(read(document), Ok(1));
    let node = tree(r#"{"resourceType":"Patient"}"#);
    assert_eq!(Bundle::read("", &node).unwrap_err(), BadBundle::NotABundle);
}

#[test]
fn edits_that_overlap_or_leave_the_text_are_refused() {
    let whole = Span { start: 2, end: 8 };
    for (a, b) in [((3, 5), (4, 6)), ((1, 3), (4, 5)), ((3, 4), (7, 9)), ((5, 3), (6, 7))] {
        let mut edit = Edit::new();
        edit.replace(Span { start: a.0, end: a.1 }, "x".into());
        edit.replace(Span { start: b.0, end: b.1 }, "y".into());
        assert_eq!(edit.apply("0123456789", whole), Err(BadEdit::Overlap), "{a:?} {b:?}");
    }
}

#[test]
fn a_searchset_holds_the_stored_texts_byte_for_byte_and_is_valid() {
    let stored = "{ \"resourceType\":\"Observation\",\"status\":\"final\", \"code\":{\"text\":\"x\"},\"valueQuantity\":{\"value\":1.50} }";
    let found = Match {
        full_url: "https://h/fhir/Observation/1",
        resource: stored,
        mode: Mode::Match,
        confidentiality: Some(Confidentiality::M),
    };
    let other = Match {
        full_url: "https://h/fhir/Observation/2",
        mode: Mode::Include,
        confidentiality: Some(Confidentiality::R),
        ..found
    };
    let outcome = outcome::of_one(Code::NotSupported, "left out");
    let own = "https://h/fhir/Observation?code=\"x";
    let head = Head { own, next: Some("https://h/fhir/_page/1"), total: Some(2), outcome: Some(&outcome) };
    let text = searchset(&head, &[found, other]);
    assert_eq!(text.matches(stored).count(), 2);
    let node = tree(&text);
    assert_eq!(validate(&node), []);
    assert_eq!(node.int_of("total"), Some(2));
    let label = |text: &str| {
        let node = tree(text);
        let labels: Vec<String> =
            node.get("meta")?.get("security")?.items().iter().map(|l| l.text_of("code").unwrap().to_owned()).collect();
        Some(labels)
    };
    assert_eq!(label(&text), Some(vec!["R".to_owned()]), "SL-03: what comes along counts too");
    assert_eq!(label(&searchset(&head, &[found])), Some(vec!["M".to_owned()]));
    assert_eq!(label(&searchset(&head, &[])), None);
    let bare = Head { own, next: None, total: None, outcome: None };
    for head in [bare, Head { total: Some(0), ..bare }, Head { outcome: Some(&outcome), ..bare }] {
        assert_eq!(validate(&tree(&searchset(&head, &[]))), []);
    }
}

#[test]
fn the_capability_statement_is_a_valid_resource() {
    let interactions = vec!["read", "search-type"];
    let offer = |name| capability::TypeOffer { name, interactions: interactions.clone() };
    let types: Vec<_> = resource_types().map(offer).collect();
    let text = capability::statement(&capability::Server {
        base: "https://h/fhir",
        date: "2026-01-01",
        software: ("Garant", "0.1.0"),
        types: &types,
        traits: &[("versioning", "\"versioned\"")],
        system_interactions: &["transaction"],
    });
    let node = tree(&text);
    assert_eq!(validate(&node), []);
    assert_eq!(node.get("rest").unwrap().items()[0].get("resource").unwrap().items().len(), types.len());
}

proptest! {
    #[test]
    fn edited_text_differs_only_within_the_edited_spans(
        text in "[a-zé]{0,40}",
        cuts in proptest::collection::vec((0usize..50, 0usize..5, "[X-Z]{0,3}"), 0..6),
    ) {
        let mut edit = Edit::new();
        for (start, len, new) in &cuts {
            edit.replace(Span { start: *start, end: start + len }, new.clone());
        }
        if let Ok(out) = edit.clone().apply(&text, Span { start: 0, end: text.len() }) {
            // Going through the splices in order, the bytes between them are the same on both sides.
            let mut splices = edit.splices().to_vec();
            splices.sort_by_key(|s| (s.span.start, s.span.end));
            let (mut old, mut new) = (0, 0);
            for s in &splices {
                let kept = s.span.start - old;
                prop_assert_eq!(&text[old..s.span.start], &out[new..new + kept]);
                prop_assert_eq!(&out[new + kept..new + kept + s.replacement.len()], s.replacement.as_str());
                old = s.span.end;
                new += kept + s.replacement.len();
            }
            prop_assert_eq!(&text[old..], &out[new..]);
        }
    }
}
