//! What a permit holds, and what it never holds.

use super::world::{DEED, NOW, World, physician_reads, record, scopes};
use crate::id::{ConsentId, PatientId};
use crate::model::{Actor, Confidentiality, RecordFacts};
use crate::policy::{Engine, Ground, Reason};

fn bundle(n: u8) -> World {
    let mut world = physician_reads();
    let model = world.records[0].clone();
    world.records =
        (1..=n).map(|i| RecordFacts { key: record(i, "").key, version: i64::from(i), ..model.clone() }).collect();
    world
}

#[test]
fn a_forbidden_record_at_any_position_is_never_in_the_permit() {
    let engine = Engine::load().unwrap();
    let mut bundles = 0;
    for n in 2..=50u8 {
        for at in 0..usize::from(n) {
            let mut world = bundle(n);
            world.records[at].confidentiality = Confidentiality::V;
            let forbidden = world.records[at].key;
            let permit = engine.decide(DEED, &world.question()).unwrap();
            assert_eq!(permit.records().len(), usize::from(n) - 1);
            assert!(permit.records().iter().all(|(k, _)| *k != forbidden) && !permit.admits(&forbidden, 1));
            bundles += 1;
        }
    }
    assert_eq!(bundles, 1274);
}

#[test]
fn a_permit_says_who_what_why_and_on_which_revision() {
    let engine = Engine::load().unwrap();
    let world = physician_reads();
    let permit = engine.decide(DEED, &world.question()).unwrap();
    assert_eq!((permit.deed(), permit.actor()), (DEED, &world.actor));
    assert_eq!(permit.patient(), world.records[0].key.patient);
    assert_eq!(permit.basis(), [(ConsentId::from_bytes([7; 16]), 3)]);
    assert_eq!(permit.records(), [(world.records[0].key, 1)]);
    assert!(permit.admits(&world.records[0].key, 1) && !permit.admits(&world.records[0].key, 2));
    assert_eq!((permit.ground(), *permit.policy()), (Ground::Consent, engine.digest()));
}

#[test]
fn a_patient_reads_all_of_their_own_and_rests_on_no_consent() {
    let engine = Engine::load().unwrap();
    let mut world = physician_reads();
    world.actor = Actor::Patient(PatientId::from_bytes([1; 16]));
    world.records[0].confidentiality = Confidentiality::V;
    let permit = engine.decide(DEED, &world.question()).unwrap();
    assert_eq!((permit.ground(), permit.basis().len()), (Ground::Oneself, 0));
    let permit = permit.narrow_to(|_, _| true).unwrap();
    assert_eq!((permit.ground(), permit.records().len()), (Ground::Oneself, 1));
}

#[test]
fn narrowing_only_removes_and_drops_the_consents_no_longer_needed() {
    let engine = Engine::load().unwrap();
    let mut world = bundle(3);
    world.records[1].categories = vec!["http://x|vital-signs".parse().unwrap()];
    let mut second = world.provisions[0].clone();
    second.consent = ConsentId::from_bytes([6; 16]);
    second.terms.scope = scopes(&["Observation.r?category=http://x|vital-signs"]);
    world.provisions.push(second);
    let (a, b) = ((ConsentId::from_bytes([7; 16]), 3), (ConsentId::from_bytes([6; 16]), 3));
    let ask = || engine.decide(DEED, &world.question()).unwrap();
    assert_eq!(ask().basis(), [a, b]);
    let vital = world.records[1].key;
    let permit = ask().narrow_to(|k, _| *k == vital).unwrap();
    assert_eq!((permit.basis(), permit.records()), (&[b][..], &[(vital, 2)][..]));
    // Asking for more afterwards brings nothing back.
    assert_eq!(permit.narrow_to(|_, _| true).unwrap().records(), [(vital, 2)]);
    assert_eq!(ask().narrow_to(|k, _| *k != vital).unwrap().basis(), [a]);
    let denial = ask().narrow_to(|_, _| false).unwrap_err();
    assert_eq!((denial.reason, denial.deed), (Reason::NoRecord, DEED));
}

#[test]
fn what_is_remembered_does_not_outlive_what_it_was_asked_on() {
    let engine = Engine::load().unwrap();
    let mut world = physician_reads();
    let may = |w: &World| engine.decide(DEED, &w.question()).is_ok();
    assert!(may(&world) && may(&world));
    let one = engine.remembered();
    // Another record with the same facts is the same question.
    world.records[0].key.record = crate::id::RecordId::from_bytes([77; 16]);
    assert!(may(&world));
    assert_eq!((one, engine.remembered()), (1, 1));
    world.provisions[0].revision = 4;
    assert!(may(&world));
    assert_eq!(engine.remembered(), 2);
    world.standing.organisation = false;
    assert!(!may(&world));
    world.standing.organisation = true;
    world.provisions[0].terms.valid.to = NOW;
    assert!(!may(&world));
}
