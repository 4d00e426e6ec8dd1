//! A record has versions: who may change it changes the current one, and each is shown to those who may see it.

use std::net::SocketAddr;
use std::sync::Arc;

use garant::id::{PatientId, RecordId};
use garant::ledger::Act;
use garant::model::{Confidentiality, RecordKey};

use crate::cast::{self, Clinic, Patient, Scene};
use crate::doors::Served;
use crate::house::{self, each, trials};
use crate::wire::{self, Answer};

/// A client with a token and a place to send to.
struct Client<'c> {
    at: SocketAddr,
    token: &'c str,
}

impl Client<'_> {
    async fn ask(&self, method: &str, path: &str, more: &[&str], body: &str) -> Answer {
        let mut headers = vec![wire::bearer(self.token), "Content-Type: application/fhir+json".to_owned()];
        headers.extend(more.iter().map(|h| (*h).to_owned()));
        wire::send(self.at, &wire::request(method, path, &headers, body.as_bytes())).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    /// Replaces `key`, said to be at `version`, by an Observation that says `text`.
    async fn put(&self, key: RecordKey, version: i64, text: &str) -> Answer {
        let body = cast::with_id(&cast::observation(key.patient, text), key);
        let rests_on = format!("If-Match: W/\"{version}\"");
        self.ask("PUT", &format!("/fhir/Observation/{key}"), &[&rests_on], &body).await
    }
}

