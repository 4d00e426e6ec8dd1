//! P56: whatever consent says, an insurer reaches no more than the statute allows (L.1111-18 CSP).

use super::world::{DEED, Dice, NOW, physician_reads, scopes};
use crate::chance::SeededChance;
use crate::id::ConsentId;
use crate::model::{Actor, Grantee, Interaction, OrganisationKind, Period, Purpose, RecordClass, Sensitivity, Terms};
use crate::policy::{Engine, Prospect, Provision, Reason};

const STATUTORY: [&str; 6] = [
    "Coverage",
    "CoverageEligibilityResponse",
    "ClaimResponse",
    "ExplanationOfBenefit",
    "PaymentNotice",
    "PaymentReconciliation",
];

#[test]
fn no_consent_takes_an_insurer_beyond_proof_of_reimbursement() {
    let n = super::cases("P56", 56, 2_000, 100_000);
    let (engine, dice) = (Engine::load().unwrap(), Dice(SeededChance::new(56)));
    let (mut granted, mut seen) = (0usize, 0usize);
    for _ in 0..n {
        let mut world = dice.world();
        let insurer = dice.software(OrganisationKind::Insurer);
        // One consent in three is as wide as can be signed.
        if dice.tenths(3) {
            let everything = Terms {
                grantee: Grantee::Organisation(insurer.organisation),
                scope: scopes(&["*.cruds", "Coverage.rs", "ExplanationOfBenefit.cruds"]),
                purpose: Purpose::ALL.to_vec(),
                confidentiality: crate::model::Confidentiality::V,
                sensitivity: Sensitivity::ALL.iter().map(|(c, _)| c.parse().unwrap()).collect(),
                authored: Period::ALWAYS,
                valid: Period { from: NOW, to: NOW.plus_secs(60) },
            };
            world.provisions.push(Provision {
                consent: ConsentId::from_bytes([99; 16]),
                revision: 1,
                patient: crate::id::PatientId::from_bytes([1; 16]),
                terms: everything,
            });
        }
        world.standing = crate::policy::Standing::ACTIVE;
        world.actor = Actor::Software(insurer.clone());
        if let Ok(permit) = engine.decide(DEED, &world.question()) {
            granted += 1;
            assert!(matches!(insurer.purpose, Purpose::Hpaymt | Purpose::Eligver));
            assert!(matches!(permit.interaction(), Interaction::Read | Interaction::Search));
            for (key, _) in permit.records() {
                let record = world.records.iter().find(|r| r.key == *key).unwrap();
                assert_eq!(record.class, RecordClass::Reimbursement);
                assert!(STATUTORY.contains(&record.resource_type.as_str()), "{}", record.resource_type);
                seen += 1;
            }
        }
        let terms = dice.terms();
        let prospect = Prospect { kinds: &[OrganisationKind::Insurer], profession: None };
        if engine.would_grant(&terms, &prospect).is_ok() {
            for scope in &terms.scope {
                let named = scope.resource_type.as_deref();
                assert!(named.is_some_and(|t| STATUTORY.contains(&t)), "{scope}");
                assert!(!scope.interactions.to_string().contains(['c', 'u', 'd']), "{scope}");
            }
            assert!(terms.purpose.iter().all(|p| matches!(p, Purpose::Hpaymt | Purpose::Eligver)));
        }
    }
    println!("P56: {granted} permits, {seen} records");
    assert!(granted * 100 > n, "{granted} of {n}");
}

#[test]
fn a_physician_employed_by_an_insurer_is_an_insurer() {
    let engine = Engine::load().unwrap();
    let mut world = physician_reads();
    world.software().kind = OrganisationKind::Insurer;
    assert_eq!(engine.decide(DEED, &world.question()).unwrap_err().reason, Reason::InsurerMedical);
    // Nor does a type of reimbursement help when the record itself is medical.
    world.records[0].resource_type = "Coverage".to_owned();
    world.provisions[0].terms.scope = scopes(&["Coverage.rs"]);
    world.provisions[0].terms.purpose = vec![Purpose::Hpaymt];
    world.software().purpose = Purpose::Hpaymt;
    assert_eq!(engine.decide(DEED, &world.question()).unwrap_err().reason, Reason::InsurerMedical);
    world.records[0].class = RecordClass::Reimbursement;
    assert!(engine.decide(DEED, &world.question()).is_ok());
    // Nor a search across types.
    world.interaction = Interaction::Search;
    world.provisions[0].terms.scope = scopes(&["*.rs"]);
    assert_eq!(engine.decide(DEED, &world.question()).unwrap_err().reason, Reason::InsurerMedical);
}
