//! What is made only once, and what comes in one batch: each entry is its own request, and what is hidden is no match.

use std::net::SocketAddr;

use base64::Engine as _;
use garant::app::House;
use garant::id::{PatientId, RecordId};
use garant::identity::Identifier;
use garant::ledger::Act;
use garant::model::{RecordKey, Terms};
use serde_json::{Value, json};

use crate::cast::{self, Clinic, Patient, Scene};
use crate::doors::Served;
use crate::house::{self, each};
use crate::wire::{self, Answer};

/// A client with a token and a place to send to.
#[derive(Clone)]
struct Client {
    at: SocketAddr,
    token: String,
}

impl Client {
    async fn post(&self, path: &str, more: &[&str], body: &str) -> Answer {
        let mut headers = vec![wire::bearer(&self.token), "Content-Type: application/fhir+json".to_owned()];
        headers.extend(more.iter().map(|h| (*h).to_owned()));
        wire::send(self.at, &wire::request("POST", path, &headers, body.as_bytes())).await.unwrap()
    }

    /// Creates unless what meets `conditions` is there.
    async fn unless(&self, conditions: &str, body: &str) -> Answer {
        self.post("/fhir/Observation", &[&format!("If-None-Exist: {conditions}")], body).await
    }

    /// The entries that a Bundle is answered with; the answer is valid FHIR.
    async fn bundle(&self, kind: &str, entries: &[Value]) -> Vec<Value> {
        let bundle = json!({ "resourceType": "Bundle", "type": kind, "entry": entries }).to_string();
        let answer = self.post("/fhir", &[], &bundle).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let tree = garant::json::parse(&answer.body, garant::json::Limits::FHIR).unwrap();
        assert_eq!(garant::fhir::validate(&tree), [], "{}", answer.text());
        assert_eq!(answer.json()["type"], format!("{kind}-response"));
        answer.json()["entry"].as_array().cloned().unwrap_or_default()
    }
}

/// An Observation that says `text` and has the identifier `urn:n|value`.
fn numbered(patient: PatientId, value: &str, text: &str) -> Value {
    let mut resource: Value = serde_json::from_str(&cast::observation(patient, text)).unwrap();
    resource["identifier"] = json!([{ "system": "urn:n", "value": value }]);
    resource
}

fn status(entry: &Value) -> &str {
    entry["response"]["status"].as_str().unwrap().get(..3).unwrap()
}

async fn count(house: &House, patient: PatientId) -> usize {
    cast::records(house, patient, "Observation").await.len()
}

async fn acts(house: &House) -> Vec<Act> {
    house::entries(house).await.iter().map(|e| e.act).collect()
}

#[test]
fn fh_14_a_record_is_made_only_when_none_that_meets_the_conditions_is_there() {
    each("FH-14", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let served = Served::by(house).await;
        let scene = Scene::set(house, &home.canary()).await;
        scene.grant(house).await;
        let client = Client { at: served.at, token: scene.clinic.token(house).await };
        let patient = scene.patient.id;
        let body = numbered(patient, "1", "once").to_string();
        let made = client.unless("identifier=urn:n|1", &body).await;
        assert_eq!((made.status, made.header("etag")), (201, Some("W/\"1\"")), "{}", made.text());
        let told = acts(house).await.len();
        let again = client.unless("identifier=urn%3An%7C1", &body).await;
        assert_eq!((again.status, again.header("location")), (200, made.header("location")), "{}", again.text());
        assert_eq!((again.header("etag"), again.header("last-modified"), again.body.len()), (Some("W/\"1\""), None, 0));
        assert_eq!(acts(house).await[told..], [Act::Disclose], "that it is there was told, and nothing was made");
        assert_eq!(count(house, patient).await, 2);
        // Other conditions do not meet it; two that do are an error.
        for (conditions, status) in [
            ("identifier=urn:n|1&code=4548-4", 200),
            ("identifier=urn:n|1&patient=Patient/", 200),
            ("code=4548-4", 412),
            ("identifier=urn:n|2", 201),
            ("identifier=urn:n|1&status=cancelled", 201),
            ("identifier=urn:n|1", 412),
        ] {
            let conditions =
                if conditions.ends_with("Patient/") { format!("{conditions}{patient}") } else { conditions.to_owned() };
            let before = count(house, patient).await;
            let answer = client.unless(&conditions, &body).await;
            assert_eq!(answer.status, status, "{conditions}: {}", answer.text());
            assert_eq!(count(house, patient).await, before + usize::from(status == 201), "{conditions}");
            if status == 412 {
                assert_eq!(answer.json()["issue"][0]["code"], "multiple-matches");
            }
        }
        let before = count(house, patient).await;
        for bad in
            ["", "nonsense=1", "identifier:foo=1", "_count=1", "identifier=x&_include=Observation:subject", "%ff=1"]
        {
            assert_eq!(client.unless(bad, &body).await.status, 400, "{bad}");
        }
        let twice = ["If-None-Exist: identifier=a", "If-None-Exist: identifier=b"];
        assert_eq!(client.post("/fhir/Observation", &twice, &body).await.status, 400);
        // What is not valid is refused whatever is there; a token that does not speak of searching is told so aloud.
        assert_eq!(client.unless("identifier=urn:n|1", &body.replace("final", "done")).await.status, 422);
        let little = Client { token: scene.clinic.token_for(house, "Observation.c").await, ..client.clone() };
        assert_eq!(little.unless("identifier=urn:n|9", &body).await.status, 403);
        let through = client.unless("encounter.status=finished", &body).await;
        assert_eq!(through.status, 403, "a condition on what the token does not speak of");
        assert_eq!(count(house, patient).await, before, "nothing was made");
        served.end().await;
        open.close().await;
    });
}

