//! A record is changed in part by those who may both change and read it; to all others it is not there.

use std::net::SocketAddr;
use std::sync::Arc;

use garant::app::House;
use garant::id::{PatientId, RecordId};
use garant::ledger::Act;
use garant::model::{Period, RecordKey, Terms};

use crate::cast::{self, Clinic, Patient, Scene};
use crate::doors::Served;
use crate::house::{self, each};
use crate::wire::{self, Answer};

const PATCH: &str = "application/json-patch+json";

async fn send(at: SocketAddr, token: &str, path: &str, headers: &[&str], patch: &str) -> Answer {
    let mut all = vec![wire::bearer(token)];
    all.extend(headers.iter().map(|h| (*h).to_owned()));
    wire::send(at, &wire::request("PATCH", path, &all, patch.as_bytes())).await.unwrap()
}

/// Patches `key`, said to be at `version`.
async fn patch(at: SocketAddr, token: &str, key: RecordKey, version: i64, patch: &str) -> Answer {
    let rests_on = format!("If-Match: W/\"{version}\"");
    let kind = format!("Content-Type: {PATCH}");
    send(at, token, &format!("/fhir/Observation/{key}"), &[&rests_on, &kind], patch).await
}

fn one(op: &str, path: &str, value: &str) -> String {
    format!(r#"[{{"op":"{op}","path":"{path}","value":{value}}}]"#)
}

async fn acts(house: &House) -> Vec<Act> {
    house::entries(house).await.iter().map(|e| e.act).collect()
}

/// An Observation with a number whose spelling says how exact it is.
fn measured(patient: PatientId) -> String {
    cast::observation(patient, "first").replacen('{', "{ \"valueQuantity\" : {\"value\": 1.50, \"unit\":\"g\"} ,", 1)
}

/// Refuses what is no patch of the record, which is at version 1, and what must not become of it.
async fn refuses(at: SocketAddr, token: &str, key: RecordKey, stranger: PatientId) {
    let amend = one("replace", "/status", "\"amended\"");
    let path = format!("/fhir/Observation/{key}");
    let rests_on = "If-Match: W/\"1\"";
    let media = |media: &str| format!("Content-Type: {media}");
    for (what, headers, body, status) in [
        ("no If-Match", vec![media(PATCH)], amend.as_str(), 400),
        ("a strong one", vec![media(PATCH), "If-Match: \"1\"".to_owned()], &amend, 400),
        ("XML", vec![media("application/xml-patch+xml"), rests_on.to_owned()], &amend, 415),
        ("a merge patch", vec![media("application/merge-patch+json"), rests_on.to_owned()], "{}", 415),
        ("FHIRPath", vec![media("application/fhir+json"), rests_on.to_owned()], "{}", 415),
        ("no patch", vec![media(PATCH), rests_on.to_owned()], "{}", 400),
        ("no JSON", vec![media(PATCH), rests_on.to_owned()], "[", 400),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = send(at, token, &path, &headers, body).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{what}");
    }
    let stale = patch(at, token, key, 2, &amend).await;
    assert_eq!((stale.status, stale.json()["issue"][0]["code"].as_str()), (412, Some("conflict")));
    for (op, place, value) in [
        ("test", "/status", "\"amended\"".to_owned()),
        ("replace", "/absent", "1".to_owned()),
        ("replace", "/id", "\"x\"".to_owned()),
        ("replace", "/meta/security/0/code", "\"U\"".to_owned()),
        ("replace", "/subject/reference", format!("\"Patient/{stranger}\"")),
        // Judged like any other next version: not valid FHIR, not a subject at all.
        ("replace", "/status", "\"done\"".to_owned()),
        ("add", "/note", "[]".to_owned()),
        ("remove", "/code", "0".to_owned()),
    ] {
        let answer = patch(at, token, key, 1, &one(op, place, &value)).await;
        assert_eq!(answer.status, 422, "{op} {place}: {}", answer.text());
    }
}

#[test]
fn fh_23_a_patch_makes_the_next_version_and_leaves_every_other_byte() {
    each("FH-23", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let key = cast::import(&open.house, measured(scene.patient.id)).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let (at, path) = (served.at, format!("/fhir/Observation/{key}"));
        let before = wire::get(at, &path, &token).await.unwrap().text();
        assert!(before.contains("{\"value\": 1.50, \"unit\":\"g\"}"), "{before}");

        let amend = one("replace", "/status", "\"amended\"");
        refuses(at, &token, key, Patient::enrol(&open.house).await.id).await;
        assert_eq!(wire::get(at, &path, &token).await.unwrap().text(), before, "nothing was changed yet");

        let told = acts(&open.house).await.len();
        let tested = format!(r#"[{{"op":"test","path":"/valueQuantity/value","value":1.5}},{}"#, &amend[1..]);
        let done = patch(at, &token, key, 1, &tested).await;
        assert_eq!((done.status, done.header("etag")), (200, Some("W/\"2\"")), "{}", done.text());
        assert!(done.header("location").unwrap().ends_with(&format!("{key}/_history/2")));
        assert_eq!(acts(&open.house).await[told..], [Act::Disclose, Act::Update], "opened, and changed");
        let after = wire::get(at, &path, &token).await.unwrap();
        let moved = |text: &str| {
            let (head, rest) = text.split_once("\"lastUpdated\":\"").unwrap();
            format!("{head}{}", rest.split_once('"').unwrap().1)
        };
        let wanted =
            before.replacen("\"final\"", "\"amended\"", 1).replacen("\"versionId\":\"1\"", "\"versionId\":\"2\"", 1);
        assert_eq!(moved(&after.text()), moved(&wanted));
        assert_eq!(patch(at, &token, key, 1, &tested).await.status, 412, "it was taken once");
        let back = ["If-Match: W/\"2\"", "Prefer: return=representation", "Content-Type: application/json-patch+json"];
        let back = send(at, &token, &path, &back, &one("add", "/valueQuantity/code", "\"g\"")).await;
        assert_eq!(back.json()["valueQuantity"]["code"], "g");
        served.end().await;
        open.close().await;
    });
}

/// Checks what `clinic`, which may read and change the record, at version 3, is told aloud.
async fn told_aloud(house: &House, at: SocketAddr, clinic: &Clinic, key: RecordKey) {
    // A token that does not speak of both is told so aloud; types that never change have no such route.
    let text = one("test", "/code/text", "\"known\"");
    let both = clinic.token(house).await;
    let absent = RecordKey { record: RecordId::random(&*house.chance).unwrap(), ..key };
    let little = clinic.token_for(house, "Observation.cu").await;
    assert_eq!(patch(at, &little, key, 3, &text).await.status, 403);
    let own = cast::patient_token(house, key.patient);
    assert_eq!(patch(at, &own, key, 3, &text).await.status, 403);
    for kind in ["AuditEvent", "Consent", "Provenance"] {
        let headers = ["If-Match: W/\"1\"", "Content-Type: application/json-patch+json"];
        let answer = send(at, &both, &format!("/fhir/{kind}/{absent}"), &headers, &text).await;
        assert_eq!(answer.status, 405, "{kind}");
    }
    // What is deleted is not there to be patched.
    let headers = [wire::bearer(&both)];
    assert_eq!(
        wire::send(at, &wire::request("DELETE", &format!("/fhir/Observation/{key}"), &headers, b""))
            .await
            .unwrap()
            .status,
        204
    );
    let gone = patch(at, &both, key, 3, &text).await;
    assert_eq!(gone.comparable(), patch(at, &both, absent, 3, &text).await.comparable());
}

#[test]
fn fh_23_a_patch_is_for_those_who_may_read_and_change_and_is_no_oracle_to_others() {
    each("FH-23", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let (at, scene) = (served.at, Scene::set(&open.house, "known").await);
        let hidden = cast::labelled("Observation", scene.patient.id, "known", "R");
        let hidden = cast::import(&open.house, hidden).await;
        let absent = RecordKey { patient: scene.patient.id, record: RecordId::random(&*open.house.chance).unwrap() };
        let nobody = RecordKey { patient: PatientId::random(&*open.house.chance).unwrap(), ..absent };
        let patches = [
            one("test", "/code/text", "\"known\""),
            one("test", "/code/text", "\"other\""),
            one("replace", "/absent", "1"),
            one("replace", "/id", "\"x\""),
            one("replace", "/status", "\"amended\""),
        ];
        // Who may only read, who may only change, and who may do neither.
        let of = async |scopes: &[&str]| {
            let clinic = Clinic::enrol(&open.house).await;
            let scope = scopes.iter().map(|s| s.parse().unwrap()).collect();
            let terms = Terms { scope, ..clinic.terms(open.house.clock.now()) };
            if !scopes.is_empty() {
                cast::grant(&open.house, &scene.patient, terms).await;
            }
            clinic.token(&open.house).await
        };
        let reader = of(&["Observation.rs"]).await;
        let writer = of(&["Observation.cu"]).await;
        let stranger = of(&[]).await;
        for token in [&reader, &writer, &stranger] {
            for (text, version) in patches.iter().flat_map(|text| [(text, 1), (text, 7)]) {
                let told = acts(&open.house).await.len();
                let shown = patch(at, token, scene.record, version, text).await;
                assert_eq!(acts(&open.house).await[told..], [Act::Refuse], "nothing was opened");
                assert_eq!(shown.status, 404, "{}", shown.text());
                for other in [hidden, absent, nobody] {
                    assert_eq!(shown.comparable(), patch(at, token, other, version, text).await.comparable(), "{text}");
                }
            }
        }
        let body = cast::with_id(&cast::observation(scene.patient.id, "known"), scene.record);
        let headers =
            [wire::bearer(&writer), "If-Match: W/\"1\"".to_owned(), "Content-Type: application/fhir+json".to_owned()];
        let path = format!("/fhir/Observation/{}", scene.record);
        let put = wire::send(at, &wire::request("PUT", &path, &headers, body.as_bytes())).await.unwrap();
        assert_eq!(put.status, 200, "the writer may replace what it may not patch");

        // One who may do both, up to what the consent covers: neither what was nor what becomes of it lies beyond.
        let clinic = Clinic::enrol(&open.house).await;
        let authored = Period { from: garant::clock::Timestamp::from_secs(1_600_000_000), to: Period::ALWAYS.to };
        let terms = Terms { authored, ..clinic.terms(open.house.clock.now()) };
        cast::grant(&open.house, &scene.patient, terms).await;
        let both = clinic.token(&open.house).await;
        let beyond = patch(at, &both, scene.record, 2, &one("replace", "/effectiveDateTime", "\"1999-01-01\"")).await;
        assert_eq!(beyond.comparable(), patch(at, &both, absent, 2, &patches[0]).await.comparable());
        for text in &patches {
            let shown = patch(at, &both, hidden, 1, text).await.comparable();
            assert_eq!(shown, patch(at, &both, absent, 1, text).await.comparable());
        }
        assert_eq!(patch(at, &both, scene.record, 2, &patches[4]).await.status, 200);

        told_aloud(&open.house, at, &clinic, scene.record).await;
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fh_23_of_two_patches_on_the_same_version_exactly_one_stands() {
    each("FH-23", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Arc::new(Scene::set(&open.house, "x").await);
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let n = house::trials(10, 300);
        println!("FH-23: {n} pairs");
        for round in 0..n {
            let version = i64::try_from(round).unwrap() + 1;
            let text = |to: &str| one("replace", "/note/0/text", &format!("\"{to}{round}\""));
            let (a, b) = (text("a"), text("b"));
            let (a, b) = tokio::join!(
                patch(served.at, &token, scene.record, version, &a),
                patch(served.at, &token, scene.record, version, &b)
            );
            let mut both = [a.status, b.status];
            both.sort_unstable();
            assert!(both == [200, 409] || both == [200, 412], "round {round}: {both:?}");
        }
        served.end().await;
        open.close().await;
    });
}
