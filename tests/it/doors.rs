//! What the doors answer: the same to what is hidden as to what is absent, all of a batch or nothing, and the same
//! table of routes and actors as was agreed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use garant::app::House;
use garant::app::serve::{listen, router};
use garant::clock::{Clock as _, SystemClock, TestClock};
use garant::id::{ConsentId, PatientId, RecordId};
use garant::model::RecordKey;

use crate::cast::{self, Clinic, Patient, Scene};
use crate::described::Described;
use crate::house::{each, trials};
use crate::wire::{self, Answer};

/// A served house.
pub struct Served {
    pub at: SocketAddr,
    end: tokio::sync::watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    pub async fn by(house: &Arc<House>) -> Self {
        Self::on(house, 0).await
    }

    /// On a port that the house knows as its own.
    pub async fn on(house: &Arc<House>, port: u16) -> Self {
        let listening = listen(([127, 0, 0, 1], port).into(), router(house)).await.unwrap();
        let at = listening.address().unwrap();
        let (end, ending) = tokio::sync::watch::channel(false);
        Self { at, end, task: tokio::spawn(listening.serve(ending)) }
    }

    pub async fn end(self) {
        self.end.send_replace(true);
        self.task.await.unwrap();
    }
}

fn by_patient(patient: PatientId) -> String {
    format!("/fhir/Observation?patient=Patient/{patient}")
}

#[test]
fn fh65_what_is_hidden_answers_with_the_same_bytes_as_what_is_not_there() {
    each("FH-65", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let restricted = cast::labelled("Observation", scene.patient.id, &home.canary(), "R");
        let restricted = cast::import(&open.house, restricted).await;
        let nobody = Patient::enrol(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let random = RecordId::random(&*open.house.chance).unwrap();
        let stranger = PatientId::random(&*open.house.chance).unwrap();
        let pairs = [
            // No consent, and no such record of the same patient, of a patient without records, of nobody.
            (scene.record, RecordKey { patient: scene.patient.id, record: random }),
            (scene.record, RecordKey { patient: nobody.id, record: random }),
            (scene.record, RecordKey { patient: stranger, record: random }),
            (restricted, RecordKey { patient: stranger, record: random }),
        ];
        let ask = async |path: String| wire::get(served.at, &path, &token).await.unwrap().comparable();
        for (hidden, absent) in &pairs {
            let hidden = ask(format!("/fhir/Observation/{hidden}")).await;
            assert_eq!(hidden.0, 404);
            assert_eq!(hidden, ask(format!("/fhir/Observation/{absent}")).await);
        }
        // Searches differ in their own address alone.
        let searched = async |patient: PatientId| {
            let (status, headers, body) = ask(by_patient(patient)).await;
            (status, headers, String::from_utf8(body).unwrap().replace(&patient.to_string(), "PATIENT"))
        };
        let hidden = searched(scene.patient.id).await;
        assert_eq!(hidden, searched(nobody.id).await);
        assert_eq!(hidden, searched(stranger).await);
        // With consent for what is not restricted, the restricted one stays as absent as before.
        scene.grant(&open.house).await;
        let here = ask(format!("/fhir/Observation/{restricted}")).await;
        let gone = ask(format!("/fhir/Observation/{}", RecordKey { patient: scene.patient.id, record: random })).await;
        assert_eq!(here, gone);
        let found = wire::get(served.at, &by_patient(scene.patient.id), &token).await.unwrap();
        assert_eq!(found.json()["total"], 1);
        served.end().await;
        open.close().await;
    });
}

