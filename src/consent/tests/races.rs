//! P08: whatever happens at once, the log says in which order, and the rows agree with the log.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use super::cases;
use super::world::{Me, World};
use crate::chance::SeededChance;
use crate::consent::{ConsentError, Wish};
use crate::id::ConsentId;
use crate::ledger::Act;
use crate::model::Terms;

/// Runs all of them at once.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|f| (Box::pin(f), None)).collect();
    let mut together = pin!(std::future::poll_fn(|context| {
        let mut ready = true;
        for (future, output) in &mut waiting {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => ready = false,
                }
            }
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }));
    together.as_mut().await;
    waiting.into_iter().map(|(_, output)| output.unwrap()).collect()
}

/// One of sixteen hands on the same consent; `true` when its act was recorded.
async fn hand(world: &World, me: &Me, consent: ConsentId, terms: &Terms, act: usize) -> bool {
    let consents = &world.house.consents;
    match act {
        0 => consents.revoke(me.patient, consent).await.unwrap().is_some(),
        1..=8 => {
            let draft = match world.draft(me, Wish::Narrow(consent, terms.clone())).await {
                Ok(draft) => draft,
                Err(ConsentError::Conflict) => return false,
                Err(other) => panic!("{other:?}"),
            };
            match consents.sign(me.patient, &me.signed(&draft.statement)).await {
                Ok(receipt) => !receipt.again,
                Err(ConsentError::Conflict) => false,
                Err(other) => panic!("{other:?}"),
            }
        }
        _ => {
            world.done(me, Wish::Grant(terms.clone())).await.unwrap();
            true
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_final_state_is_the_order_of_the_log() {
    let world = World::new().await;
    let (seed, chance) = (808, SeededChance::new(808));
    let races = cases("P08 races of 16", seed, 200, 5_000);
    let (mut recorded, mut ended) = (0, 0);
    // Fewer rounds than races: several races run at once, each on a consent of its own.
    for round in 0..races.div_ceil(4) {
        let me = world.patient().await;
        let four = (0..4).map(|_| {
            let acts: Vec<usize> = (0..16).map(|_| chance.below(12)).collect();
            race(&world, &me, acts)
        });
        for (done, over) in all(four).await {
            recorded += done;
            ended += usize::from(over);
        }
        if round % 50 == 0 {
            world.clock.advance_secs(1);
        }
    }
    println!("{recorded} acts recorded, {ended} consents ended");
    assert!(recorded > 0 && ended > 0);
    world.end().await;
}

async fn race(world: &World, me: &Me, acts: Vec<usize>) -> (usize, bool) {
    let terms = world.terms(&["Observation.rs"]);
    let consent = world.done(me, Wish::Grant(terms.clone())).await.unwrap().consent;
    let done = all(acts.iter().map(|act| hand(world, me, consent, &terms, *act))).await;
    let mine = |act: usize| act <= 8;
    let changes = acts.iter().zip(&done).filter(|(act, done)| mine(**act) && **done).count();
    let view = world.house.consents.one(me.patient, consent).await.unwrap();
    let log: Vec<(Act, i64)> = world
        .house
        .store
        .leaves_of(me.patient, 0, i64::MAX)
        .await
        .unwrap()
        .iter()
        .map(|row| crate::ledger::Entry::parse(&row.entry).unwrap())
        .filter(|e| e.act != Act::Refuse && e.basis.iter().any(|b| b.consent == consent))
        .map(|e| (e.act, e.basis[0].revision))
        .collect();
    let revisions: Vec<i64> = log.iter().map(|(_, revision)| *revision).collect();
    assert_eq!(revisions, (1..=i64::try_from(changes).unwrap() + 1).collect::<Vec<_>>());
    assert_eq!(view.revision, *revisions.last().unwrap());
    let last = log.last().unwrap().0;
    assert_eq!(view.state == "ended", last == Act::Revoke);
    assert_eq!(log.iter().filter(|(act, _)| *act == Act::Revoke).count(), usize::from(acts.contains(&0)));
    (done.iter().filter(|d| **d).count(), view.state == "ended")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_statement_from_sixteen_hands_is_recorded_once_and_all_are_told_so() {
    let world = World::new().await;
    let me = world.patient().await;
    for _ in 0..cases("CT-06 at once", 0, 10, 300) {
        let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await.unwrap();
        // Each signs anew: another signature over the same bytes is the same act.
        let signed: Vec<_> = (0..16).map(|_| me.signed(&draft.statement)).collect();
        let told = all(signed.iter().map(|s| world.house.consents.sign(me.patient, s))).await;
        let told: Vec<_> = told.into_iter().map(Result::unwrap).collect();
        assert_eq!(told.iter().filter(|r| !r.again).count(), 1);
        assert!(told.iter().all(|r| (r.leaf, &r.token) == (told[0].leaf, &told[0].token)));
    }
    world.end().await;
}

/// WA-13
#[tokio::test(flavor = "multi_thread")]
async fn nothing_signed_with_a_removed_key_is_recorded_after_its_removal() {
    let world = World::new().await;
    let patient = world.patient().await.patient;
    let mut after = 0;
    let n = cases("WA-13 races", 0, 40, 2_000);
    for round in 0..n {
        let me = world.device_of(patient, crate::model::DeviceKind::Device).await;
        let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await.unwrap();
        let signed = me.signed(&draft.statement);
        let sign = async {
            // The later it begins, the likelier the removal wins.
            for _ in 0..round % 20 {
                tokio::task::yield_now().await;
            }
            world.house.consents.sign(patient, &signed).await
        };
        let (signed, removed) = tokio::join!(sign, world.house.patients.remove_device(patient, me.device));
        removed.unwrap();
        let last = world.house.store.leaves_of(patient, 0, i64::MAX).await.unwrap();
        let removal = last.iter().rfind(|row| crate::ledger::Entry::parse(&row.entry).unwrap().act == Act::Suspend);
        match signed {
            Ok(receipt) => assert!(i64::try_from(receipt.leaf).unwrap() < removal.unwrap().leaf),
            Err(ConsentError::Unsigned | ConsentError::Conflict) => after += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    println!("{after} of {n} came too late");
    world.end().await;
}
