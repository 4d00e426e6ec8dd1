//! The patient's history as AuditEvents.

use serde_json::Value;

use super::{all, own, query, valid};
use crate::consent::Wish;
use crate::consent::tests::world::{Me, World};
use crate::fhir::Handling;
use crate::ledger::Act;
use crate::model::Bearer;
use crate::projection::alias;
use crate::projection::{Page, Window};
use crate::release::{Wanted, Withheld};

async fn events(world: &World, bearer: &Bearer, me: &Me, pairs: &[(&str, &str)], window: &Window) -> Page {
    world.house.projection.events(bearer, me.patient, &query(world, "AuditEvent", pairs), window).await.unwrap()
}

/// A patient with an enrolment, a consent, a read, a refused read, a search and an ended consent in their history.
async fn lived(world: &World) -> Me {
    let me = world.patient().await;
    let record = world.admit(&me, "Observation", |_| {}).await;
    let martin = world.bearer(world.martin);
    assert!(!world.reads(&martin, "Observation", record).await);
    let consent = world.granted(&me, &["Observation.rs"]).await.consent;
    assert!(world.reads(&martin, "Observation", record).await);
    let (base, now) = (&world.house.config.base_url, world.house.clock.now());
    let search = Wanted::search("Observation", Vec::new(), base, now, Handling::Strict).unwrap();
    world.house.door.search(&martin, me.patient, &search).await.unwrap();
    world.house.consents.revoke(me.patient, consent).await.unwrap();
    world.done(&me, Wish::Exclude(world.martin)).await.unwrap();
    me
}

fn agent<'e>(event: &'e Value, code: &str) -> &'e Value {
    let agents = event["agent"].as_array().unwrap();
    agents.iter().find(|a| a["type"]["coding"][0]["code"] == code).unwrap_or_else(|| panic!("no {code} in {event}"))
}

#[tokio::test]
async fn au_17_a_patient_sees_every_leaf_about_them_and_that_they_looked() {
    let world = World::new().await;
    let me = lived(&world).await;
    let mine = own(me.patient);
    let first = events(&world, &mine, &me, &[], &Window::default()).await;
    world.disclosed(first.leaf).await;
    let told = all(&first);
    // Enrolment, device, admission, refusal, grant, read, search, revocation, exclusion.
    let seen: Vec<(&str, &str)> =
        told.iter().map(|e| (e["action"].as_str().unwrap(), e["outcome"].as_str().unwrap())).collect();
    let expected = ["C0", "U0", "E0", "R0", "C0", "R8", "C0", "C0", "C0"];
    assert_eq!(seen.iter().map(|(a, o)| format!("{a}{o}")).collect::<Vec<_>>(), expected, "the latest first");
    assert_eq!(first.total, Some(9));
    let second = events(&world, &mine, &me, &[], &Window::default()).await;
    assert_eq!(second.total, Some(10), "looking is part of the history");
    let looked = &all(&second)[0];
    assert_eq!(looked["subtype"][0]["code"], "search-type");
    assert_eq!(looked["entity"][0]["description"], format!("AuditEvent?patient=Patient/{}", me.patient));
    assert_eq!(agent(looked, "IRCP")["who"]["reference"], format!("Patient/{}", me.patient));
    world.end().await;
}

#[tokio::test]
async fn au_04_events_have_the_codes_of_their_interaction() {
    let world = World::new().await;
    let me = lived(&world).await;
    let told = all(&events(&world, &own(me.patient), &me, &[], &Window::default()).await);
    let by = |subtype: &str, outcome: &str| {
        let of = |e: &&Value| e["subtype"][0]["code"] == subtype && e["outcome"] == outcome;
        told.iter().find(of).unwrap_or_else(|| panic!("no {subtype} {outcome}"))
    };
    let read = by("read", "0");
    assert_eq!(read["type"]["code"], "rest");
    assert_eq!(agent(read, "110152")["requestor"], false, "the client receives");
    assert_eq!(agent(read, "110153")["network"]["type"], "1", "the server sends");
    let user = agent(read, "IRCP");
    assert_eq!((&user["requestor"], user["who"]["display"].as_str()), (&true.into(), Some("Dr Martin")));
    assert_eq!(user["purposeOfUse"][0]["coding"][0]["code"], "TREAT", "AU-08");
    assert!(user.get("network").is_none(), "AU-07");
    assert_eq!(agent(read, "PROV")["who"]["display"], "Hôpital Nord");
    let whats = |e: &Value| -> Vec<String> {
        let whats = e["entity"].as_array().unwrap().iter();
        whats.filter_map(|e| e["what"]["reference"].as_str().map(str::to_owned)).collect()
    };
    assert!(whats(read)[0].starts_with("Observation/") && whats(read)[0].ends_with("/_history/1"), "AU-06");
    assert!(whats(read).iter().any(|w| w.starts_with("Consent/") && w.ends_with("/_history/1")), "AU-11");
    assert!(whats(read).contains(&format!("Patient/{}", me.patient)));
    let search = by("search-type", "0");
    assert_eq!(agent(search, "110153")["requestor"], false, "of a search the client is the source");
    assert_eq!(search["entity"][0]["role"]["code"], "24");
    assert!(!whats(search).iter().any(|w| w.starts_with("Observation")), "AU-05: results are not told");
    let refused = by("read", "8");
    assert_eq!(refused["outcomeDesc"], "no-consent", "AU-03");
    assert!(refused.get("agent").is_some());
    for event in &told {
        let requestors = event["agent"].as_array().unwrap().iter().filter(|a| a["requestor"] == true).count();
        assert_eq!(requestors, 1, "{event}");
    }
    world.end().await;
}

