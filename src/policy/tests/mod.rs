//! The promises of the policy room.

mod world;

use super::{Engine, Reason};

#[test]
fn the_policies_load_and_pass_strict_validation() {
    let engine = Engine::load().unwrap();
    assert_eq!(engine.digest_hex().len(), 64);
    assert_eq!(engine.matrix_edition(), ("fr-2023-10-26/1", "2026-08-01"));
    assert_eq!(Reason::ALL.len(), 17);
}
