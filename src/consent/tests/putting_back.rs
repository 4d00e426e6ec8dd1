//! P18, P28 and P30: what was true yesterday is put back by whoever can write to the database.

use super::world::{World, hospital_client};
use crate::asking;
use crate::clock::Timestamp;
use crate::consent::{ConsentError, Wish};
use crate::db::Arg;
use crate::fhir::Handling;
use crate::id::{DeedId, DeviceId};
use crate::identity::{Identifier, PatientError};
use crate::ledger::merkle::{Frontier, leaf_hash};
use crate::ledger::{Act, Footing, Personal, Unsound};
use crate::model::{Bearer, Device, Interaction, RecordFacts, RecordKey};
use crate::policy::Permit;
use crate::release::Wanted;
use crate::vault::{PatientKeys, Place};

const PUT_ROW: &str = "UPDATE consent SET revision = $2, state = 'active', seal = $3 WHERE consent = $1";
const PUT_LEAF: &str = "UPDATE log_leaf SET patient = $2, personal = $3 WHERE leaf = $1";
const CUT_HEAD: &str = "UPDATE log_head SET size = $1, chain = $2";
const PUT_ROWS: &str = "UPDATE consent SET revision = 1, state = 'active', seal = $1";
const PUT_PARTY: &str = "UPDATE party SET revision = $2, body = $3, signature = $4 WHERE party = $1";
const PUT_DEVICE: &str = "UPDATE device SET state = 'active', signature = $2 WHERE device = $1";
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

/// Why the last leaf refuses.
async fn last_reason(world: &World) -> String {
    world.leaves().await.pop().unwrap().reason.unwrap().code().to_owned()
}

/// The registry's signature holds on the older row, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_party_whose_older_row_is_put_back_gives_no_access() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    world.granted(&me, &["Observation.rs"]).await;
    let martin = world.bearer(world.martin);
    for party in [*world.hospital.as_bytes(), *world.martin.as_bytes(), *hospital_client().as_bytes()] {
        assert!(world.reads(&martin, "Observation", lab).await);
        let old = world.house.store.party(&party).await.unwrap().unwrap();
        world.house.enrolments.set_standing(&party, false).await.unwrap();
        assert!(!world.reads(&martin, "Observation", lab).await);
        let new = world.house.store.party(&party).await.unwrap().unwrap();
        let put = async |row: &crate::store::rows::PartyRow| {
            let (id, body, signature) = (party.to_vec(), row.body.clone(), row.signature.clone());
            sql(&world, PUT_PARTY, vec![id.into(), row.revision.into(), body.into(), signature.into()]).await;
        };
        put(&old).await;
        assert!(!world.reads(&martin, "Observation", lab).await, "the suspended party reads again");
        assert_eq!(last_reason(&world).await, "row-altered");
        // Nor is a new revision built on the older row.
        assert!(world.house.enrolments.set_standing(&party, true).await.is_err());
        put(&new).await;
        world.house.enrolments.set_standing(&party, true).await.unwrap();
    }
    world.end().await;
}

/// A row that is gone bears no seal; only the log knows that there was one.
#[tokio::test(flavor = "multi_thread")]
async fn an_exclusion_whose_row_is_taken_away_or_put_to_an_older_one_still_shuts_out() {
    for taken in ["DELETE FROM consent WHERE consent = $1", "UPDATE consent SET state = 'ended' WHERE consent = $1"] {
        let world = World::new().await;
        let me = world.patient().await;
        let lab = world.admit(&me, "Observation", |_| {}).await;
        world.granted(&me, &["Observation.rs"]).await;
        let (martin, nurse) = (world.bearer(world.martin), world.bearer(world.nurse));
        let shut_out = world.done(&me, Wish::Exclude(world.martin)).await.unwrap().consent;
        assert!(!world.reads(&martin, "Observation", lab).await);
        assert_ne!(last_reason(&world).await, "row-altered");
        sql(&world, taken, vec![shut_out.as_bytes().to_vec().into()]).await;
        assert!(!world.reads(&martin, "Observation", lab).await, "whoever was shut out reads again");
        assert_eq!(last_reason(&world).await, "row-altered");
        assert!(!world.reads(&nurse, "Observation", lab).await);
        assert_ne!(last_reason(&world).await, "row-altered", "it speaks of somebody else");
        world.end().await;
    }
}