fn issue(answer: &Answer) -> String {
    answer.json()["issue"][0]["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn fh12_fh17_fh19_each_version_is_made_on_the_current_one_and_stays_readable() {
    each("FH-19", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let client = Client { at: served.at, token: &token };
        // What the client says of id, version and moment is ignored.
        let mut first: serde_json::Value = serde_json::from_str(&cast::observation(scene.patient.id, "first")).unwrap();
        first["id"] = "mine".into();
        first["meta"]["versionId"] = "9".into();
        let made = client.ask("POST", "/fhir/Observation", &[], &first.to_string()).await;
        assert_eq!((made.status, made.header("etag")), (201, Some("W/\"1\"")));
        assert!(made.header("last-modified").unwrap().ends_with(" GMT"), "{:?}", made.header("last-modified"));
        let location = made.header("location").unwrap().strip_prefix(house::BASE).unwrap();
        let path = format!("/fhir{}", location.strip_suffix("/_history/1").unwrap());
        let key: RecordKey = path.rsplit('/').next().unwrap().parse().unwrap();

        let body = cast::with_id(&cast::observation(scene.patient.id, "second"), key);
        assert_eq!(client.ask("PUT", &path, &[], &body).await.status, 400, "no If-Match");
        assert_eq!(client.ask("PUT", &path, &["If-Match: \"1\""], &body).await.status, 400, "a strong one");
        let stale = client.put(key, 2, "second").await;
        assert_eq!((stale.status, issue(&stale).as_str()), (412, "conflict"));
        let second = client.put(key, 1, "second").await;
        assert_eq!((second.status, second.header("etag")), (200, Some("W/\"2\"")), "{}", second.text());
        assert_eq!(client.put(key, 1, "late").await.status, 412);
        let now = client.get(&path).await;
        assert_eq!((now.header("etag"), now.json()["meta"]["versionId"].as_str()), (Some("W/\"2\""), Some("2")));
        assert_eq!(now.json()["code"]["text"], "second");
        for (version, text) in [(1, "first"), (2, "second")] {
            let then = client.get(&format!("{path}/_history/{version}")).await;
            assert_eq!((then.status, then.json()["code"]["text"].as_str()), (200, Some(text)));
            assert_eq!(then.json()["meta"]["versionId"], version.to_string());
        }
        for never in ["3", "0", "01", "-1", "x"] {
            assert_eq!(client.get(&format!("{path}/_history/{never}")).await.status, 404, "{never}");
        }
        let found = client.get(&format!("/fhir/Observation?patient=Patient/{}&_id={key}", scene.patient.id)).await;
        assert_eq!((found.json()["total"].as_u64(), found.text().contains("first")), (Some(1), false));
        // The log says who changed what.
        let acts: Vec<Act> = house::entries(&open.house).await.iter().map(|e| e.act).collect();
        assert_eq!(acts.iter().filter(|a| **a == Act::Update).count(), 1);
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fh18_fh20_fh22_fh26_what_cannot_replace_a_record_is_refused_and_changes_nothing() {
    each("FH-20", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let hidden = cast::labelled("Observation", scene.patient.id, "restricted", "R");
        let hidden = cast::import(&open.house, hidden).await;
        scene.grant(&open.house).await;
        let stranger = Patient::enrol(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let client = Client { at: served.at, token: &token };
        let (key, path) = (scene.record, format!("/fhir/Observation/{}", scene.record));
        let own = cast::observation(scene.patient.id, "x");
        let rests_on = ["If-Match: W/\"1\""];
        let other = RecordKey { patient: key.patient, record: RecordId::random(&*open.house.chance).unwrap() };
        let subsetted = own.replacen(
            "\"meta\":{",
            "\"meta\":{\"tag\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ObservationValue\",\
             \"code\":\"SUBSETTED\"}],",
            1,
        );
        assert_ne!(own, subsetted);
        let raised = cast::labelled("Observation", scene.patient.id, "x", "R");
        for (what, body, status) in [
            ("no id", own.clone(), 400),
            ("another id", cast::with_id(&own, other), 400),
            ("another type", cast::with_id(&cast::labelled("Condition", key.patient, "x", "N"), key), 400),
            ("a part", cast::with_id(&subsetted, key), 422),
            ("another patient", cast::with_id(&cast::observation(stranger.id, "x"), key), 403),
            ("more than the consent covers", cast::with_id(&raised, key), 405),
        ] {
            let answer = client.ask("PUT", &path, &rests_on, &body).await;
            assert_eq!(answer.status, status, "{what}: {}", answer.text());
        }
        // Hidden and absent are the same bytes, whatever version is named.
        let nobody = RecordKey { patient: PatientId::random(&*open.house.chance).unwrap(), ..other };
        for version in [1, 7] {
            let shown = client.put(hidden, version, "x").await;
            assert_eq!(shown.status, 405);
            for absent in [other, nobody] {
                assert_eq!(shown.comparable(), client.put(absent, version, "x").await.comparable());
            }
        }
        let now = client.get(&path).await;
        assert_eq!((now.header("etag"), now.status), (Some("W/\"1\""), 200));
        // FH-29, and what this house makes itself.
        for kind in ["AuditEvent", "Consent", "Provenance"] {
            assert_eq!(client.ask("DELETE", &format!("/fhir/{kind}/{key}"), &[], "").await.status, 405, "{kind}");
            assert_eq!(client.ask("PUT", &format!("/fhir/{kind}/{key}"), &rests_on, &own).await.status, 405, "{kind}");
        }
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fh21_of_two_updates_on_the_same_version_exactly_one_stands() {
    each("FH-21", async |home| {
        let n = trials(20, 1_000);
        println!("FH-21: {n} pairs");
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let client = Client { at: served.at, token: &token };
        for round in 0..n {
            let version = i64::try_from(round).unwrap() + 1;
            let (a, b) =
                tokio::join!(client.put(scene.record, version, "one"), client.put(scene.record, version, "other"));
            let mut both = [a.status, b.status];
            both.sort_unstable();
            assert!(both == [200, 409] || both == [200, 412], "round {round}: {both:?}");
        }
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fh24_what_is_deleted_is_gone_for_those_who_might_see_it_and_absent_for_all_others() {
    each("FH-24", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let stranger = Clinic::enrol(&open.house).await;
        let tokens = (scene.clinic.token(&open.house).await, stranger.token(&open.house).await);
        let (client, other) = (Client { at: served.at, token: &tokens.0 }, Client { at: served.at, token: &tokens.1 });
        let absent = RecordKey { patient: scene.patient.id, record: RecordId::random(&*open.house.chance).unwrap() };
        let at = |key: RecordKey| format!("/fhir/Observation/{key}");
        let path = at(scene.record);
        assert_eq!(client.put(scene.record, 1, "second").await.status, 200);
        assert_eq!(
            other.ask("DELETE", &path, &[], "").await.comparable(),
            other.ask("DELETE", &at(absent), &[], "").await.comparable()
        );
        assert_eq!(client.ask("DELETE", &path, &["If-Match: W/\"1\""], "").await.status, 412);
        assert_eq!(client.get(&path).await.status, 200, "nothing was deleted yet");
        for _ in 0..2 {
            let gone = client.ask("DELETE", &path, &[], "").await;
            assert_eq!((gone.status, gone.body.len()), (204, 0));
        }
        let read = client.get(&path).await;
        assert_eq!((read.status, issue(&read).as_str(), read.header("etag")), (410, "deleted", None));
        assert_eq!(client.get(&format!("{path}/_history/3")).await.status, 410);
        assert_eq!(client.get(&format!("{path}/_history/2")).await.json()["code"]["text"], "second");
        for after in ["", "/_history", "/_history/1", "/_history/3"] {
            let (hidden, nothing) =
                (other.get(&format!("{path}{after}")).await, other.get(&format!("{}{after}", at(absent))).await);
            assert_eq!((hidden.status, hidden.comparable()), (404, nothing.comparable()), "{after}");
        }
        assert_eq!(client.put(scene.record, 3, "back").await.status, 405, "no undelete (FH-25)");
        let found = client.get(&format!("/fhir/Observation?patient=Patient/{}", scene.patient.id)).await;
        assert_eq!(found.json()["total"], 0);
        let history = client.get(&format!("{path}/_history")).await.json();
        let entries = history["entry"].as_array().unwrap();
        let said: Vec<(&str, bool)> =
            entries.iter().map(|e| (e["request"]["method"].as_str().unwrap(), e.get("resource").is_some())).collect();
        assert_eq!(said, [("DELETE", false), ("PUT", true), ("POST", true)]);
        let acts: Vec<Act> = house::entries(&open.house).await.iter().map(|e| e.act).collect();
        assert_eq!(acts.iter().filter(|a| **a == Act::Delete).count(), 1, "deleting twice is one deletion");
        // The patient sees the past of their own record, and its end.
        let own = cast::patient_token(&open.house, scene.patient.id);
        let own = Client { at: served.at, token: &own };
        assert_eq!(own.get(&path).await.status, 410);
        assert_eq!(own.ask("DELETE", &path, &[], "").await.status, 403);
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fh30_fh31_a_history_lists_the_versions_newest_first_and_page_by_page() {
    each("FH-30", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let consent = scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let client = Client { at: served.at, token: &token };
        let path = format!("/fhir/Observation/{}/_history", scene.record);
        for version in 1..5 {
            assert_eq!(client.put(scene.record, version, &format!("after {version}")).await.status, 200);
        }
        let versions = |answer: &Answer| -> Vec<String> {
            let entries = answer.json()["entry"].as_array().cloned().unwrap_or_default();
            entries.iter().map(|e| e["resource"]["meta"]["versionId"].as_str().unwrap().to_owned()).collect()
        };
        let all = client.get(&path).await;
        assert_eq!(versions(&all), ["5", "4", "3", "2", "1"]);
        assert_eq!((all.json()["type"].as_str(), all.json()["total"].as_u64()), (Some("history"), Some(5)));
        for entry in all.json()["entry"].as_array().unwrap() {
            assert!(entry["request"]["url"].is_string() && entry["response"]["status"].is_string());
            assert_eq!(entry["fullUrl"], format!("{}/Observation/{}", house::BASE, scene.record), "bdl-8");
        }
        let entry = house::entries(&open.house).await.pop().unwrap();
        assert_eq!((entry.act, entry.records), (Act::Disclose, 5), "every version shown is on record");
        // Pages, each decided anew.
        let (mut url, mut seen, mut pages) = (format!("{path}?_count=2"), Vec::new(), 0);
        while !url.is_empty() {
            let page = client.get(&url).await;
            seen.extend(versions(&page));
            let links = page.json()["link"].as_array().unwrap().clone();
            let next = links.iter().find(|l| l["relation"] == "next").map(|l| l["url"].as_str().unwrap().to_owned());
            url = next.map_or(String::new(), |next| next.replace(house::BASE, "/fhir"));
            pages += 1;
        }
        assert_eq!((seen.join(" ").as_str(), pages), ("5 4 3 2 1", 3));
        let last = all.json()["entry"][0]["response"]["lastModified"].as_str().unwrap().replace('+', "%2B");
        assert_eq!(versions(&client.get(&format!("{path}?_since={last}")).await), ["5"]);
        let later = client.get(&format!("{path}?_since=2999-01-01T00:00:00Z")).await;
        assert_eq!((later.status, later.json()["total"].as_u64(), versions(&later).len()), (200, Some(0), 0));
        assert_eq!(versions(&client.get(&format!("{path}?_at=2999")).await), ["5"]);
        for bad in ["_since=x", "_since=2026", "_count=-1", "_count=2&_count=3", "code=x", "_at=1&_at=2", "_since="] {
            assert_eq!(client.get(&format!("{path}?{bad}")).await.status, 400, "{bad}");
        }
        for off in ["/fhir/_history", "/fhir/Observation/_history"] {
            let answer = client.get(off).await;
            assert_eq!((answer.status, answer.json()["resourceType"].as_str()), (404, Some("OperationOutcome")));
        }
        cast::revoke(&open.house, scene.patient.id, consent).await.unwrap();
        for after in [path.clone(), format!("{path}?_count=2&_before=4"), format!("{path}/1"), format!("{path}/5")] {
            assert_eq!(client.get(&after).await.status, 404, "{after} (FH-70)");
        }
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fh16_fh70_what_did_not_change_is_told_only_to_those_who_may_see_it() {
    each("FH-16", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let consent = scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let client = Client { at: served.at, token: &token };
        let path = format!("/fhir/Observation/{}", scene.record);
        let modified = client.get(&path).await.header("last-modified").unwrap().to_owned();
        let since = format!("If-Modified-Since: {modified}");
        let known = ["If-None-Match: W/\"1\"", "If-None-Match: W/\"7\", W/\"1\"", since.as_str()];
        for header in known {
            let before = house::entries(&open.house).await.len();
            let same = client.ask("GET", &path, &[header], "").await;
            assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some("W/\"1\"")), "{header}");
            let entries = house::entries(&open.house).await;
            assert_eq!((entries.len(), entries.last().unwrap().act), (before + 1, Act::Disclose), "{header}");
        }
        for header in ["If-None-Match: W/\"2\"", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(client.ask("GET", &path, &[header], "").await.status, 200, "{header}");
        }
        // FH-28: the headers of a GET, and no byte after them.
        let mut line = wire::Line::connect(served.at).await.unwrap();
        line.write(&wire::request("HEAD", &path, &[wire::bearer(&token)], b"")).await.unwrap();
        let head = String::from_utf8(line.some().await).unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(head.contains("etag: W/\"1\""), "{head}");
        cast::revoke(&open.house, scene.patient.id, consent).await.unwrap();
        for header in known {
            assert_eq!(client.ask("GET", &path, &[header], "").await.status, 404, "{header}");
        }
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fh17_a_label_that_was_raised_covers_the_versions_before_it() {
    each("FH-17", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let trusted = Clinic::enrol(&open.house).await;
        let mut terms = trusted.terms(open.house.clock.now());
        terms.confidentiality = Confidentiality::R;
        cast::grant(&open.house, &scene.patient, terms).await;
        let tokens = (scene.clinic.token(&open.house).await, trusted.token(&open.house).await);
        let (client, trusted) =
            (Client { at: served.at, token: &tokens.0 }, Client { at: served.at, token: &tokens.1 });
        let path = format!("/fhir/Observation/{}", scene.record);
        assert_eq!(client.get(&format!("{path}/_history/1")).await.status, 200);
        let raised = cast::with_id(&cast::labelled("Observation", scene.patient.id, "raised", "R"), scene.record);
        assert_eq!(trusted.ask("PUT", &path, &["If-Match: W/\"1\""], &raised).await.status, 200);
        let absent = RecordKey { patient: scene.patient.id, record: RecordId::random(&*open.house.chance).unwrap() };
        for after in ["", "/_history", "/_history/1", "/_history/2"] {
            let hidden = client.get(&format!("{path}{after}")).await;
            let nothing = client.get(&format!("/fhir/Observation/{absent}{after}")).await;
            assert_eq!((hidden.status, hidden.comparable()), (404, nothing.comparable()), "{after}");
            assert_eq!(trusted.get(&format!("{path}{after}")).await.status, 200, "{after}");
        }
        // Nobody lowers it again by leaving the label out.
        let lowered = trusted.put(scene.record, 2, "lowered").await;
        assert_eq!((lowered.status, issue(&lowered).as_str()), (422, "business-rule"));
        assert_eq!(trusted.get(&path).await.json()["code"]["text"], "raised");
        let again = cast::observation(scene.patient.id, "again");
        let mut unlabelled: serde_json::Value = serde_json::from_str(&again).unwrap();
        unlabelled.as_object_mut().unwrap().remove("meta");
        let unlabelled = cast::with_id(&unlabelled.to_string(), scene.record);
        assert_eq!(trusted.ask("PUT", &path, &["If-Match: W/\"2\""], &unlabelled).await.status, 200);
        let kept = trusted.get(&path).await;
        assert_eq!(
            (kept.json()["code"]["text"].as_str(), kept.text().contains("\"code\":\"R\"")),
            (Some("again"), true)
        );
        assert_eq!(client.get(&path).await.status, 404);
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fh03_fh04_fh05_fh27_answers_come_in_the_form_that_is_asked_for_or_not_at_all() {
    each("FH-03", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let client = Client { at: served.at, token: &token };
        let path = format!("/fhir/Observation/{}", scene.record);
        for (query, accept, status) in [
            ("", "application/json", 200),
            ("", "text/html, application/fhir+json;q=0.9", 200),
            ("", "*/*", 200),
            ("", "application/fhir+json; fhirVersion=4.0", 200),
            ("", "application/fhir+json; fhirVersion=3.0", 406),
            ("", "application/fhir+xml", 406),
            ("", "application/fhir+json;q=0, text/html", 406),
            ("?_format=json", "application/fhir+xml", 200),
            ("?_format=application/fhir+json", "application/fhir+xml", 200),
            ("?_format=application%2Ffhir%2Bjson", "text/html", 200),
            ("?_format=xml", "application/json", 406),
            ("?_format=json&_format=json", "*/*", 400),
            ("?_pretty=true", "*/*", 400),
        ] {
            let answer = client.ask("GET", &format!("{path}{query}"), &[&format!("Accept: {accept}")], "").await;
            assert_eq!(answer.status, status, "{query} {accept}");
            assert_eq!(answer.header("content-type"), Some("application/fhir+json"), "{query} {accept}");
        }
        let body = cast::observation(scene.patient.id, "new");
        let plain = [wire::bearer(&token), "Content-Type: text/plain".to_owned()];
        let refused = wire::request("POST", "/fhir/Observation", &plain, body.as_bytes());
        assert_eq!(wire::send(served.at, &refused).await.unwrap().status, 415);
        for (prefer, kind) in [
            ("return=minimal", None),
            ("handling=strict, return=representation", Some("Observation")),
            ("return=OperationOutcome", Some("OperationOutcome")),
            ("return=else", None),
        ] {
            let answer = client.ask("POST", "/fhir/Observation", &[&format!("Prefer: {prefer}")], &body).await;
            assert_eq!(answer.status, 201);
            assert_eq!(answer.json()["resourceType"].as_str(), kind, "{prefer}");
            assert!(answer.header("location").is_some() && answer.header("etag") == Some("W/\"1\""), "{prefer}");
        }
        served.end().await;
        open.close().await;
    });
}

#[test]
fn a_patient_who_is_erased_has_no_past_either() {
    each("erased past", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Arc::new(Scene::set(&open.house, &home.canary()).await);
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let client = Client { at: served.at, token: &token };
        assert_eq!(client.put(scene.record, 1, &home.canary()).await.status, 200);
        assert_eq!(open.house.store.versions(scene.record, 10).await.unwrap().len(), 2);
        assert!(open.house.store.replaced(scene.record, 1).await.unwrap().is_some());
        open.house.patients.erase(scene.patient.id, 0).await.map(drop).unwrap();
        assert!(open.house.store.versions(scene.record, 10).await.unwrap().is_empty());
        assert!(open.house.store.replaced(scene.record, 1).await.unwrap().is_none());
        for after in ["", "/_history", "/_history/1"] {
            assert_eq!(client.get(&format!("/fhir/Observation/{}{after}", scene.record)).await.status, 404);
        }
        served.end().await;
        open.close().await;
    });
}
