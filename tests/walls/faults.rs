//! Shows that every wall can be run into: each check finds the fault in a small bad sample.

use std::collections::BTreeSet;

use crate::checks::{self, File, Room};

const HOUSE: &[Room] = &[
    Room("id", &[], &[]),
    Room("store", &["id"], &["sqlx"]),
    Room("vault", &["id"], &["ring"]),
    Room("release", &["store", "vault"], &[]),
];

fn crates() -> BTreeSet<String> {
    checks::dependencies(
        "[package]\nname = \"x\"\n[dependencies]\nring = \"1\"\nsqlx = { version = \"1\" }\ncedar-policy = \"4\"\n",
    )
}

fn rooms(path: &str, code: &str) -> usize {
    checks::strange_rooms(&File::new(path, code), HOUSE).len()
}

#[test]
fn a_forbidden_room_is_found_however_it_is_named() {
    for code in [
        "use crate::store::Store;",
        "use crate::{id::Id, store};",
        "fn f(s: &crate::store::Store) {}",
        "use super::super::store::Store;",
        "use crate as house;",
        "use crate::*;",
        "use crate::nowhere::X;",
    ] {
        assert_eq!(rooms("src/vault/seal.rs", code), 1, "{code}");
    }
    assert_eq!(rooms("src/vault/mod.rs", "use super::store;"), 1);
    for code in
        ["use crate::id::Id;", "use crate::vault::Key;", "use super::wrap;", "// crate::store\n", "use std::fmt;"]
    {
        assert_eq!(rooms("src/vault/seal.rs", code), 0, "{code}");
    }
    assert_eq!(rooms("src/vault/seal.rs", "#[cfg(test)]\nmod tests { use crate::store::Store; }"), 0);
}

#[test]
fn a_forbidden_crate_is_found_however_it_is_named() {
    let found = |code: &str| checks::strange_crates(&File::new("src/store/rows.rs", code), HOUSE, &crates()).len();
    for code in [
        "use ring::digest::digest;",
        "use ring as r;",
        "use {ring::digest, std::fmt};",
        "fn f() { ::ring::digest::digest(); }",
        "#[derive(cedar_policy::X)] struct Y;",
        "use std::{fs, io};",
        "fn f() { std::net::TcpStream::connect(a); }",
    ] {
        assert_eq!(found(code), 1, "{code}");
    }
    for code in ["use sqlx::Row;", "use super::ring::Circle;", "fn f(ring: u8) -> u8 { ring }", "use std::io;"] {
        assert_eq!(found(code), 0, "{code}");
    }
}

#[test]
fn an_unsound_table_is_found() {
    let wrong = |house: &[Room]| checks::unsound(house, &[&["vault", "store"]], &["web"]).len();
    assert_eq!(wrong(HOUSE), 0);
    assert_eq!(wrong(&[Room("id", &["store"], &[]), Room("store", &[], &[])]), 1, "upward");
    assert_eq!(wrong(&[Room("store", &[], &[]), Room("vault", &["store"], &[])]), 1, "blind");
    assert_eq!(wrong(&[Room("store", &[], &[]), Room("web", &["store"], &[])]), 1, "door");
}

#[test]
fn a_permission_that_nobody_uses_is_found() {
    let files = |store: &str| {
        let vault = File::new("src/vault/mod.rs", "use crate::id::Id; use ring::hmac;");
        let release = File::new("src/release/mod.rs", "use crate::{store, vault};");
        vec![vault, release, File::new("src/store/mod.rs", store)]
    };
    assert_eq!(checks::unused(&files("use crate::id::Id; use sqlx::Row;"), HOUSE).len(), 0);
    assert_eq!(checks::unused(&files("use crate::id::Id;"), HOUSE), ["store may name sqlx but does not"]);
}

#[test]
fn a_key_in_strange_hands_is_found() {
    let keys: &[(&str, &[&str])] = &[("Opener", &["vault", "release"])];
    let found = |path: &str, code: &str| checks::strange_keys(&File::new(path, code), keys).len();
    assert_eq!(found("src/web/page.rs", "use crate::vault::{Opener, Place};"), 1);
    assert_eq!(found("src/web/page.rs", "fn f(o: &vault::Opener) {}"), 1);
    assert_eq!(found("src/web/page.rs", "// Opener\nlet letter_Opener2 = 1;"), 0);
    assert_eq!(found("src/release/open.rs", "use crate::vault::Opener;"), 0);
}

#[test]
fn a_transaction_elsewhere_is_found() {
    let found = |path: &str, code: &str| checks::strange_turns(&File::new(path, code), &["src/db/"]).len();
    assert_eq!(found("src/store/x.rs", "let t = pool.begin().await;\nlet w = db.writer();"), 2);
    assert_eq!(found("src/db/engine.rs", "let t = pool.begin().await;"), 0);
}

#[test]
fn faults_of_a_single_file_are_found() {
    let file = File::new;
    let long = "//! Long.\n".repeat(601);
    assert!(checks::too_long(&file("src/id/mod.rs", &long), 600).is_some());
    assert!(checks::too_long(&File { test: true, ..file("src/id/tests.rs", &long) }, 600).is_none());
    assert!(checks::unsafety(&file("src/id/mod.rs", concat!("fn f() { un", "safe { g() } }"))).is_some());
    assert!(checks::unsafety(&file("src/id/mod.rs", "//! Nothing unsafe.\nfn unsafe_setting() {}")).is_none());
    let charter = "//! Ids.\n//!\n//! Lives here: a.\n//! May touch: b.\n//! Must never: c.\n";
    assert!(checks::no_charter(&file("src/id/mod.rs", charter)).is_none());
    assert!(checks::no_charter(&file("src/id/mod.rs", &charter.replace("Must never", "Should not"))).is_some());
    assert!(checks::no_opening(&file("src/id/mod.rs", "use std::fmt;\n")).is_some());
    assert!(checks::empty_name(&file("src/id/utils.rs", "")).is_some());
    assert!(checks::empty_name(&file("src/utils/id.rs", "")).is_some());
    assert!(checks::empty_name(&file("src/id/patient.rs", "")).is_none());
}

#[test]
fn a_place_that_is_not_there_is_found() {
    let exists = |place: &str| place == "src/vault/seal.rs" || place == "docs/decisions";
    let missing = |text: &str| checks::missing_places(text, exists).len();
    assert_eq!(missing("see `vault/seal.rs`, `src/vault/seal.rs`, `vault/seal`, `docs/decisions` and `Permit`"), 0);
    assert_eq!(missing("see `vault/open.rs` and `tests/none.rs`"), 2);
    assert_eq!(checks::unnamed("`vault` and store", ["vault", "store"].into_iter()), ["room `store` is not named"]);
}

#[test]
fn a_promise_without_its_test_is_found() {
    let table = "| P01 | `what_is_said_is_so`, `what_is_not_is_not` |";
    let sources = ["#[test]\nfn what_is_said_is_so() {}", "// what_is_not_is_not"];
    assert_eq!(checks::missing_tests(table, &sources), ["no test `what_is_not_is_not`"]);
}
