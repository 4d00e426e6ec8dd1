//! CO-10: a consent is seen by its patient and by whom it names, while it is in force.

use super::super::engine::Engine;
use super::world::{DEED, World, organisation, physician_reads, professional, record, scopes};
use crate::clock::Timestamp;
use crate::id::{ConsentId, PatientId, RecordId};
use crate::model::{Actor, Grantee, Interaction};
use crate::policy::{Exclusion, Ground, Reason};

/// The physician of the world asks for the one consent that names their organisation.
fn named() -> World {
    let mut world = physician_reads();
    world.software().scopes = scopes(&["Consent.rs"]);
    let mut facts = record(7, "Consent");
    facts.version = 3;
    world.records = vec![facts];
    world
}

fn answer(engine: &Engine, world: &World) -> Result<Ground, Reason> {
    engine.decide_named(DEED, &world.question()).map(|permit| permit.ground()).map_err(|denial| denial.reason)
}

#[test]
fn co_10_whoever_a_consent_names_may_see_it_and_the_permit_rests_on_it() {
    let engine = Engine::load().unwrap();
    let permit = engine.decide_named(DEED, &named().question()).unwrap();
    assert_eq!(permit.basis(), [(ConsentId::from_bytes([7; 16]), 3)]);
    assert_eq!(permit.records().len(), 1);
    for interaction in Interaction::ALL {
        let mut world = named();
        world.software().scopes = scopes(&["Consent.cruds"]);
        world.interaction = interaction;
        let may = matches!(interaction, Interaction::Read | Interaction::Search);
        assert_eq!(answer(&engine, &world).is_ok(), may, "{interaction:?}");
    }
}

#[test]
fn co_10_a_consent_that_names_another_or_is_over_or_stands_beside_an_exclusion_stays_hidden() {
    type Change = fn(&mut World);
    let engine = Engine::load().unwrap();
    let changes: [(&str, Change, Reason); 8] = [
        ("another's", |w| w.provisions[0].terms.grantee = Grantee::Organisation(organisation(2)), Reason::NoConsent),
        ("another patient's", |w| w.provisions[0].patient = PatientId::from_bytes([2; 16]), Reason::NoConsent),
        ("another consent", |w| w.records[0].key.record = RecordId::from_bytes([8; 16]), Reason::NoConsent),
        ("another revision", |w| w.records[0].version = 2, Reason::NoConsent),
        ("over", |w| w.provisions[0].terms.valid.to = Timestamp::from_secs(1), Reason::NoConsent),
        ("a token without it", |w| w.software().scopes = scopes(&["Observation.rs"]), Reason::TokenScope),
        ("suspended", |w| w.standing.organisation = false, Reason::Inactive),
        (
            "shut out",
            |w| {
                let consent = ConsentId::from_bytes([8; 16]);
                w.exclusions.push(Exclusion { consent, revision: 1, professional: professional(1) });
            },
            Reason::Excluded,
        ),
    ];
    assert_eq!(answer(&engine, &named()), Ok(Ground::Consent));
    for (what, change, reason) in changes {
        let mut world = named();
        change(&mut world);
        assert_eq!(answer(&engine, &world), Err(reason), "{what}");
    }
}

#[test]
fn co_10_a_patient_sees_their_own_consents_and_nobody_elses() {
    let engine = Engine::load().unwrap();
    let mut world = named();
    world.actor = Actor::Patient(PatientId::from_bytes([1; 16]));
    assert_eq!(answer(&engine, &world), Ok(Ground::Oneself));
    world.actor = Actor::Patient(PatientId::from_bytes([2; 16]));
    assert_eq!(answer(&engine, &world), Err(Reason::OtherPatient));
}