#[test]
fn sl_03_a_page_is_as_confidential_as_the_most_confidential_in_it_and_tells_of_nothing_else() {
    each("SL-03", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, "normal").await;
        scene.grant(&open.house).await;
        let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        let mut hidden: serde_json::Value =
            serde_json::from_str(&cast::labelled("Observation", scene.patient.id, "hidden", "V")).unwrap();
        hidden["meta"]["security"].as_array_mut().unwrap().push(serde_json::json!({ "system": act, "code": "HIV" }));
        cast::import(&open.house, hidden.to_string()).await;
        let (clinic, own) = (scene.clinic.token(&open.house).await, cast::patient_token(&open.house, scene.patient.id));
        let labels = async |token: &str, path: &str| {
            let found = wire::get(served.at, path, token).await.unwrap();
            assert_eq!(found.status, 200, "{}", found.text());
            let labels = found.json()["meta"]["security"].as_array().cloned().unwrap_or_default();
            labels.iter().map(|l| l["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let all = by_patient(scene.patient.id);
        let everything = format!("/fhir/Patient/{}/$everything", scene.patient.id);
        for path in [&all, &everything] {
            assert_eq!(labels(&clinic, path).await, ["N"], "{path}");
            assert_eq!(labels(&own, path).await, ["V"], "{path}: its level, and not that it is about HIV");
        }
        assert_eq!(labels(&own, &format!("{all}&_summary=count")).await, [""; 0]);
        assert_eq!(labels(&own, &format!("{all}&code=nothing")).await, [""; 0]);
        let consents = format!("/fhir/Consent?patient=Patient/{}&status=active", scene.patient.id);
        assert_eq!(labels(&own, &consents).await, ["R"]);
        served.end().await;
        open.close().await;
    });
}

#[test]
fn p44_a_batch_with_one_forbidden_entry_is_never_partly_done() {
    each("P44", async |home| {
        let most = trials(4, 20);
        println!("P44: one forbidden entry at each position of 2 to {most}");
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let stranger = Patient::enrol(&open.house).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let mut refused = 0;
        for size in 2..=most {
            for forbidden in 0..size {
                for kind in ["restricted", "another patient"] {
                    let before = cast::records(&open.house, scene.patient.id, "Observation").await.len();
                    let entry = |i: usize| {
                        let text = format!("entry {i} of {size}, {forbidden} is {kind}");
                        let resource = match (i == forbidden, kind) {
                            (false, _) => cast::observation(scene.patient.id, &text),
                            (true, "restricted") => cast::labelled("Observation", scene.patient.id, &text, "V"),
                            (true, _) => cast::observation(stranger.id, &text),
                        };
                        let resource: serde_json::Value = serde_json::from_str(&resource).unwrap();
                        let request = serde_json::json!({ "method": "POST", "url": "Observation" });
                        serde_json::json!({ "resource": resource, "request": request })
                    };
                    let entries: Vec<serde_json::Value> = (0..size).map(entry).collect();
                    let bundle =
                        serde_json::json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
                    let answer =
                        wire::post_fhir(served.at, "/fhir", &token, bundle.to_string().as_bytes()).await.unwrap();
                    assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text());
                    let after = cast::records(&open.house, scene.patient.id, "Observation").await.len();
                    assert_eq!(before, after, "{} of {size} entries were stored", after - before);
                    refused += 1;
                }
            }
        }
        assert!(cast::records(&open.house, stranger.id, "Observation").await.is_empty());
        // A search over allowed and forbidden shows exactly the allowed.
        for (number, label) in ["N", "R", "N", "V", "R", "N"].iter().enumerate() {
            let resource = cast::labelled("Observation", scene.patient.id, &format!("mixed {number}"), label);
            cast::import(&open.house, resource).await;
        }
        let found = wire::get(served.at, &by_patient(scene.patient.id), &token).await.unwrap();
        assert_eq!(found.json()["total"], 4, "the first and three of six");
        assert!(!found.text().contains("\"code\":\"R\"") && !found.text().contains("\"code\":\"V\""));
        println!("P44: {refused} bundles refused whole");
        served.end().await;
        open.close().await;
    });
}

#[test]
fn p47_no_single_bit_of_an_access_token_may_change() {
    each("P47", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let path = format!("/fhir/Observation/{}", scene.record);
        assert_eq!(wire::get(served.at, &path, &token).await.unwrap().status, 200);
        let all = token.len() * 8;
        let n = trials(150, all);
        println!("P47: {n} of {all} bits");
        let mut line = wire::Line::connect(served.at).await.unwrap();
        for trial in 0..n {
            let bit = if n == all { trial } else { home.dice.below(all) };
            let mut bytes = token.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ").into_bytes();
            request.extend(&bytes);
            request.extend(b"\r\n\r\n");
            let answer = line.ask(&request).await;
            // Bytes that no header may hold end the connection; everything else is the one answer.
            match answer {
                Some(answer) if answer.status == 401 => {}
                Some(answer) if answer.status == 400 => line = wire::Line::connect(served.at).await.unwrap(),
                other => panic!("bit {bit}: {other:?}"),
            }
        }
        drop(line);
        served.end().await;
        open.close().await;
    });
}

