//! The walls of the house: who may name whom, and what every file owes its reader.
//!
//! Reads `src/`, `migrations/`, `ARCHITECTURE.md` and `SECURITY.md`; runs in milliseconds. When a wall is in the way of something
//! that is right, change the table here, in the same commit, and say why.

#[path = "walls/checks.rs"]
mod checks;
#[cfg(test)]
#[path = "walls/faults.rs"]
mod faults;
#[path = "walls/migrations.rs"]
mod migrations;
#[path = "walls/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use checks::{File, Room};

/// The rooms from the ground up. A room may name rooms that stand before it, and only those listed against it; of
/// other crates, and of the standard library's files, network, processes, environment and threads, only those listed.
#[rustfmt::skip]
const HOUSE: &[Room] = &[
    // ground
    Room("chance",     &[], &["ring", "thiserror"]),
    Room("clock",      &[], &["time"]),
    Room("secret",     &[], &["zeroize"]),
    Room("json",       &[], &["thiserror"]),
    Room("recall",     &[], &[]),
    Room("db",         &[], &["bytes", "rusqlite", "thiserror", "tokio", "tokio_postgres", "tokio_postgres_rustls", "tracing", "std::net", "std::thread"]),
    Room("id",         &["chance", "clock"], &["thiserror", "uuid"]),
    // words
    Room("model",      &["clock", "id", "json"], &["serde_json", "thiserror"]),
    Room("fhir",       &["clock", "json", "model"], &["thiserror"]),
    // works: blind to each other
    Room("policy",     &["clock", "id", "model", "recall"], &["cedar_policy", "ring", "serde", "serde_json", "thiserror", "toml"]),
    Room("proof",      &["clock", "id", "json", "model", "recall"], &["base64", "ring", "thiserror"]),
    Room("openid",     &["clock", "json", "proof"], &["chrono", "http_body_util", "hyper", "hyper_rustls", "hyper_util", "openidconnect", "serde", "serde_json", "thiserror", "tokio", "url"]),
    Room("vault",      &["chance", "clock", "db", "id", "json", "model", "secret"], &["argon2", "cryptoki", "josekit", "ring", "subtle", "thiserror", "zeroize", "std::fs"]),
    Room("store",      &["clock", "db", "id", "model"], &[]),
    // memory
    Room("ledger",     &["chance", "clock", "db", "id", "json", "model", "policy", "store", "vault"], &["base64", "ring", "thiserror", "tokio", "tracing", "std::fs"]),
    // deeds
    Room("directory",  &["chance", "clock", "db", "id", "json", "ledger", "model", "recall", "store", "vault"], &["ring", "serde_json", "thiserror"]),
    Room("consent",    &["chance", "clock", "db", "directory", "id", "json", "ledger", "model", "policy", "proof", "recall", "store", "vault"], &["ring", "serde_json", "subtle", "thiserror", "time", "tracing"]),
    Room("identity",   &["chance", "clock", "consent", "db", "directory", "id", "json", "ledger", "model", "openid", "proof", "recall", "secret", "store", "vault"], &["ring", "serde_json", "subtle", "thiserror", "tracing"]),
    Room("asking",     &["clock", "consent", "directory", "id", "ledger", "model", "policy", "store", "vault"], &["thiserror", "tracing"]),
    Room("intake",     &["asking", "chance", "clock", "fhir", "id", "identity", "json", "ledger", "model", "policy", "store", "vault"], &["base64", "ring", "thiserror", "tokio"]),
    Room("masking",    &["asking", "chance", "clock", "id", "ledger", "model", "policy", "store", "vault"], &["thiserror"]),
    Room("release",    &["asking", "chance", "clock", "fhir", "id", "ledger", "model", "policy", "store", "vault"], &["base64", "thiserror", "tokio"]),
    Room("projection", &["asking", "chance", "clock", "consent", "directory", "fhir", "id", "json", "ledger", "model", "policy", "release", "store", "vault"], &["base64", "serde_json", "thiserror", "tracing"]),
    // doors: hold nothing
    Room("http",       &["chance", "fhir", "identity", "model", "release"], &["axum", "governor", "http_body_util", "hyper", "ring", "subtle", "thiserror", "tokio", "tracing", "std::net"]),
    Room("oauth",      &["http", "id", "identity", "json"], &["axum", "serde_json", "tracing"]),
    Room("signin",     &["chance", "clock", "http", "identity", "openid"], &["askama", "axum", "tracing"]),
    Room("fhir_api",   &["clock", "consent", "fhir", "http", "id", "identity", "intake", "json", "model", "projection", "release"], &["axum", "tracing"]),
    Room("web",        &["consent", "http", "id", "identity", "json", "masking", "model", "proof"], &["axum", "serde_json", "tracing"]),
    Room("openapi",    &["http"], &["askama", "axum", "serde_json", "tracing"]),
    // roof: put together, nothing lives here
    Room("config",     &["secret"], &["serde", "thiserror", "toml", "url", "std::env", "std::fs", "std::net"]),
    Room("app",        EVERY_ROOM, &["askama", "ring", "serde", "serde_json", "axum", "hyper", "hyper_util", "http_body_util", "rustix", "thiserror", "tokio", "tokio_io_timeout", "tower", "tracing", "url", "std::fs", "std::net"]),
    Room("bench",      EVERY_ROOM, &["axum", "ring", "thiserror", "tokio", "std::fs", "std::net", "std::process", "std::thread"]),
    Room("cli",        EVERY_ROOM, &["axum", "clap", "hyper", "hyper_util", "http_body_util", "indicatif", "rustix", "serde_json", "thiserror", "tokio", "tracing", "tracing_subscriber", "std::env", "std::fs", "std::net", "std::process", "std::thread"]),
    Room("main",       &["cli"], &["mimalloc", "std::process"]),
    Room("lib",        &[], &[]),
];

