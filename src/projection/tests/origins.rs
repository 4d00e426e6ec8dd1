//! Where versions come from.

use super::{all, own, query, valid};
use crate::consent::Wish;
use crate::consent::tests::world::{Me, World};
use crate::model::{Bearer, RecordKey};
use crate::projection::consents::key;
use crate::projection::{Origin, Page, Target};
use crate::release::Withheld;

async fn origins(world: &World, bearer: &Bearer, kind: &'static str, key: RecordKey) -> Page {
    let target = Target { kind, key, version: None };
    world.house.projection.origins(bearer, &target, &query(world, "Provenance", &[])).await.unwrap()
}

fn observation(me: &Me) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"effectiveDateTime":"2026-01-05",
            "subject":{{"reference":"Patient/{}"}}}}"#,
        me.patient
    )
}

#[tokio::test]
async fn au_22_whoever_may_read_a_record_learns_who_wrote_it_for_whom() {
    let world = World::new().await;
    let me = world.patient().await;
    let consent = world.granted(&me, &["*.crs"]).await.consent;
    let martin = world.bearer(world.martin);
    let text = observation(&me).into_bytes();
    let receipt = world.house.intake.create(&martin, "Observation", text).await.unwrap();
    let record: RecordKey = receipt.entries[0].reference.split('/').nth(1).unwrap().parse().unwrap();
    let page = origins(&world, &martin, "Observation", record).await;
    world.disclosed(page.leaf).await;
    let told = all(&page);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["target"][0]["reference"], format!("Observation/{record}/_history/1"));
    assert_eq!(told[0]["activity"]["coding"][0]["code"], "CREATE");
    assert_eq!(told[0]["agent"][0]["who"]["display"], "Dr Martin");
    assert_eq!(told[0]["agent"][0]["onBehalfOf"]["display"], "Hôpital Nord");
    let id: Origin = told[0]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id, Origin { key: record, version: 1 });
    let read = async |bearer: &Bearer| world.house.projection.origin(bearer, id).await;
    assert_eq!(valid(&read(&own(me.patient)).await.unwrap()), told[0]);
    assert!(read(&martin).await.is_ok());
    // The same type, the same record, another name for it: nothing.
    assert!(origins(&world, &martin, "Condition", record).await.matches.is_empty());
    assert!(matches!(read(&world.bearer(world.nurse)).await, Err(Withheld::Hidden)));
    assert!(matches!(read(&world.insurers()).await, Err(Withheld::Hidden)));
    world.house.consents.revoke(me.patient, consent).await.unwrap();
    assert!(matches!(read(&martin).await, Err(Withheld::Hidden)), "FH-70");
    assert!(origins(&world, &martin, "Observation", record).await.matches.is_empty());
    world.end().await;
}

#[tokio::test]
async fn au_22_what_the_guarantor_took_in_names_the_guarantor() {
    let world = World::new().await;
    let me = world.patient().await;
    let imported = world.house.intake.import(observation(&me).into_bytes()).await.unwrap().unwrap();
    let rows = world.house.store.facts_of(me.patient).await.unwrap();
    let record = RecordKey { patient: me.patient, record: rows[0].0 };
    let told = all(&origins(&world, &own(me.patient), "Observation", record).await);
    assert_eq!(told[0]["agent"][0]["type"]["coding"][0]["code"], "custodian");
    assert_eq!(told[0]["agent"].as_array().unwrap().len(), 1);
    assert!(imported.leaf > 0);
    world.end().await;
}

#[tokio::test]
async fn au_22_a_signed_revision_comes_with_its_signature_and_the_one_before() {
    let world = World::new().await;
    let me = world.patient().await;
    let consent = world.granted(&me, &["Condition.rs", "Observation.rs"]).await.consent;
    world.done(&me, Wish::Narrow(consent, world.terms(&["Observation.rs"]))).await.unwrap();
    let named = key(me.patient, consent);
    let told = all(&origins(&world, &world.bearer(world.martin), "Consent", named).await);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|p| p["signature"][0]["who"]["reference"] == format!("Patient/{}", me.patient)));
    assert_eq!(told[1]["entity"][0]["what"]["reference"], format!("Consent/{named}/_history/1"));
    world.house.consents.revoke(me.patient, consent).await.unwrap();
    let mine = all(&origins(&world, &own(me.patient), "Consent", named).await);
    assert_eq!(mine.len(), 3);
    assert!(mine[2].get("signature").is_none(), "ending a consent takes no signature");
    let last = Origin { key: named, version: 3 };
    assert_eq!(valid(&world.house.projection.origin(&own(me.patient), last).await.unwrap()), mine[2]);
    assert!(origins(&world, &world.bearer(world.martin), "Consent", named).await.matches.is_empty());
    world.end().await;
}

#[test]
fn the_name_of_an_origin_has_one_spelling() {
    let patient = "0".repeat(26);
    for good in [format!("{patient}.1"), format!("{patient}.{}.12", "1".repeat(24) + "00")] {
        assert_eq!(good.parse::<Origin>().map(|o| o.to_string()).as_ref(), Ok(&good));
    }
    for bad in ["", ".1", &patient, &format!("{patient}.0"), &format!("{patient}.01"), &format!("{patient}.+1")] {
        assert!(bad.parse::<Origin>().is_err(), "{bad}");
    }
}
