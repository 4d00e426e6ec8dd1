//! Patches change what they name and nothing else.

use proptest::prelude::*;
use serde_json::Value;

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

/// RFC 6902 as it is written, on a tree: what the splices in the text must come to.
mod model {
    use serde_json::Value;

    fn split(path: &str) -> Option<(&str, String)> {
        let (before, last) = path.rsplit_once('/')?;
        Some((before, last.replace("~1", "/").replace("~0", "~")))
    }

    pub(super) fn add(tree: &mut Value, path: &str, value: Value) -> Option<()> {
        let Some((before, last)) = split(path) else {
            *tree = value;
            return Some(());
        };
        match tree.pointer_mut(before)? {
            Value::Object(members) => drop(members.insert(last, value)),
            Value::Array(items) => {
                let place = if last == "-" { items.len() } else { place(&last)? };
                if place > items.len() {
                    return None;
                }
                items.insert(place, value);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        }
        Some(())
    }

    pub(super) fn remove(tree: &mut Value, path: &str) -> Option<Value> {
        let (before, last) = split(path)?;
        match tree.pointer_mut(before)? {
            Value::Object(members) => members.remove(&last),
            Value::Array(items) => {
                let place = place(&last)?;
                (place < items.len()).then(|| items.remove(place))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    fn place(token: &str) -> Option<usize> {
        token.parse().ok().filter(|n: &usize| n.to_string() == token)
    }

    pub(super) fn apply(tree: &mut Value, operation: &Value) -> Option<()> {
        let text = |name: &str| operation[name].as_str();
        let path = text("path")?;
        match text("op")? {
            "add" => add(tree, path, operation["value"].clone()),
            "remove" => remove(tree, path).map(drop),
            "replace" => tree.pointer_mut(path).map(|here| *here = operation["value"].clone()),
            "copy" => {
                let value = tree.pointer(text("from")?)?.clone();
                add(tree, path, value)
            }
            "move" if text("from") == Some(path) => tree.pointer(path).map(|_| ()),
            "move" => {
                let value = remove(tree, text("from")?)?;
                add(tree, path, value)
            }
            _ => (tree.pointer(path)? == &operation["value"]).then_some(()),
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c\"\\\\é]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec(("[ab/~]", inner), 0..3).prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

fn place() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof!["[ab]", "~0|~1", "[0-2]", "-|01"], 0..3)
        .prop_map(|parts| parts.iter().map(|part| format!("/{part}")).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_a_patch_makes_of_a_text_is_what_rfc_6902_makes_of_the_tree(
        before in value(),
        is_wide in any::<bool>(),
        operations in proptest::collection::vec(
            (prop_oneof!["add", "add", "remove", "replace", "move", "copy", "test"], place(), place(), value()), 1..5,
        ),
    ) {
        let operations: Vec<Value> = operations
            .into_iter()
            .map(|(op, path, from, value)| serde_json::json!({ "op": op, "path": path, "from": from, "value": value }))
            .collect();
        let patch = Value::from(operations.clone()).to_string();
        let text = if is_wide { serde_json::to_string_pretty(&before).unwrap() } else { before.to_string() };
        // A value that moves into itself is refused with the patch.
        let Ok(read) = Patch::read(patch.as_bytes()) else { return Ok(()) };
        let mut tree = before;
        let whole = operations.iter().all(|operation| model::apply(&mut tree, operation).is_some());
        match read.apply(&text) {
            Ok(made) => prop_assert_eq!(Some(serde_json::from_str::<Value>(&made).unwrap()), whole.then_some(tree)),
            Err(BadPatch::Failed(..)) => prop_assert!(!whole, "{} on {}", patch, text),
            Err(other) => prop_assert_eq!(other, BadPatch::Fixed),
        }
    }
}
