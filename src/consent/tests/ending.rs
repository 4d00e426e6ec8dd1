//! Revocation and expiry.

use super::cases;
use super::world::{DAY, World};
use crate::chance::SeededChance;
use crate::consent::{ConsentError, Wish};
use crate::id::ConsentId;
use crate::ledger::Act;

/// DX-01
#[tokio::test(flavor = "multi_thread")]
async fn the_read_after_a_revocation_is_refused_with_the_same_token_and_leaves_no_disclosure() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let martin = world.bearer(world.martin);
    let receipt = world.granted(&me, &["Observation.rs"]).await;
    assert!(world.reads(&martin, "Observation", lab).await);
    let leaf = world.house.consents.revoke(me.patient, receipt.consent).await.unwrap().unwrap();
    assert!(!world.reads(&martin, "Observation", lab).await);
    let after: Vec<Act> = world.leaves().await.iter().filter(|e| e.index > leaf).map(|e| e.act).collect();
    assert_eq!(after, [Act::Refuse]);

    // P08: again is a success that writes nothing.
    assert_eq!(world.house.consents.revoke(me.patient, receipt.consent).await.unwrap(), None);
    assert_eq!(world.leaves().await.len() as u64, leaf + 2);
    let nothing = world.house.consents.revoke(me.patient, ConsentId::from_bytes([5; 16])).await;
    assert!(matches!(nothing, Err(ConsentError::Unknown)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_needs_neither_a_key_nor_a_grantee_that_stands() {
    let world = World::new().await;
    let me = world.patient().await;
    let receipt = world.granted(&me, &["Observation.rs"]).await;
    world.house.patients.remove_device(me.patient, me.device).await.unwrap();
    world.house.enrolments.set_standing(world.martin.as_bytes(), false).await.unwrap();
    assert!(world.house.consents.revoke(me.patient, receipt.consent).await.unwrap().is_some());
    world.end().await;
}

/// P05
#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_dead_at_its_second_and_a_clock_set_back_does_not_revive_it() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let martin = world.bearer(world.martin);
    let (seed, chance) = (505, SeededChance::new(505));
    for _ in 0..cases("P05 expiries", seed, 12, 2_000) {
        let mut terms = world.terms(&["Observation.rs"]);
        // The clock goes on from each: two thousand lives must end before 2255, when microseconds outgrow the log's
        // numbers.
        let life = 1 + i64::try_from(chance.below(60 * 86_400)).unwrap();
        terms.valid.to = terms.valid.from.plus_secs(life);
        let end = terms.valid.to;
        world.done(&me, Wish::Grant(terms)).await.unwrap();
        world.clock.set(crate::clock::Timestamp(end.0 - 1));
        assert!(world.reads(&martin, "Observation", lab).await);
        world.clock.set(end);
        assert!(!world.reads(&martin, "Observation", lab).await);
        // The refusal stands in the log at the end, so the log's time is past it from now on.
        let back = [1, DAY, 1 + i64::try_from(chance.below(1000)).unwrap()];
        for seconds in back {
            world.clock.set(end.plus_secs(-seconds));
            assert!(!world.reads(&martin, "Observation", lab).await, "{seconds} s back");
        }
        world.clock.set(end);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_whose_end_has_come_is_refused() {
    let world = World::new().await;
    let me = world.patient().await;
    let mut terms = world.terms(&["Observation.rs"]);
    terms.valid.to = terms.valid.from.plus_secs(60);
    let draft = world.draft(&me, Wish::Grant(terms)).await.unwrap();
    world.clock.advance_secs(60);
    let late = world.house.consents.sign(me.patient, &me.signed(&draft.statement)).await;
    assert!(matches!(late, Err(ConsentError::Refused { reason: "window", .. })), "{late:?}");
    world.end().await;
}