/// A Patient whom somebody has and one whom nobody has: the same answer, and as much on record.
async fn tells_nobody_who_is_enrolled(house: &House, at: SocketAddr) {
    let all = Clinic::enrol(house).await.with_software(house, "*.cruds").await;
    let all = Client { token: all.token_for(house, "*.cruds").await, at };
    house.patients.enrol(&[Identifier { system: "urn:p".to_owned(), value: "known".to_owned() }]).await.unwrap();
    let mut answers = Vec::new();
    for value in ["known", "unknown"] {
        let identifier = json!([{ "system": "urn:p", "value": value }]);
        let body = json!({ "resourceType": "Patient", "identifier": identifier }).to_string();
        let told = acts(house).await.len();
        let conditions = format!("If-None-Exist: identifier=urn:p|{value}");
        let answer = all.post("/fhir/Patient", &[&conditions], &body).await;
        answers.push((answer.status, answer.comparable(), acts(house).await[told..].to_vec()));
    }
    assert_eq!((answers[0].0, &answers[0].2), (403, &vec![Act::Refuse, Act::Refuse]));
    assert_eq!(answers[0], answers[1], "who is enrolled is not told");
}

#[test]
fn fh_66_what_is_hidden_is_no_match_and_tells_nothing() {
    each("FH-66", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let served = Served::by(house).await;
        let scene = Scene::set(house, &home.canary()).await;
        scene.grant(house).await;
        let (patient, other) = (scene.patient.id, Patient::enrol(house).await);
        let mut hidden: Value =
            serde_json::from_str(&cast::labelled("Observation", patient, &home.canary(), "R")).unwrap();
        hidden["identifier"] = json!([{ "system": "urn:n", "value": "hidden" }]);
        let hidden = cast::import(house, hidden.to_string()).await;
        let elsewhere = cast::import(house, numbered(other.id, "elsewhere", "x").to_string()).await;
        cast::grant(house, &other, scene.clinic.terms(house.clock.now())).await;
        let client = Client { at: served.at, token: scene.clinic.token(house).await };
        let absent = RecordKey { record: RecordId::random(&*house.chance).unwrap(), ..hidden };
        let shape = |answer: &Answer| {
            let (status, headers, body) = answer.comparable();
            let apart = ["location", "last-modified", "garant-log-index"];
            let headers: Vec<_> =
                headers.into_iter().filter(|(n, _)| !apart.contains(&n.to_ascii_lowercase().as_str())).collect();
            (status, headers, body)
        };
        // Hidden by its label, of another patient though theirs to see, and not there at all: the same.
        for (meets, nothing) in [
            ("identifier=urn:n|hidden".to_owned(), "identifier=urn:n|absent".to_owned()),
            (format!("_id={hidden}"), format!("_id={absent}")),
            ("identifier=urn:n|elsewhere".to_owned(), "identifier=urn:n|absent".to_owned()),
            (format!("_id={elsewhere}"), format!("_id={absent}")),
        ] {
            let body = cast::observation(patient, "again");
            let (a, b) = (client.unless(&meets, &body).await, client.unless(&nothing, &body).await);
            assert_eq!(a.status, 201, "{meets}: {}", a.text());
            assert_eq!(shape(&a), shape(&b), "{meets}");
        }
        // Hidden matches beside a visible one do not make it several.
        let seen = client.unless("identifier=urn:n|seen", &numbered(patient, "seen", "x").to_string()).await;
        let both = client.unless("identifier=urn:n|seen,urn:n|hidden", &cast::observation(patient, "x")).await;
        assert_eq!((both.status, both.header("location")), (200, seen.header("location")));
        // Who may make and not see finds nothing, whatever is there.
        let scribe = Clinic::enrol(house).await;
        let scope = vec!["Observation.c".parse().unwrap()];
        cast::grant(house, &scene.patient, Terms { scope, ..scribe.terms(house.clock.now()) }).await;
        let scribe = Client { token: scribe.token(house).await, ..client.clone() };
        let (a, b) = (
            scribe.unless("identifier=urn:n|seen", &cast::observation(patient, "x")).await,
            scribe.unless("identifier=urn:n|absent", &cast::observation(patient, "x")).await,
        );
        assert_eq!((a.status, shape(&a)), (201, shape(&b)));
        // And who may do neither is told what a stranger to nobody is told.
        let stranger = Client { token: Clinic::enrol(house).await.token(house).await, ..client.clone() };
        let nobody = PatientId::random(&*house.chance).unwrap();
        let a = stranger.unless("identifier=urn:n|seen", &cast::observation(patient, "x")).await;
        let b = stranger.unless("identifier=urn:n|seen", &cast::observation(nobody, "x")).await;
        assert_eq!((a.status, a.comparable()), (403, b.comparable()));
        tells_nobody_who_is_enrolled(house, served.at).await;
        served.end().await;
        open.close().await;
    });
}