/// For the composition root and the commands: all that stands before them.
const EVERY_ROOM: &[&str] = &["*"];

/// Names that only a few rooms may speak: whoever holds the capability, and who hands it out.
const KEYHOLDERS: &[(&str, &[&str])] = &[
    ("Opener", &["vault", "release", "app"]),
    ("Keyring", &["vault", "app"]),
    ("Rewrapper", &["vault", "app", "cli"]),
    ("Shredder", &["vault", "identity", "app"]),
    ("HsmRoot", &["vault", "app", "cli"]),
    ("FileRoot", &["vault", "app", "cli"]),
];

/// Where a transaction may begin.
const TURNS: &[&str] = &["src/db/", "src/ledger/sequencer.rs"];

/// Pairs that must stay blind to each other, whatever the table above says.
const BLIND: &[&[&str]] =
    &[&["policy", "vault", "store", "openid"], &["proof", "policy"], &["proof", "vault"], &["proof", "store"]];

/// Rooms that speak to the outside and hold nothing.
const DOORS: &[&str] = &["http", "oauth", "signin", "fhir_api", "web", "openapi"];

fn files() -> &'static [File] {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(|| checks::read("src"));
    assert!(FILES.len() > 50, "found only {} source files", FILES.len());
    &FILES
}

fn holds(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_room_stands_in_the_table_and_every_line_of_it_is_a_room() {
    let built: BTreeSet<String> = files().iter().map(|f| f.room.clone()).collect();
    let planned: BTreeSet<String> = HOUSE.iter().map(|r| r.0.to_owned()).collect();
    assert_eq!(built, planned);
}

#[test]
fn the_table_itself_keeps_the_floors_and_the_blindness() {
    holds(&checks::unsound(HOUSE, BLIND, DOORS));
}

#[test]
fn no_room_names_a_room_it_may_not() {
    holds(&files().iter().flat_map(|f| checks::strange_rooms(f, HOUSE)).collect::<Vec<_>>());
}

#[test]
fn no_room_names_a_crate_it_may_not() {
    let crates = checks::dependencies(&fs::read_to_string("Cargo.toml").unwrap());
    assert!(crates.contains("rusqlite") && crates.contains("cedar_policy"), "{crates:?}");
    holds(&files().iter().flat_map(|f| checks::strange_crates(f, HOUSE, &crates)).collect::<Vec<_>>());
}

#[test]
fn no_permission_is_kept_that_nobody_uses() {
    holds(&checks::unused(files(), HOUSE));
}

#[test]
fn only_keyholders_name_a_key() {
    holds(&files().iter().flat_map(|f| checks::strange_keys(f, KEYHOLDERS)).collect::<Vec<_>>());
}

#[test]
fn a_transaction_begins_in_the_database_room_and_in_the_sequencer_only() {
    holds(&files().iter().flat_map(|f| checks::strange_turns(f, TURNS)).collect::<Vec<_>>());
}

#[test]
fn nothing_is_unsafe() {
    let tests = checks::read("tests");
    holds(&files().iter().chain(&tests).filter_map(checks::unsafety).collect::<Vec<_>>());
}

#[test]
fn every_file_can_be_read_in_one_sitting() {
    for file in files().iter().filter(|f| !f.test && f.lines() > 400) {
        println!("look hard: {} has {} lines", file.path, file.lines());
    }
    holds(&files().iter().filter_map(|f| checks::too_long(f, 600)).collect::<Vec<_>>());
}

#[test]
fn every_room_opens_with_its_charter() {
    holds(&files().iter().filter_map(checks::no_charter).collect::<Vec<_>>());
}

#[test]
fn every_file_begins_with_what_it_is() {
    holds(&files().iter().filter_map(checks::no_opening).collect::<Vec<_>>());
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    holds(&files().iter().filter_map(checks::empty_name).collect::<Vec<_>>());
}

#[test]
fn both_engines_have_the_same_migrations_and_every_column_is_explained() {
    for database in ["store", "keystore"] {
        let texts = |engine: &str| checks::texts(&format!("migrations/{database}/{engine}"));
        let (sqlite, postgres) = (texts("sqlite"), texts("postgres"));
        let names = |texts: &[(String, String)]| texts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&sqlite), names(&postgres), "{database}");
        assert!(!sqlite.is_empty(), "{database}");
        for ((name, a), (_, b)) in sqlite.iter().zip(&postgres) {
            let wrong = migrations::differences(a, b);
            assert!(wrong.is_empty(), "{database}/{name}:\n{}", wrong.join("\n"));
        }
    }
}

#[test]
fn every_migration_is_part_of_the_program() {
    for (database, list) in [("store", "src/store/mod.rs"), ("keystore", "src/vault/keystore.rs")] {
        let code = fs::read_to_string(list).unwrap();
        for engine in ["sqlite", "postgres"] {
            for (name, _) in checks::texts(&format!("migrations/{database}/{engine}")) {
                assert!(
                    code.contains(&format!("migrations/{database}/{engine}/{name}")),
                    "{engine}/{name} not in {list}"
                );
            }
        }
    }
}

#[test]
fn the_architecture_names_every_room_and_nothing_that_is_not_there() {
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    holds(&checks::missing_places(&text, |place| fs::exists(place).unwrap()));
    let rooms = HOUSE.iter().map(|r| r.0).filter(|r| !["main", "lib"].contains(r));
    holds(&checks::unnamed(&text, rooms));
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let text = fs::read_to_string("SECURITY.md").unwrap();
    let tests = checks::read("tests");
    let all: Vec<&str> = files().iter().chain(&tests).map(|f| f.text.as_str()).collect();
    holds(&checks::missing_tests(&text, &all));
}