#[tokio::test]
async fn au_18_nobody_else_sees_a_history_and_that_they_asked_is_in_it() {
    let world = World::new().await;
    let me = lived(&world).await;
    let stranger = world.patient().await;
    world.granted(&me, &["*.rs"]).await;
    let mine = events(&world, &own(me.patient), &me, &[], &Window::default()).await;
    let id = all(&mine)[0]["id"].as_str().unwrap().to_owned();
    for nobody in [world.bearer(world.martin), world.bearer(world.nurse), world.insurers(), own(stranger.patient)] {
        let before = world.leaves().await.len();
        let page = events(&world, &nobody, &me, &[], &Window::default()).await;
        assert_eq!((page.matches.len(), page.total, page.next), (0, Some(0), None));
        let one = world.house.projection.event(&nobody, me.patient, &id).await;
        assert!(matches!(one, Err(Withheld::Hidden)), "{one:?}");
        assert_eq!(world.leaves().await.len(), before + 2);
        assert_eq!(world.last().await.act, Act::Refuse);
    }
    // With a token of their own, the id of another's event is no id.
    let one = world.house.projection.event(&own(stranger.patient), stranger.patient, &id).await;
    assert!(matches!(one, Err(Withheld::Hidden)));
    let tried = [("outcome", "8"), ("entity-role", "24")];
    let tried = events(&world, &own(me.patient), &me, &tried, &Window::default()).await;
    assert_eq!(tried.matches.len(), 4, "each try of each of them is there to be seen");
    world.end().await;
}

#[tokio::test]
async fn an_event_is_found_by_date_agent_entity_and_outcome() {
    let world = World::new().await;
    let me = lived(&world).await;
    let mine = own(me.patient);
    let patient = format!("Patient/{}", me.patient);
    let martin = format!("Practitioner/{}", world.martin);
    let hospital = format!("Organization/{}", world.hospital);
    let count = async |pairs: &[(&str, &str)]| {
        let page = events(&world, &mine, &me, pairs, &Window::default()).await;
        page.matches.len()
    };
    assert_eq!(count(&[("agent", martin.as_str()), ("action", "R")]).await, 2);
    assert_eq!(count(&[("agent", hospital.as_str()), ("outcome", "0")]).await, 2);
    assert_eq!(count(&[("outcome", "8")]).await, 1);
    assert_eq!(count(&[("date", "lt2020")]).await, 0);
    assert_eq!(count(&[("date", "ge2020"), ("action", "R")]).await, 2);
    let all_of_it = count(&[]).await;
    assert_eq!(count(&[("patient", patient.as_str())]).await, all_of_it + 1);
    world.end().await;
}

#[tokio::test]
async fn pages_go_through_a_history_once_each_however_it_grows_meanwhile() {
    let world = World::new().await;
    let me = lived(&world).await;
    let mine = own(me.patient);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = events(&world, &mine, &me, &[], &Window { count: Some(2), after }).await;
        assert!(page.matches.len() <= 2);
        seen.extend(all(&page).into_iter().map(|e| e["id"].as_str().unwrap().to_owned()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 9, "what was added by paging lies before the first page");
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 9);
    for id in &seen {
        let shown = world.house.projection.event(&mine, me.patient, id).await.unwrap();
        assert_eq!(valid(&shown)["id"], id.as_str(), "ids are stable");
    }
    let search = query(&world, "AuditEvent", &[]);
    let window = Window { count: None, after: Some("0".repeat(26)) };
    let bad = world.house.projection.events(&mine, me.patient, &search, &window).await;
    assert!(matches!(bad, Err(Withheld::BadQuery(_))));
    let bound = Window { count: Some(u32::MAX), after: None };
    assert!(events(&world, &mine, &me, &[], &bound).await.matches.len() <= 200);
    world.end().await;
}

#[tokio::test]
async fn an_event_whose_personal_part_was_exchanged_is_not_told() {
    const SQL: &str =
        "UPDATE log_leaf SET personal = (SELECT personal FROM log_leaf l WHERE l.leaf = $1) WHERE leaf = $2";
    let world = World::new().await;
    let me = lived(&world).await;
    let mine: Vec<i64> =
        world.house.store.leaves_of(me.patient, 0, 100).await.unwrap().iter().map(|row| row.leaf).collect();
    let args = vec![mine[0].into(), mine[3].into()];
    world.house.store.db().transact("test", vec![(SQL, args)]).await.unwrap();
    let search = query(&world, "AuditEvent", &[]);
    let page = world.house.projection.events(&own(me.patient), me.patient, &search, &Window::default()).await;
    assert!(matches!(page, Err(Withheld::Unavailable(_))), "{page:?}");
    world.end().await;
}

#[tokio::test]
async fn the_id_of_an_event_tells_nothing_and_is_no_ones_elses() {
    let world = World::new().await;
    let (me, other) = (world.patient().await, world.patient().await);
    let indexer = world.house.keyring.indexer();
    let mut seen = std::collections::HashSet::new();
    for index in (0..200).chain([u64::MAX, 1 << 63]) {
        let id = alias::alias(&indexer, me.patient, index);
        assert_eq!(alias::leaf(&indexer, me.patient, &id), Some(index));
        assert_eq!(alias::leaf(&indexer, other.patient, &id), None);
        assert!(seen.insert(id));
    }
    // Neighbours share no beginning: neither order nor distance shows.
    let first = |index| alias::alias(&indexer, me.patient, index)[..4].to_owned();
    assert!((0..50).map(first).collect::<std::collections::HashSet<_>>().len() > 45);
    world.end().await;
}