fn ask(method: &str, url: &str) -> Value {
    json!({ "request": { "method": method, "url": url } })
}

fn patch(url: &str, version: i64, patch: &Value) -> Value {
    let data = base64::engine::general_purpose::STANDARD.encode(patch.to_string());
    let binary = json!({ "resourceType": "Binary", "contentType": "application/json-patch+json", "data": data });
    let if_match = format!("W/\"{version}\"");
    json!({ "resource": binary, "request": { "method": "PATCH", "url": url, "ifMatch": if_match } })
}

#[test]
fn fh_56_fh_58_a_batch_does_each_entry_as_if_it_came_alone_reads_last() {
    each("FH-58", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let served = Served::by(house).await;
        let scene = Scene::set(house, "first").await;
        scene.grant(house).await;
        let client = Client { at: served.at, token: scene.clinic.token(house).await };
        let (key, patient) = (scene.record, scene.patient.id);
        let url = format!("Observation/{key}");
        let new = |value: &str, unless: &str| {
            json!({
                "resource": numbered(patient, value, value),
                "request": { "method": "POST", "url": "Observation", "ifNoneExist": unless },
            })
        };
        let known = json!({ "request": { "method": "GET", "url": url, "ifNoneMatch": "W/\"2\"" } });
        let told = acts(house).await.len();
        let done = client
            .bundle(
                "batch",
                &[
                    ask("GET", &url),
                    ask("GET", &format!("Observation?patient=Patient/{patient}&identifier=urn:n|a")),
                    patch(&url, 1, &json!([{ "op": "replace", "path": "/code/text", "value": "second" }])),
                    new("a", "identifier=urn:n|a"),
                    new("a", "identifier=urn:n|a"),
                    known,
                    ask("HEAD", &url),
                    ask("GET", &format!("{url}/_history/1")),
                    patch(&url, 1, &json!([])),
                    patch(&url, 2, &json!([{ "op": "test", "path": "/code/text", "value": "first" }])),
                ],
            )
            .await;
        let statuses: Vec<&str> = done.iter().map(status).collect();
        assert_eq!(statuses, ["200", "200", "200", "201", "200", "304", "200", "200", "412", "422"], "{done:#?}");
        assert_eq!(done[0]["resource"]["code"]["text"], "second", "reads come last");
        assert_eq!(
            (&done[0]["response"]["etag"], &done[5]["response"]["etag"]),
            (&json!("W/\"2\""), &json!("W/\"2\""))
        );
        assert_eq!(done[0]["fullUrl"], format!("{}/{url}", house::BASE));
        assert_eq!(done[1]["resource"]["total"], 1, "one was made of two");
        assert_eq!(done[3]["response"]["location"], done[4]["response"]["location"]);
        assert!(done[5].get("resource").is_none() && done[6].get("resource").is_none());
        assert_eq!(done[7]["resource"]["code"]["text"], "first");
        // Each on its own record in the log (FH-59): made, found, opened, changed, two patches that failed, five shown.
        let acts = &acts(house).await[told..];
        let of = |act: Act| acts.iter().filter(|a| **a == act).count();
        assert_eq!((of(Act::Admit), of(Act::Update)), (1, 1), "{acts:?}");
        assert_eq!((of(Act::Refuse), of(Act::Disclose)), (2, 8), "{acts:?}");
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fh_59_each_entry_of_a_batch_is_decided_on_alone_and_answered_as_alone() {
    each("FH-59", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let served = Served::by(house).await;
        let scene = Scene::set(house, "seen").await;
        scene.grant(house).await;
        let hidden = cast::labelled("Observation", scene.patient.id, &home.canary(), "R");
        let hidden = cast::import(house, hidden).await;
        let absent = RecordKey { record: RecordId::random(&*house.chance).unwrap(), ..hidden };
        let stranger = Patient::enrol(house).await.id;
        let client = Client { at: served.at, token: scene.clinic.token(house).await };
        let of = |key: RecordKey| {
            let url = format!("Observation/{key}");
            let create = json!({ "method": "POST", "url": "Observation", "ifNoneExist": format!("_id={key}") });
            vec![
                ask("GET", &url),
                ask("HEAD", &url),
                ask("GET", &format!("{url}/_history/1")),
                ask("GET", &format!("Observation?patient=Patient/{}&_id={key}", key.patient)),
                ask("DELETE", &url),
                patch(&url, 1, &json!([{ "op": "remove", "path": "/note/0" }])),
                json!({ "resource": numbered(stranger, "1", "x"), "request": create }),
                ask("GET", &format!("Observation/{}", scene.record)),
            ]
        };
        let told = acts(house).await.len();
        let shown = client.bundle("batch", &of(hidden)).await;
        let refused = acts(house).await[told..].to_vec();
        let statuses: Vec<&str> = shown.iter().map(status).collect();
        assert_eq!(statuses, ["404", "404", "404", "200", "404", "404", "403", "200"]);
        // The create has two: the search for what is there, and the admission.
        assert_eq!(refused.iter().filter(|act| **act == Act::Refuse).count(), 8, "{refused:?}");
        let text = |entries: &[Value], key: RecordKey| json!(entries).to_string().replace(&key.to_string(), "KEY");
        assert_eq!(text(&shown, hidden), text(&client.bundle("batch", &of(absent)).await, absent));
        let alone = wire::get(served.at, &format!("/fhir/Observation/{hidden}"), &client.token).await.unwrap();
        assert_eq!(shown[0]["response"]["outcome"], alone.json());
        // What the house makes itself, and what is no read: not in a batch. A token that may only read needs no more.
        let reader = Client { token: scene.clinic.token_for(house, "Observation.rs").await, ..client.clone() };
        let urls = ["AuditEvent?patient=x", "Consent/x", "Provenance?target=x", "metadata", "Patient/x/$everything"];
        for entry in
            of(hidden).into_iter().filter(|e| e["request"]["method"] != "GET" && e["request"]["method"] != "HEAD")
        {
            assert_eq!(status(&reader.bundle("batch", std::slice::from_ref(&entry)).await[0]), "403", "{entry}");
        }
        let entries: Vec<Value> = urls.iter().map(|url| ask("GET", url)).collect();
        let done = reader
            .bundle("batch", &[&entries[..], &[ask("GET", &format!("Observation/{}", scene.record))]].concat())
            .await;
        let statuses: Vec<&str> = done.iter().map(status).collect();
        assert_eq!(statuses, ["422", "422", "422", "404", "422", "200"]);
        // So many and no more.
        let many = vec![ask("GET", &format!("Observation/{absent}")); 102];
        let done = client.bundle("batch", &many).await;
        let costly = done.iter().filter(|entry| status(entry) == "422").count();
        assert_eq!((done.len(), costly), (102, 2));
        // In a transaction nothing is told for the sake of a whole that may not come to be.
        for entry in of(scene.record).into_iter().filter(|e| e["request"]["method"] != "DELETE") {
            let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [entry] }).to_string();
            assert_eq!(client.post("/fhir", &[], &bundle).await.status, 422, "{entry}");
        }
        served.end().await;
        open.close().await;
    });
}
