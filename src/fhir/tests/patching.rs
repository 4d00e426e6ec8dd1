//! Patches change what they name and nothing else.

use crate::fhir::{BadPatch, Patch};

const BEFORE: &str = r#"{ "resourceType":"Observation", "id":"o","meta":{"versionId":"1"} ,"status":"final",
  "subject":{"reference":"Patient/p"},"valueQuantity":{"value":1.50,"unit":"g"},"note":[{"text":"a"},{"text":"b"}]}"#;

fn patched(patch: &str) -> Result<String, BadPatch> {
    Patch::read(patch.as_bytes())?.apply(BEFORE)
}

fn one(op: &str, path: &str, value: &str) -> String {
    format!(r#"[{{"op":"{op}","path":"{path}","value":{value}}}]"#)
}

#[test]
fn fh_23_every_byte_that_is_not_named_stays_as_it_was_spelled() {
    for (patch, from, to) in [
        (one("replace", "/status", "\"amended\""), "\"final\"", "\"amended\""),
        (one("replace", "/valueQuantity/value", "2.00"), "1.50", "2.00"),
        (one("add", "/valueQuantity/unit", "\"mg\""), "\"g\"", "\"mg\""),
        (one("add", "/valueQuantity/code", "\"mg\""), "\"unit\":\"g\"", "\"unit\":\"g\",\"code\":\"mg\""),
        (one("add", "/note/0", "{}"), "[{\"text\":\"a\"}", "[{},{\"text\":\"a\"}"),
        (one("add", "/note/-", "1e2"), "\"b\"}]", "\"b\"},1e2]"),
        (one("add", "/note/2", "[]"), "\"b\"}]", "\"b\"},[]]"),
        (one("remove", "/note/1", "0"), ",{\"text\":\"b\"}", ""),
        (one("remove", "/note/0", "0"), "{\"text\":\"a\"},", ""),
        (one("remove", "/valueQuantity/unit", "0"), ",\"unit\":\"g\"", ""),
        (one("test", "/valueQuantity", r#"{"unit":"g","value":15e-1}"#), "", ""),
        (r#"[{"op":"copy","from":"/valueQuantity/value","path":"/note/0"}]"#.to_owned(), "[{", "[1.50,{"),
        (
            r#"[{"op":"move","from":"/valueQuantity/unit","path":"/a~1b~0"}]"#.to_owned(),
            r#","unit":"g"},"note":[{"text":"a"},{"text":"b"}]"#,
            r#"},"note":[{"text":"a"},{"text":"b"}],"a/b~":"g""#,
        ),
        (r#"[{"op":"move","from":"/note","path":"/note"}]"#.to_owned(), "", ""),
        (
            r#"[{"op":"move","from":"/note/0","path":"/note/1"}]"#.to_owned(),
            r#"{"text":"a"},{"text":"b"}"#,
            r#"{"text":"b"},{"text":"a"}"#,
        ),
        ("[]".to_owned(), "", ""),
    ] {
        assert_eq!(patched(&patch).unwrap(), BEFORE.replacen(from, to, 1), "{patch}");
    }
}

#[test]
fn fh_23_an_operation_that_does_not_succeed_fails_the_whole_patch() {
    for (patch, operation) in [
        (r#"[{"op":"remove","path":"/note/1"},{"op":"test","path":"/status","value":"x"}]"#, 1),
        (r#"[{"op":"test","path":"/valueQuantity/value","value":"1.50"}]"#, 0),
        (r#"[{"op":"test","path":"/note","value":[{"text":"a"}]}]"#, 0),
        (r#"[{"op":"test","path":"/absent","value":null}]"#, 0),
        (r#"[{"op":"replace","path":"/absent","value":1}]"#, 0),
        (r#"[{"op":"remove","path":"/note/2"}]"#, 0),
        (r#"[{"op":"remove","path":""}]"#, 0),
        (r#"[{"op":"add","path":"/note/3","value":1}]"#, 0),
        (r#"[{"op":"add","path":"/note/01","value":1}]"#, 0),
        (r#"[{"op":"add","path":"/status/x","value":1}]"#, 0),
        (r#"[{"op":"copy","from":"/absent","path":"/x"}]"#, 0),
    ] {
        assert!(
            matches!(patched(patch), Err(BadPatch::Failed(n, _)) if n == operation),
            "{patch}: {:?}",
            patched(patch)
        );
    }
}

#[test]
fn fh_23_what_is_not_a_patch_is_refused_unapplied() {
    for patch in [
        "{}",
        "[1]",
        r#"[{"path":"/a","value":1}]"#,
        r#"[{"op":"Add","path":"/a","value":1}]"#,
        r#"[{"op":"add","path":"a","value":1}]"#,
        r#"[{"op":"add","path":"/a~2","value":1}]"#,
        r#"[{"op":"add","path":"/a"}]"#,
        r#"[{"op":"copy","path":"/a"}]"#,
        r#"[{"op":"move","from":"/a","path":"/a/b"}]"#,
    ] {
        assert!(matches!(Patch::read(patch.as_bytes()), Err(BadPatch::Malformed(0, _))), "{patch}");
    }
    for patch in ["", "[", r#"[{"op":"add","op":"remove","path":"/a","value":1}]"#] {
        assert!(matches!(Patch::read(patch.as_bytes()), Err(BadPatch::Broken(_))), "{patch}");
    }
}

#[test]
fn fh_23_a_patch_leaves_type_id_meta_and_patient_alone() {
    for (op, path, value) in [
        ("replace", "", "{}"),
        ("replace", "/resourceType", "\"Condition\""),
        ("replace", "/id", "\"x\""),
        ("remove", "/meta", "0"),
        ("add", "/meta/security", "[]"),
        ("replace", "/subject/reference", "\"Patient/q\""),
        ("add", "/subject/display", "\"q\""),
        ("add", "/patient", "{}"),
        ("remove", "/subject", "0"),
    ] {
        assert_eq!(patched(&one(op, path, value)), Err(BadPatch::Fixed), "{op} {path}");
    }
    // The element that names the patient has another name in other types.
    let coverage = r#"{"resourceType":"Coverage","beneficiary":{"reference":"Patient/p"}}"#;
    let other = Patch::read(one("replace", "/beneficiary/reference", "\"Patient/q\"").as_bytes()).unwrap();
    assert_eq!(other.apply(coverage), Err(BadPatch::Fixed));
}

#[test]
fn a_patch_costs_no_more_than_is_done_for_one_request() {
    let copy = r#"{"op":"copy","from":"/note","path":"/note/-"}"#;
    let doubling = format!("[{}]", vec![copy; 60].join(","));
    assert_eq!(patched(&doubling), Err(BadPatch::TooCostly));
    let many = format!("[{}]", vec![r#"{"op":"remove","path":"/x"}"#; 1001].join(","));
    assert!(matches!(Patch::read(many.as_bytes()), Err(BadPatch::TooCostly)));
}