/// Who asks, in the order of the columns.
const ACTORS: [&str; 11] = [
    "nobody",
    "garbage",
    "expired-tok",
    "own",
    "other-pat",
    "granted",
    "no-consent",
    "expired",
    "revoked",
    "suspended",
    "erased",
];

/// The rows: method, route as the router has it, and what is asked for.
const ROWS: [(&str, &str, &str); 74] = [
    ("GET", "/fhir/metadata", "/fhir/metadata"),
    ("GET", "/fhir/{resource_type}/{id}", "/fhir/Observation/RECORD"),
    ("GET", "/fhir/{resource_type}/{id}", "/fhir/Observation/RESTRICTED"),
    ("GET", "/fhir/{resource_type}/{id}", "/fhir/Observation/ABSENT"),
    ("GET", "/fhir/{resource_type}/{id}", "/fhir/Encounter/RECORD"),
    ("GET", "/fhir/{resource_type}/{id}/_history", "/fhir/Observation/RECORD/_history"),
    ("GET", "/fhir/{resource_type}/{id}/_history", "/fhir/Observation/RESTRICTED/_history"),
    ("GET", "/fhir/{resource_type}/{id}/_history/{version}", "/fhir/Observation/RECORD/_history/1"),
    ("GET", "/fhir/{resource_type}", "/fhir/Observation?patient=Patient/PATIENT"),
    ("POST", "/fhir/{resource_type}/_search", "/fhir/Observation/_search?patient=Patient/PATIENT"),
    ("GET", "/fhir/{resource_type}/{id}/{within}", "/fhir/Patient/PATIENT/Observation"),
    ("POST", "/fhir/{resource_type}/{id}/{within}/_search", "/fhir/Patient/PATIENT/Observation/_search"),
    ("GET", "/fhir/{resource_type}/{id}/$everything", "/fhir/Patient/PATIENT/$everything"),
    ("GET", "/fhir/_page/{link}", "/fhir/_page/GARBAGE"),
    ("POST", "/fhir/{resource_type}", "/fhir/Observation"),
    ("POST", "/fhir/", "/fhir"),
    ("GET", "/fhir/Consent", "/fhir/Consent?patient=Patient/PATIENT&status=active"),
    ("POST", "/fhir/Consent", "/fhir/Consent"),
    ("POST", "/fhir/Consent/_search", "/fhir/Consent/_search?patient=Patient/PATIENT&status=active"),
    ("GET", "/fhir/Consent/{id}", "/fhir/Consent/PATIENT.CONSENT"),
    ("GET", "/fhir/Consent/{id}/_history/{version}", "/fhir/Consent/PATIENT.CONSENT/_history/1"),
    ("GET", "/fhir/AuditEvent", "/fhir/AuditEvent?patient=Patient/PATIENT&action=C"),
    ("POST", "/fhir/AuditEvent/_search", "/fhir/AuditEvent/_search?patient=Patient/PATIENT&action=C"),
    ("GET", "/fhir/AuditEvent/{id}", "/fhir/AuditEvent/CONSENT"),
    ("GET", "/fhir/Provenance", "/fhir/Provenance?target=Observation/RECORD"),
    ("POST", "/fhir/Provenance", "/fhir/Provenance"),
    ("POST", "/fhir/Provenance/_search", "/fhir/Provenance/_search?target=Observation/RECORD"),
    ("GET", "/fhir/Provenance/{id}", "/fhir/Provenance/RECORD.1"),
    ("GET", "/api/consents", "/api/consents"),
    ("GET", "/api/consents/{id}", "/api/consents/CONSENT"),
    ("POST", "/api/consents/prepare", "/api/consents/prepare"),
    ("POST", "/api/consents", "/api/consents"),
    ("POST", "/api/preview", "/api/preview"),
    ("GET", "/api/requests", "/api/requests"),
    ("POST", "/api/requests", "/api/requests"),
    ("POST", "/api/requests/{id}/decline", "/api/requests/CONSENT/decline"),
    ("POST", "/api/consents/{id}/revoke", "/api/consents/CONSENT/revoke"),
    ("GET", "/api/records/{resource_type}/{id}/visibility", "/api/records/Observation/RECORD/visibility"),
    (
        "POST",
        "/api/records/{resource_type}/{id}/visibility/{code}",
        "/api/records/Observation/RECORD/visibility/MASQUE_PT",
    ),
    (
        "DELETE",
        "/api/records/{resource_type}/{id}/visibility/{code}",
        "/api/records/Observation/RECORD/visibility/MASQUE_PT",
    ),
    ("POST", "/oauth/token", "/oauth/token"),
    ("POST", "/oauth/par", "/oauth/par"),
    ("POST", "/oauth/introspect", "/oauth/introspect"),
    ("POST", "/oauth/revoke", "/oauth/revoke"),
    ("GET", "/oauth/authorize", "/oauth/authorize?client_id=x"),
    ("POST", "/oauth/authorize", "/oauth/authorize"),
    ("POST", "/oauth/answer", "/oauth/answer"),
    ("GET", "/.well-known/openid-configuration", "/.well-known/openid-configuration"),
    // Believes anyone, and stands in development mode alone.
    ("POST", "/development/token", "/development/token"),
    ("GET", "/development/{who}/authorize", "/development/patients/authorize"),
    ("POST", "/development/{who}/authorize", "/development/patients/authorize"),
    ("POST", "/development/{who}/token", "/development/patients/token"),
    ("GET", "/development/{who}/logout", "/development/patients/logout"),
    ("GET", "/development/{who}/jwks", "/development/nobody/jwks"),
    (
        "GET",
        "/development/{who}/.well-known/openid-configuration",
        "/development/patients/.well-known/openid-configuration",
    ),
    ("GET", "/login", "/login"),
    ("GET", "/login/style.css", "/login/style.css"),
    ("POST", "/login/start", "/login/start"),
    ("GET", "/login/callback", "/login/callback?code=x&state=y"),
    ("POST", "/login/sessions/end", "/login/sessions/end"),
    ("GET", "/logout", "/logout"),
    ("POST", "/logout", "/logout"),
    ("POST", "/oidc/backchannel-logout", "/oidc/backchannel-logout"),
    ("GET", "/oidc/jwks", "/oidc/jwks"),
    ("GET", "/oauth/jwks", "/oauth/jwks"),
    ("GET", "/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server"),
    ("GET", "/fhir/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"),
    ("GET", "/openapi.json", "/openapi.json"),
    ("GET", "/docs", "/docs"),
    ("GET", "/docs/style.css", "/docs/style.css"),
    // Last, for they change the record.
    ("PATCH", "/fhir/{resource_type}/{id}", "/fhir/Observation/RECORD"),
    ("PUT", "/fhir/{resource_type}/{id}", "/fhir/Observation/RECORD"),
    ("DELETE", "/fhir/{resource_type}/{id}", "/fhir/Observation/RECORD"),
    ("GET", "/fhir/{resource_type}/{id}", "/fhir/Observation/RECORD"),
];

