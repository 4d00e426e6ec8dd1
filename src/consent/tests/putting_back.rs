//! P18, P28 and P30: what was true yesterday is put back by whoever can write to the database.

use super::world::World;
use crate::clock::Timestamp;
use crate::consent::{ConsentError, Wish};
use crate::db::Arg;
use crate::fhir::Handling;
use crate::id::DeviceId;
use crate::ledger::merkle::{Frontier, leaf_hash};
use crate::ledger::{Act, Unsound};
use crate::model::Device;
use crate::release::Wanted;

const PUT_ROW: &str = "UPDATE consent SET revision = $2, state = 'active', seal = $3 WHERE consent = $1";
const PUT_LEAF: &str = "UPDATE log_leaf SET patient = $2, personal = $3 WHERE leaf = $1";
const CUT_HEAD: &str = "UPDATE log_head SET size = $1, chain = $2";
const PUT_ROWS: &str = "UPDATE consent SET revision = 1, state = 'active', seal = $1";
const SLIP: &str = "INSERT INTO device (patient, device, state, body, signature, updated_by) \
         VALUES ($1, $2, 'active', $3, $4, 'test')";

async fn sql(world: &World, sql: &'static str, args: Vec<Arg<'static>>) {
    world.house.store.db().transact("test", vec![(sql, args)]).await.unwrap();
}

/// The row's MAC holds, for the house itself made it: only the log knows that it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_consent_whose_older_row_is_put_back_gives_no_access() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let martin = world.bearer(world.martin);
    let consent = world.granted(&me, &["Observation.rs"]).await.consent;
    assert!(world.reads(&martin, "Observation", lab).await);
    let old = world.house.store.consent_of(me.patient, consent).await.unwrap().unwrap();
    world.house.consents.revoke(me.patient, consent).await.unwrap();
    assert!(!world.reads(&martin, "Observation", lab).await);
    let id = consent.as_bytes().to_vec();
    sql(&world, PUT_ROW, vec![id.into(), old.revision.into(), old.seal.into()]).await;
    assert!(!world.reads(&martin, "Observation", lab).await, "the revoked consent lives again");
    let last = world.leaves().await.pop().unwrap();
    assert_eq!(last.reason.unwrap().code(), "row-altered");
    world.end().await;
}

/// One statement must not take a disclosure out of the history that the patient is shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_moved_out_of_a_patients_history_or_robbed_of_its_personal_part_is_found() {
    let world = World::new().await;
    let me = world.patient().await;
    world.house.publisher.check().await.unwrap();
    let leaf = i64::try_from(world.leaves().await.len() - 1).unwrap();
    for robbed in
        ["UPDATE log_leaf SET patient = NULL WHERE leaf = $1", "UPDATE log_leaf SET personal = NULL WHERE leaf = $1"]
    {
        let good = world.house.store.leaves(leaf, 1).await.unwrap().pop().unwrap();
        sql(&world, robbed, vec![leaf.into()]).await;
        let found = world.house.publisher.check().await;
        assert!(matches!(found, Err(Unsound::Altered(_))), "{robbed}: {found:?}");
        let (patient, personal) = (me.patient.as_bytes().to_vec(), good.personal.unwrap().0);
        sql(&world, PUT_LEAF, vec![leaf.into(), patient.into(), personal.into()]).await;
        world.house.publisher.check().await.unwrap();
    }
    world.end().await;
}

