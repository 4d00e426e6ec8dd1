//! The server does not start on policies that are in any doubt.

use super::super::engine::FILES;
use super::super::{Engine, PolicyError};

fn load_with(file: usize, from: &str, to: &str) -> Result<Engine, PolicyError> {
    let mut files = FILES;
    let (name, text) = FILES[file];
    assert!(text.contains(from), "{from}");
    let text = text.replacen(from, to, 1);
    files[file] = (name, &text);
    Engine::load_from(&files)
}

const LAW: usize = 0;
const MATRIX: usize = 1;
const CONSENT: usize = 2;
const SCHEMA: usize = 3;

#[test]
fn the_policies_as_shipped_load_strictly() {
    let engine = Engine::load().unwrap();
    assert_eq!(engine.digest_hex().len(), 64);
    assert_eq!(engine.matrix_edition(), ("fr-2023-10-26/1", "2026-08-01"));
}

#[test]
fn a_policy_in_doubt_keeps_the_server_down() {
    for (file, from, to) in [
        (CONSENT, "principal.active", "principal.actve"),
        (CONSENT, "context.tokenCovers", "context.tokenCovers == \"yes\""),
        (CONSENT, "permit (", "permit "),
        (CONSENT, "principal is Software", "principal is Sofware"),
        // A condition that can never hold draws a warning; warnings count.
        (LAW, "principal.kind == \"insurer\"", "principal.kind == \"insurer\" && false"),
        (SCHEMA, "social: Bool", "social: Bol"),
        (SCHEMA, "dated: Bool,\n", ""),
        // An attribute that may be absent must be guarded, or its absence is an error.
        (SCHEMA, "dated: Bool", "dated?: Bool"),
        (MATRIX, "social = true", "social = \"yes\""),
        (MATRIX, "profession = \"41\"", "profession = \"10\""),
        (MATRIX, "\"psychiatry\"]", "\"psychiatrie\"]"),
        (MATRIX, "kind = \"insurer\"", "kind = \"insurance\""),
        (MATRIX, "reads = []", "reeds = []"),
        (MATRIX, "typed = [\"DocumentReference\"", "typed = [\"Documentreference\""),
    ] {
        assert!(load_with(file, from, to).is_err(), "{from} -> {to}");
    }
}

#[test]
fn a_policy_that_breaks_a_house_rule_keeps_the_server_down() {
    for (file, from, to) in [
        (LAW, "permit (principal is Software", "forbid (principal is Software"),
        (LAW, "@reasons(\"scope unannounced\")", "@reasons(\"scope unannounced label\")"),
        (LAW, "@reasons(\"scope unannounced\")", "@reasons(\"because unannounced\")"),
        (LAW, "@id(\"fr-07\")", "@id(\"fr-01\")"),
        (LAW, "@id(\"fr-07\")\n", ""),
    ] {
        assert!(matches!(load_with(file, from, to), Err(PolicyError::House(..))), "{from} -> {to}");
    }
}

#[test]
fn every_letter_of_every_policy_file_is_in_the_digest() {
    let shipped = Engine::load().unwrap().digest();
    for (file, from, to) in [
        (LAW, "L.1111-18", "L.1111-19"),
        (MATRIX, "date = \"2026-08-01\"", "date = \"2026-08-02\""),
        (CONSENT, "SL-05", "SL-04"),
        (SCHEMA, "One row", "A row"),
    ] {
        assert_ne!(load_with(file, from, to).unwrap().digest(), shipped, "{from}");
    }
    assert_eq!(Engine::load().unwrap().digest(), shipped);
}