/// What a scene's clinic would ask its patient for, as a Consent.
fn asked_consent(scene: &Scene) -> serde_json::Value {
    let provision = serde_json::json!({
        "type": "permit", "period": { "start": "2026-01-01", "end": SystemClock.now().plus_secs(9_000_000).to_rfc3339() },
        "actor": cast::pcf_actor(&format!("Organization/{}", scene.clinic.organisation)),
        "purpose": [{ "system": garant::model::Purpose::SYSTEM, "code": "TREAT" }],
    });
    cast::pcf_consent(scene.patient.id, &provision)
}

/// A token and a scene for each actor: each has a patient of its own in the state that its name says.
struct Cast {
    tokens: BTreeMap<&'static str, (String, Scene, RecordKey)>,
    consents: BTreeMap<&'static str, ConsentId>,
    /// The house's: an assertion made by another is of the future when the machine is slow.
    clock: TestClock,
}

impl Cast {
    async fn call(home: &crate::house::Home, house: &Arc<House>, clock: &TestClock) -> Self {
        let (mut tokens, mut consents) = (BTreeMap::new(), BTreeMap::new());
        for actor in ACTORS {
            let scene = Scene::set(house, &home.canary()).await;
            let restricted = cast::labelled("Observation", scene.patient.id, &format!("{actor} restricted"), "V");
            let restricted = cast::import(house, restricted).await;
            match actor {
                "own" | "other-pat" | "granted" | "suspended" | "erased" | "expired-tok" => {
                    consents.insert(actor, scene.grant(house).await);
                }
                "revoked" => {
                    let consent = scene.grant(house).await;
                    cast::revoke(house, scene.patient.id, consent).await.unwrap();
                }
                "expired" => {
                    let mut terms = scene.clinic.terms(clock.now());
                    terms.valid.to = terms.valid.from.plus_secs(60);
                    cast::grant(house, &scene.patient, terms).await;
                }
                _ => {}
            }
            tokens.insert(actor, (String::new(), scene, restricted));
        }
        // The token that is to be over by then is made first.
        let early = tokens["expired-tok"].1.clinic.token(house).await;
        clock.advance_secs(3600);
        let other = Patient::enrol(house).await;
        for (actor, (token, scene, _)) in &mut tokens {
            *token = match *actor {
                "nobody" => String::new(),
                "garbage" => "eyJhbGciOiJub25lIn0.e30.".to_owned(),
                "expired-tok" => early.clone(),
                "own" => cast::patient_token(house, scene.patient.id),
                "other-pat" => cast::patient_token(house, other.id),
                _ => scene.clinic.token(house).await,
            };
            match *actor {
                "suspended" => {
                    house.enrolments.set_standing(scene.clinic.organisation.as_bytes(), false).await.map(drop).unwrap();
                }
                "erased" => drop(house.patients.erase(scene.patient.id, 0).await.unwrap()),
                _ => {}
            }
        }
        Self { tokens, consents, clock: clock.clone() }
    }