/// The chain as it stood is in the checkpoint's own row: putting it back takes no key.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_cut_back_to_an_older_checkpoint_is_neither_signed_nor_released_on() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let martin = world.bearer(world.martin);
    let consent = world.granted(&me, &["Observation.rs"]).await.consent;
    let old = world.house.store.consent_of(me.patient, consent).await.unwrap().unwrap();
    let size = world.house.publisher.publish().await.unwrap();
    let kept = world.house.store.checkpoint_at(size).await.unwrap().unwrap();
    assert!(world.reads(&martin, "Observation", lab).await);
    world.house.consents.revoke(me.patient, consent).await.unwrap();
    let published = world.house.publisher.publish().await.unwrap();
    assert_eq!(published, size + 2);

    sql(&world, "DELETE FROM log_leaf WHERE leaf >= $1", vec![size.into()]).await;
    sql(&world, "DELETE FROM log_checkpoint WHERE size > $1", vec![size.into()]).await;
    sql(&world, "DELETE FROM consent_revision WHERE revision > $1", vec![1.into()]).await;
    sql(&world, CUT_HEAD, vec![size.into(), kept.chain.to_vec().into()]).await;
    sql(&world, PUT_ROWS, vec![old.seal.into()]).await;

    let cut = world.house.publisher.publish().await;
    assert!(matches!(cut, Err(Unsound::RolledBack { .. })), "{cut:?}");
    for _ in 0..4 {
        assert!(!world.reads(&martin, "Observation", lab).await, "the revoked consent lives again");
    }
    // It has grown beyond what was published: another tree under the same key.
    let forked = world.house.publisher.publish().await;
    assert!(matches!(forked, Err(Unsound::Forked(_))), "{forked:?}");
    world.end().await;
}

/// The frontier to go on from lies in the database too.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_leaf_rewritten_together_with_the_checkpoints_row_is_not_signed() {
    for keep_note in [true, false] {
        let world = World::new().await;
        let size = world.house.publisher.publish().await.unwrap();
        let mut rows = world.house.store.leaves(0, size).await.unwrap();
        let text = String::from_utf8(rows[1].entry.clone()).unwrap();
        rows[1].entry = text.replace("\"records\":0", "\"records\":7").into_bytes();
        assert_ne!(text.as_bytes(), rows[1].entry);
        let mut frontier = Frontier::new();
        for row in &rows {
            frontier.append(leaf_hash(&row.entry));
        }
        sql(&world, "UPDATE log_leaf SET entry = $1 WHERE leaf = 1", vec![rows[1].entry.clone().into()]).await;
        let args = vec![frontier.root().to_vec().into(), frontier.to_bytes().into(), size.into()];
        sql(&world, "UPDATE log_checkpoint SET root = $1, frontier = $2 WHERE size = $3", args).await;
        if !keep_note {
            sql(&world, "UPDATE log_checkpoint SET note = ''", vec![]).await;
        }
        world.patient().await;
        let signed = world.house.publisher.publish().await;
        assert!(signed.is_err(), "a tree over a rewritten leaf was signed: {signed:?}");
        sql(&world, "UPDATE log_leaf SET entry = $1 WHERE leaf = 1", vec![text.into_bytes().into()]).await;
        world.end().await;
    }
}

/// The registry's signature must not be had for a row that it never signed, nor a removed key revived.
#[tokio::test(flavor = "multi_thread")]
async fn removing_a_key_signs_nothing_that_was_slipped_in_and_a_removed_key_stays_removed() {
    let world = World::new().await;
    let me = world.patient().await;
    let row = world.house.store.devices(me.patient).await.unwrap().pop().unwrap();
    let slipped = Device { id: DeviceId::from_bytes([9; 16]), ..Device::parse(&row.body).unwrap() };
    let (patient, device) = (me.patient.as_bytes().to_vec(), slipped.id.as_bytes().to_vec());
    sql(&world, SLIP, vec![patient.into(), device.into(), slipped.to_body().into(), row.signature.into()]).await;
    assert!(world.house.patients.remove_device(me.patient, slipped.id).await.is_err(), "the registry signed it");

    world.house.patients.remove_device(me.patient, me.device).await.unwrap();
    sql(&world, "UPDATE device SET state = 'active'", vec![]).await;
    let signed = world.done(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await;
    assert!(matches!(signed, Err(ConsentError::Unsigned)), "{signed:?}");
    world.end().await;
}

/// P43: the answer takes the same commit as that for somebody hidden.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_somebody_unknown_is_on_record_like_one_for_somebody_hidden() {
    let world = World::new().await;
    let before = world.leaves().await.len();
    let wanted = Wanted::search("Patient", Vec::new(), "", Timestamp(0), Handling::Strict).unwrap();
    let found = world.house.door.search_for_nobody(&world.bearer(world.martin), &wanted).await.unwrap();
    assert!(found.entries.is_empty());
    let leaves = world.leaves().await;
    assert_eq!((leaves.len(), leaves.last().unwrap().act), (before + 1, Act::Refuse));
    world.end().await;
}
