//! The preview says what release then gives.

use super::cases;
use super::world::World;
use crate::chance::SeededChance;
use crate::consent::Wish;
use crate::model::{Confidentiality, Grantee, Purpose, RecordKey};

const KINDS: [&str; 4] = ["Observation", "Condition", "MedicationRequest", "Procedure"];

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_names_exactly_the_records_that_release_then_gives() {
    let world = World::new().await;
    let (seed, chance) = (606, SeededChance::new(606));
    for _ in 0..cases("preview against release", seed, 6, 200) {
        let me = world.patient().await;
        let mut records: Vec<(&str, RecordKey)> = Vec::new();
        for _ in 0..6 {
            let kind = KINDS[chance.below(KINDS.len())];
            let (hidden, sensitive) = (chance.below(3) == 0, chance.below(3) == 0);
            let key = world.admit(&me, kind, |facts| {
                facts.confidentiality = if hidden { Confidentiality::R } else { Confidentiality::N };
                facts.sensitivities = if sensitive { vec!["HIV".parse().unwrap()] } else { vec![] };
            });
            records.push((kind, key.await));
        }
        let mut terms = world.terms(&[]);
        terms.grantee = match chance.below(3) {
            0 => Grantee::Professional(world.martin),
            1 => Grantee::Organisation(world.hospital),
            _ => Grantee::Role(world.hospital, "60".parse().unwrap()),
        };
        terms.scope =
            KINDS.iter().filter(|_| chance.below(2) == 0).map(|k| format!("{k}.rs").parse().unwrap()).collect();
        if terms.scope.is_empty() {
            terms.scope.push("*.rs".parse().unwrap());
        }
        terms.scope.sort();
        if chance.below(2) == 0 {
            terms.sensitivity = vec!["HIV".parse().unwrap()];
        }
        if chance.below(4) == 0 {
            world.done(&me, Wish::Exclude(world.martin)).await.unwrap();
        }
        let preview = world.house.consents.preview(me.patient, &terms).await.unwrap();
        world.done(&me, Wish::Grant(terms)).await.unwrap();
        let mut given = Vec::new();
        for (kind, key) in &records {
            let (martin, nurse) = (world.bearer(world.martin), world.bearer(world.nurse));
            if world.reads(&martin, kind, *key).await || world.reads(&nurse, kind, *key).await {
                given.push(format!("{kind}/{key}"));
            }
        }
        let mut listed = preview.listed.clone();
        listed.sort();
        given.sort();
        assert_eq!(listed, given);
        assert_eq!(preview.counts.values().sum::<u64>() + preview.hidden, 6);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_what_cannot_be_granted_is_refused_and_leaves_no_trace() {
    let world = World::new().await;
    let me = world.patient().await;
    let size = world.leaves().await.len();
    let terms = world.terms_for(Grantee::Organisation(world.insurer), Purpose::Hpaymt, &["Observation.r"]);
    assert!(world.house.consents.preview(me.patient, &terms).await.is_err());
    world.house.consents.preview(me.patient, &world.terms(&["Observation.r"])).await.unwrap();
    assert_eq!(world.leaves().await.len(), size);
    world.end().await;
}