    async fn ask(&self, at: SocketAddr, actor: &str, method: &str, path: &str) -> Answer {
        let (token, scene, restricted) = &self.tokens[actor];
        let absent = RecordKey { patient: scene.patient.id, record: RecordId::from_bytes([7; 16]) };
        let path = path
            .replace("RECORD", &scene.record.to_string())
            .replace("RESTRICTED", &restricted.to_string())
            .replace("ABSENT", &absent.to_string())
            .replace("PATIENT", &scene.patient.id.to_string())
            .replace("CONSENT", &self.consents.get(actor).map_or_else(|| "0".repeat(26), ToString::to_string));
        let terms = garant::consent::terms::write(&scene.clinic.terms(SystemClock.now()));
        let headers: Vec<String> = if token.is_empty() { vec![] } else { vec![wire::bearer(token)] };
        let body = match (method, path.as_str()) {
            ("GET" | "DELETE", _) => String::new(),
            ("PATCH", _) => r#"[{"op":"replace","path":"/status","value":"amended"}]"#.to_owned(),
            ("PUT", _) => cast::with_id(&cast::observation(scene.patient.id, "changed"), scene.record),
            ("POST", "/oauth/token") => scene.clinic.token_form("http://127.0.0.1", self.clock.now()),
            ("POST", "/oauth/par") => {
                let asks = "response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&state=s&aud=http%3A%2F%2F\
                            127.0.0.1%2Ffhir&code_challenge_method=S256&code_challenge=";
                let form = scene.clinic.token_form("http://127.0.0.1", self.clock.now());
                format!("{asks}{}&{form}", crate::apps::CHALLENGE)
            }
            ("POST", "/oauth/introspect" | "/oauth/revoke") => {
                format!("token=x&{}", scene.clinic.token_form("http://127.0.0.1", self.clock.now()))
            }
            ("POST", "/oauth/authorize" | "/oauth/answer") => "client_id=x&page=x".to_owned(),
            ("POST", "/api/consents/prepare") => {
                serde_json::json!({ "wish": "grant", "language": "fr", "terms": terms }).to_string()
            }
            ("POST", "/api/preview") => serde_json::json!({ "terms": terms }).to_string(),
            ("POST", "/api/requests") => {
                let patient = scene.patient.id.to_string();
                serde_json::json!({ "patient": patient, "terms": terms, "message": "Bonjour" }).to_string()
            }
            ("POST", "/api/consents") => {
                serde_json::json!({ "statement": "e30", "signature": { "kind": "device", "jws": "x" } }).to_string()
            }
            ("POST", "/fhir/Consent") => asked_consent(scene).to_string(),
            ("POST", path) if path.starts_with("/api/") || path.contains("/_search") => String::new(),
            ("POST", "/development/token") => {
                serde_json::json!({ "patient": scene.patient.id.to_string() }).to_string()
            }
            ("POST", "/fhir") => {
                let resource: serde_json::Value =
                    serde_json::from_str(&cast::observation(scene.patient.id, "in a bundle")).unwrap();
                let request = serde_json::json!({ "method": "POST", "url": "Observation" });
                let entry = serde_json::json!([{ "resource": resource, "request": request }]);
                serde_json::json!({ "resourceType": "Bundle", "type": "transaction", "entry": entry }).to_string()
            }
            _ => cast::observation(scene.patient.id, "alone"),
        };
        let kind = content_type(method, &path);
        let rests_on = rests_on(method);
        let headers = [headers, vec![format!("Content-Type: {kind}")], rests_on].concat();
        wire::send(at, &wire::request(method, &path, &headers, body.as_bytes())).await.unwrap()
    }
}

