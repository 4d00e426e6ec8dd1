//! Consents as FHIR: whose, to whom, and that they say what was signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{all, own, valid};
use crate::clock::Timestamp;
use crate::consent::Wish;
use crate::consent::tests::world::{DAY, World};
use crate::id::ConsentId;
use crate::ledger::{Act, Ground};
use crate::model::{Bearer, Confidentiality, Grantee, Period, Purpose, Statement};
use crate::projection::consents::key;
use crate::release::Withheld;

#[tokio::test]
async fn co_10_a_patient_sees_all_of_theirs_and_a_grantee_what_names_them() {
    let world = World::new().await;
    let me = world.patient().await;
    let stranger = world.patient().await;
    let to_martin = world.granted(&me, &["Observation.rs"]).await.consent;
    let terms = world.terms_for(Grantee::Professional(world.nurse), Purpose::Treat, &["Observation.rs"]);
    let to_nurse = world.done(&me, Wish::Grant(terms)).await.unwrap().consent;
    let mine = world.shown(&own(me.patient), &me, &[]).await;
    assert_eq!((mine.matches.len(), mine.total), (2, Some(2)));
    let leaf = world.disclosed(mine.leaf).await;
    assert_eq!((leaf.ground, leaf.records), (Ground::Oneself, 2));
    for (who, consent) in [(world.martin, to_martin), (world.nurse, to_nurse)] {
        let page = world.shown(&world.bearer(who), &me, &[("status", "active")]).await;
        let seen = all(&page);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0]["id"], key(me.patient, consent).to_string());
        // It rests on the consent that was shown, so it cannot stand after the end of it.
        let leaf = world.disclosed(page.leaf).await;
        assert_eq!(leaf.ground, Ground::Consent);
        assert_eq!(leaf.basis.iter().map(|b| b.consent).collect::<Vec<_>>(), [consent]);
    }
    for nobody in [world.insurers(), own(stranger.patient)] {
        let page = world.shown(&nobody, &me, &[]).await;
        assert_eq!((page.matches.len(), page.total, page.leaf), (0, Some(0), None));
        assert_eq!(world.last().await.act, Act::Refuse);
        let one = world.house.projection.consent(&nobody, key(me.patient, to_martin), None).await;
        assert!(matches!(one, Err(Withheld::Hidden)), "{one:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn co_10_the_end_of_a_consent_and_an_exclusion_are_hidden_from_whom_they_concern() {
    let world = World::new().await;
    let me = world.patient().await;
    let consent = world.granted(&me, &["Observation.rs"]).await.consent;
    let martin = world.bearer(world.martin);
    let see = async |bearer: &Bearer| world.shown(bearer, &me, &[]).await.matches.len();
    assert_eq!(see(&martin).await, 1);
    world.house.consents.revoke(me.patient, consent).await.unwrap();
    assert_eq!(see(&martin).await, 0, "EHDS 8: that it was ended is the patient's own business");
    let mine = world.shown(&own(me.patient), &me, &[("status", "inactive")]).await;
    assert_eq!(all(&mine)[0]["provision"]["type"], "permit", "CO-12: what it was is kept for the patient");
    let terms = world.terms_for(Grantee::Organisation(world.hospital), Purpose::Treat, &["Observation.rs"]);
    world.done(&me, Wish::Grant(terms)).await.unwrap();
    assert_eq!(see(&martin).await, 1);
    world.done(&me, Wish::Exclude(world.martin)).await.unwrap();
    assert_eq!(see(&martin).await, 0, "shut out of what names the hospital, too");
    assert_eq!(see(&world.bearer(world.nurse)).await, 1, "the others are not");
    world.clock.advance_secs(366 * DAY);
    assert_eq!(see(&world.bearer(world.nurse)).await, 0, "over");
    let mine = world.shown(&own(me.patient), &me, &[("status", "active")]).await;
    assert_eq!(all(&mine)[0]["provision"]["type"], "deny", "an exclusion has no end of its own");
    world.end().await;
}

#[tokio::test]
async fn co_13_a_consent_carries_the_statement_byte_for_byte_and_reads_as_it() {
    let world = World::new().await;
    let me = world.patient().await;
    let mut terms = world.terms(&["Observation.rs?category=http://x|lab", "Condition.cr"]);
    terms.scope.sort();
    terms.sensitivity = vec!["PSY".parse().unwrap()];
    terms.authored = Period { from: Timestamp::from_secs(1_640_995_200), to: Period::ALWAYS.to };
    terms.confidentiality = Confidentiality::R;
    world.done(&me, Wish::Grant(terms.clone())).await.unwrap();
    let page = world.shown(&own(me.patient), &me, &[]).await;
    let consent = &all(&page)[0];
    let data = STANDARD.decode(consent["sourceAttachment"]["data"].as_str().unwrap()).unwrap();
    let said = Statement::parse(&data).unwrap();
    assert_eq!(consent["policy"][0]["uri"], format!("urn:garant:policy:sha-256:{}", said.policy));
    let rules = consent["provision"]["provision"].as_array().unwrap();
    assert_eq!((consent["provision"]["type"].as_str(), rules.len()), (Some("deny"), 2), "each scope by itself");
    let lab = rules.iter().find(|rule| rule["class"][0]["code"] == "Observation").unwrap();
    assert_eq!(lab["code"][0]["coding"][0], json!({ "system": "http://x", "code": "lab" }));
    assert_eq!(lab["dataPeriod"], json!({ "start": "2022-01-01T00:00:00.000Z" }));
    assert_eq!(lab["securityLabel"][0]["code"], "R");
    let closed: Vec<&str> =
        lab["provision"][0]["securityLabel"].as_array().unwrap().iter().filter_map(|l| l["code"].as_str()).collect();
    assert!(closed.contains(&"HIV") && !closed.contains(&"PSY") && !closed.contains(&"SPI"), "{closed:?}");
    assert!(consent["meta"].get("profile").is_none(), "PCF has no words for types");
    let every = world.granted(&me, &["*.rs"]).await.consent;
    let shown = world.house.projection.consent(&own(me.patient), key(me.patient, every), None).await.unwrap();
    let every = valid(&shown);
    assert!(every["meta"]["profile"][0].as_str().unwrap().ends_with("IHE.PCF.consentAdvanced"));
    for absent in ["class", "action", "code"] {
        assert!(every["provision"].get(absent).is_none(), "PC-07: {absent}");
    }
    world.end().await;
}

#[tokio::test]
async fn co_11_an_older_revision_is_shown_to_its_patient_alone() {
    let world = World::new().await;
    let me = world.patient().await;
    let consent = world.granted(&me, &["Condition.rs", "Observation.rs"]).await.consent;
    world.done(&me, Wish::Narrow(consent, world.terms(&["Observation.rs"]))).await.unwrap();
    world.house.consents.revoke(me.patient, consent).await.unwrap();
    let read = async |bearer: &Bearer, revision| {
        world.house.projection.consent(bearer, key(me.patient, consent), revision).await.map(|shown| valid(&shown))
    };
    let mine = own(me.patient);
    let types = |consent: &serde_json::Value| consent["provision"]["class"].as_array().unwrap().len();
    for (revision, status, of_types) in [(1, "active", 2), (2, "active", 1), (3, "inactive", 1)] {
        let shown = read(&mine, Some(revision)).await.unwrap();
        assert_eq!((shown["status"].as_str(), types(&shown)), (Some(status), of_types), "{revision}");
        assert_eq!(shown["meta"]["versionId"], revision.to_string());
    }
    for bad in [0, 4, -1, i64::MAX] {
        assert!(matches!(read(&mine, Some(bad)).await, Err(Withheld::Hidden)), "{bad}");
    }
    let other = world.granted(&me, &["Observation.rs"]).await.consent;
    world.done(&me, Wish::Narrow(other, world.terms(&["Observation.r"]))).await.unwrap();
    let martin = world.bearer(world.martin);
    let at = async |revision| world.house.projection.consent(&martin, key(me.patient, other), revision).await;
    assert!(at(None).await.is_ok() && at(Some(2)).await.is_ok());
    assert!(matches!(at(Some(1)).await, Err(Withheld::Hidden)));
    let nothing = key(me.patient, ConsentId::from_bytes([5; 16]));
    let nothing = world.house.projection.consent(&mine, nothing, None).await;
    assert!(matches!(nothing, Err(Withheld::Hidden)));
    world.end().await;
}
