//! Every input of a decision is in the key under which its answer is remembered.

use std::collections::HashSet;

use super::world::{NOW, World, organisation, physician_reads, professional, scopes};
use crate::id::{ClientId, ConsentId, PatientId, RecordId};
use crate::model::{
    Actor, Confidentiality, Grantee, Interaction, OrganisationKind, Period, Purpose, RecordClass, Terms,
};
use crate::policy::memo::{Key, Shared};
use crate::policy::{Exclusion, Provision};

fn key_of(w: &World, policy: u8) -> Key {
    let Actor::Software(software) = &w.actor else { panic!("software asks") };
    let provisions: Vec<&Provision> = w.provisions.iter().collect();
    let under = (&provisions[..], &w.exclusions[..]);
    Shared::of_software(&[policy; 32], software, w.standing, w.interaction, under).key(&w.records[0])
}

fn terms(w: &mut World) -> &mut Terms {
    &mut w.provisions[0].terms
}

fn exclusion(consent: u8, revision: i64, who: u8) -> Exclusion {
    Exclusion { consent: ConsentId::from_bytes([consent; 16]), revision, professional: professional(who) }
}

const CHANGES: [fn(&mut World); 45] = [
    |w| w.software().client = ClientId::from_bytes([2; 16]),
    |w| w.software().organisation = organisation(2),
    |w| w.software().kind = OrganisationKind::Social,
    |w| w.software().professional = None,
    |w| w.software().professional = Some((professional(2), "10".parse().unwrap())),
    |w| w.software().professional = Some((professional(1), "40".parse().unwrap())),
    |w| w.software().purpose = Purpose::Btg,
    |w| w.software().scopes.clear(),
    |w| w.software().scopes.truncate(1),
    |w| w.standing.client = false,
    |w| w.standing.organisation = false,
    |w| w.standing.professional = false,
    |w| w.interaction = Interaction::Search,
    |w| w.provisions.clear(),
    |w| w.provisions.push(w.provisions[0].clone()),
    |w| w.provisions[0].consent = ConsentId::from_bytes([2; 16]),
    |w| w.provisions[0].revision = 4,
    |w| w.provisions[0].patient = PatientId::from_bytes([2; 16]),
    |w| terms(w).grantee = Grantee::Organisation(organisation(2)),
    |w| terms(w).grantee = Grantee::Professional(professional(1)),
    |w| terms(w).grantee = Grantee::Role(organisation(1), "10".parse().unwrap()),
    |w| terms(w).grantee = Grantee::Role(organisation(1), "40".parse().unwrap()),
    |w| terms(w).scope = scopes(&["*.rs?category=http://x|laboratory"]),
    |w| terms(w).scope = scopes(&["Observation.r?category=http://x|laboratory"]),
    |w| terms(w).scope = scopes(&["Observation.rs"]),
    |w| terms(w).purpose.clear(),
    |w| terms(w).purpose.push(Purpose::Btg),
    |w| terms(w).confidentiality = Confidentiality::V,
    |w| terms(w).sensitivity.clear(),
    |w| terms(w).sensitivity = vec!["HIV".parse().unwrap()],
    |w| terms(w).authored = Period::ALWAYS,
    |w| terms(w).valid.to = NOW.plus_secs(9),
    |w| w.exclusions.push(exclusion(8, 1, 1)),
    |w| w.exclusions.push(exclusion(8, 2, 1)),
    |w| w.exclusions.push(exclusion(8, 1, 2)),
    |w| w.records[0].key.patient = PatientId::from_bytes([2; 16]),
    |w| w.records[0].resource_type = "Coverage".to_owned(),
    |w| w.records[0].class = RecordClass::Reimbursement,
    |w| w.records[0].confidentiality = Confidentiality::R,
    |w| w.records[0].sensitivities = vec!["HIV".parse().unwrap()],
    |w| w.records[0].categories.clear(),
    |w| w.records[0].document_types = vec!["http://x|laboratory".parse().unwrap()],
    // The same coding under another name of field, and cut at another place.
    |w| w.records[0].document_types = w.records[0].categories.drain(..).collect(),
    |w| w.records[0].categories = vec![crate::model::Coding { system: "http://xlab".into(), code: "oratory".into() }],
    |w| w.records[0].authored = None,
];

#[test]
fn every_input_is_in_the_key_and_no_two_inputs_share_one() {
    let mut keys = HashSet::from([key_of(&physician_reads(), 0), key_of(&physician_reads(), 1)]);
    for (i, change) in CHANGES.iter().enumerate() {
        let mut world = physician_reads();
        change(&mut world);
        assert!(keys.insert(key_of(&world, 0)), "change {i} makes no difference");
    }
    assert_eq!(keys.len(), CHANGES.len() + 2);
}

#[test]
fn which_record_and_version_it_is_makes_no_difference() {
    let (one, mut other) = (physician_reads(), physician_reads());
    other.records[0].key.record = RecordId::from_bytes([77; 16]);
    other.records[0].version = 12;
    assert_eq!(key_of(&one, 0), key_of(&other, 0));
}

#[test]
fn memory_is_bounded_and_never_keeps_an_error() {
    use crate::policy::Reason;
    use crate::policy::memo::{Memo, Outcome};
    let memo = Memo::default();
    memo.keep([1; 32], Outcome::No(Reason::PolicyError));
    assert_eq!(memo.recall(&[1; 32]), None);
    for n in 0..100_000u32 {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        memo.keep(key, Outcome::Own);
        assert_eq!(memo.recall(&key), Some(Outcome::Own));
    }
    assert!(memo.len() <= 16 * 2 * 2048, "{}", memo.len());
}