/// The header that names the version of the record as it is when that row is asked.
fn rests_on(method: &str) -> Vec<String> {
    let version = match method {
        "PATCH" => 1,
        "PUT" => 2,
        _ => return Vec::new(),
    };
    vec![format!("If-Match: W/\"{version}\"")]
}

fn content_type(method: &str, path: &str) -> &'static str {
    match path.split('/').nth(1) {
        _ if method == "PATCH" => "application/json-patch+json",
        _ if path.contains("/_search") => "application/x-www-form-urlencoded",
        Some("oauth") => "application/x-www-form-urlencoded",
        Some("api") => "application/json",
        _ => "application/fhir+json",
    }
}

#[test]
fn p45_each_route_answers_each_actor_as_the_committed_table_says() {
    each("P45", async |home| {
        // A clock an hour behind at first, so that tokens of then are over and the real time fits the end.
        let clock = TestClock::at(SystemClock.now().plus_secs(-3600));
        home.set_clock(clock.clone());
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let cast = Cast::call(home, &open.house, &clock).await;
        let mut table = String::from(
            "# Route x actor -> status, and (n) the number of records shown. Written by the server under test;\n\
             # GARANT_BLESS=1 writes it again: read the difference first. Each actor has a patient of its own.\n",
        );
        write!(table, "\n{:58}", "").unwrap();
        for actor in ACTORS {
            write!(table, "{actor:>12}").unwrap();
        }
        let mut described = Described::by(served.at).await;
        for (method, route, path) in ROWS {
            write!(table, "\n{:58}", format!("{method:4} {path}")).unwrap();
            for actor in ACTORS {
                let answer = cast.ask(served.at, actor, method, path).await;
                if described.tells_of(method, route) {
                    described.holds(method, route, &answer);
                }
                let shown = answer.json()["total"].as_u64().map_or(String::new(), |n| format!("({n})"));
                write!(table, "{:>12}", format!("{}{shown}", answer.status)).unwrap();
            }
        }
        table.push('\n');
        served.end().await;
        open.close().await;
        agrees("routes.txt", &table);
        clock.set(SystemClock.now());
    });
}