/// Removing a key is signed, but so was its enrolment.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_key_whose_older_row_is_put_back_signs_nothing() {
    let world = World::new().await;
    let me = world.patient().await;
    let old = world.house.store.devices(me.patient).await.unwrap().pop().unwrap();
    world.house.patients.remove_device(me.patient, me.device).await.unwrap();
    sql(&world, PUT_DEVICE, vec![me.device.as_bytes().to_vec().into(), old.signature.into()]).await;
    let signed = world.done(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await;
    assert!(matches!(signed, Err(ConsentError::Conflict)), "{signed:?}");
    assert_eq!(last_reason(&world).await, "row-altered");
    world.end().await;
}

/// What is found through an identifier is stored under the patient it leads to.
#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_that_was_turned_to_another_patient_finds_nobody() {
    const TURN: &str = "UPDATE identifier SET patient = $1";
    let world = World::new().await;
    let identifier = Identifier { system: "urn:oid:1.2.3".into(), value: "17".into() };
    let patient = world.house.patients.enrol(std::slice::from_ref(&identifier)).await.unwrap();
    let other = world.patient().await;
    assert_eq!(world.house.patients.find(&identifier).await.unwrap(), Some(patient));
    sql(&world, TURN, vec![other.patient.as_bytes().to_vec().into()]).await;
    let found = world.house.patients.find(&identifier).await;
    assert!(matches!(found, Err(PatientError::Altered)), "{found:?}");
    sql(&world, TURN, vec![patient.as_bytes().to_vec().into()]).await;
    assert_eq!(world.house.patients.find(&identifier).await.unwrap(), Some(patient));
    world.end().await;
}

/// A read that was decided and has not had its turn yet.
async fn decided(world: &World, bearer: &Bearer, key: RecordKey) -> (Permit, Footing, PatientKeys) {
    let door = &world.house.door;
    let gathered = door.store.gather_read(key, &door.asking.asker(bearer, key.patient)).await.unwrap();
    let deed = DeedId::ordered(&*door.clock, &*door.chance).unwrap();
    let about = asking::about(bearer, key.patient, "read", None);
    let (keys, asked) = door.asking.meet((deed, &about), bearer, key.patient, &gathered).await.unwrap();
    let facts = door.reader.open(&keys, &Place::facts(key, 1), &gathered.records[0].facts).unwrap();
    let facts = [RecordFacts::from_bytes(key, 1, &facts).unwrap()];
    let permit = door.engine.decide(deed, &asked.question(Interaction::Read, door.clock.now(), &facts)).unwrap();
    let footing = asked.footing(&permit);
    (permit, footing, keys)
}

/// What the patient or the guarantor ends stops the reads that were decided before, as a revocation does.
#[tokio::test(flavor = "multi_thread")]
async fn an_exclusion_a_suspension_or_an_erasure_stops_the_reads_on_their_way() {
    for end in ["nothing", "exclusion", "suspension", "erasure"] {
        let world = World::new().await;
        let me = world.patient().await;
        let lab = world.admit(&me, "Observation", |_| {}).await;
        world.granted(&me, &["Observation.rs"]).await;
        let (permit, footing, keys) = decided(&world, &world.bearer(world.martin), lab).await;
        match end {
            "exclusion" => drop(world.done(&me, Wish::Exclude(world.martin)).await.unwrap()),
            "suspension" => drop(world.house.enrolments.set_standing(world.martin.as_bytes(), false).await.unwrap()),
            "erasure" => drop(world.house.patients.erase(me.patient, 30).await.unwrap()),
            _ => {}
        }
        let about = Personal { patient: Some(me.patient), route: "read".into(), ..Personal::default() };
        let receipt = world.house.ledger.disclose(&permit, about, &keys, footing).await.unwrap();
        assert_eq!(receipt.is_some(), end == "nothing", "{end}");
        if receipt.is_none() {
            assert_eq!(last_reason(&world).await, "stale", "{end}");
        }
        world.end().await;
    }
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