/// Compares with a committed file, or writes it when asked to.
fn agrees(file: &str, now: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(file);
    if std::env::var("GARANT_BLESS").is_ok_and(|v| v == "1") {
        std::fs::write(&path, now).unwrap();
    }
    let then = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(then == now, "{} differs:\n{now}", path.display());
}

/// The text of a call's arguments, from just behind its opening parenthesis.
fn arguments(text: &str) -> &str {
    let mut depth = 1;
    let end = text.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    &text[..end.unwrap()]
}

/// The routes in a source file, as (method, path as written).
fn routes_in(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for call in text.split(".route(").skip(1) {
        let arguments = arguments(call);
        let path = arguments.split('"').nth(1).expect("a route whose path is not a literal");
        let before = found.len();
        for method in ["get", "post", "put", "delete", "patch"] {
            let called = format!("{method}(");
            let is_word = |at: usize| !arguments[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if arguments.match_indices(&called).any(|(at, _)| is_word(at)) {
                found.push((method.to_uppercase(), path.to_owned()));
            }
        }
        assert!(found.len() > before, "a route whose methods this test cannot read: {arguments}");
    }
    found
}

/// Every route of the patient's pages, as `METHOD path`.
pub fn page_routes() -> BTreeSet<String> {
    let text = include_str!("../../src/pages/mod.rs");
    routes_in(text).into_iter().map(|(method, path)| format!("{method} {path}")).collect()
}

/// Every route in the source but those of the pages, as `METHOD path`.
pub fn routes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).unwrap().flatten() {
            let path = item.path();
            // The bench's own routes are on no house's router: its child process serves them, on loopback, while it runs.
            // The pages have actors of their own, who come with a session: tests/it/pages.rs.
            if path.is_dir() {
                if !path.ends_with("src/bench") && !path.ends_with("src/pages") {
                    folders.push(path);
                }
                continue;
            }
            // Where routes are told of as they are served: the paths are its callers'.
            if path.ends_with("src/http/routes.rs") {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let under = if path.to_string_lossy().contains("/fhir_api/") { "/fhir" } else { "" };
            found.extend(routes_in(&text).into_iter().map(|(method, path)| format!("{method} {under}{path}")));
        }
    }
    found
}

#[test]
fn p45_a_new_route_has_a_row_and_the_uncovered_ones_only_become_fewer() {
    let covered: BTreeSet<String> = ROWS.iter().map(|(method, route, _)| format!("{method} {route}")).collect();
    let all = routes();
    assert!(all.len() >= ROWS.iter().map(|r| (r.0, r.1)).collect::<BTreeSet<_>>().len(), "{all:?}");
    let gone: Vec<_> = covered.difference(&all).collect();
    assert!(gone.is_empty(), "rows without a route: {gone:?}");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/routes-uncovered.txt");
    let listed: BTreeSet<String> = std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .map(str::to_owned)
        .collect();
    let uncovered: BTreeSet<String> = all.difference(&covered).cloned().collect();
    let new: Vec<_> = uncovered.difference(&listed).collect();
    assert!(new.is_empty(), "routes without a row in ROWS (tests/it/doors.rs): {new:#?}");
    let stale: Vec<_> = listed.difference(&uncovered).collect();
    assert!(stale.is_empty(), "take these out of routes-uncovered.txt, they are covered or gone: {stale:#?}");
}

#[test]
fn p42_a_clinic_without_consent_learns_nothing_from_what_a_token_may_ask() {
    each("P42", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let empty = Patient::enrol(&open.house).await;
        let stranger = Clinic::enrol(&open.house).await;
        let token = stranger.token(&open.house).await;
        let queries = ["", "&code=4548-4", "&date=gt2020", "&_sort=-date", "&status=final", "&category=x", "&_id=x"];
        for query in queries {
            let mut answers = Vec::new();
            for patient in [scene.patient.id, empty.id] {
                let path = format!("{}{query}", by_patient(patient));
                let (status, headers, body) = wire::get(served.at, &path, &token).await.unwrap().comparable();
                answers.push((status, headers, String::from_utf8(body).unwrap().replace(&patient.to_string(), "P")));
            }
            assert_eq!(answers[0], answers[1], "{query}");
        }
        served.end().await;
        open.close().await;
    });
}
