//! P42, FH-60…72: two worlds that differ only in what an asker must not see, asked in every way there is. The answers
//! are the same bytes, and no text of what is hidden stands in an answer, in what the process says, or on disk.

#[path = "canary/ways.rs"]
mod ways;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use garant::app::House;
use garant::id::{PatientId, RecordId};
use garant::model::{Bearer, OrganisationKind, RecordKey, Terms, Visibility};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::ways::{OF_ALL, OF_ONE, OF_TYPE, VALUES, Way};
use crate::cast::{self, Clinic, Patient};
use crate::house::{Home, each, is_full};
use crate::process::{self, Process};
use crate::{scan, wire};

/// One side: a patient, what is hidden in their record (on the other side: ids of nothing), and what is not.
struct Side {
    patient: PatientId,
    hidden: Vec<(&'static str, RecordKey)>,
    seen: RecordKey,
}

/// Who asks, with a token, in the world with something hidden and in the one without.
struct Asker {
    name: &'static str,
    token: String,
    sides: [usize; 2],
}

const EVERYTHING: [&str; 6] = [
    "Binary.cruds",
    "Condition.cruds",
    "DiagnosticReport.cruds",
    "DocumentReference.cruds",
    "List.cruds",
    "Observation.cruds",
];

/// A clinic whose software may ask for everything.
async fn clinic(house: &House, kind: OrganisationKind) -> Clinic {
    Clinic::of_kind(house, kind).await.with_software(house, "*.cruds").await
}

async fn token(house: &House, clinic: &Clinic) -> String {
    clinic.token_for(house, "*.cruds").await
}

fn terms(house: &House, clinic: &Clinic) -> Terms {
    let scope = EVERYTHING.iter().map(|s| s.parse().unwrap()).collect();
    Terms { scope, ..clinic.terms(house.clock.now()) }
}

/// A resource with a secret in each place where one might be forgotten.
fn planted(home: &Home, secret: &str, kind: &str, patient: PatientId, labels: &Value) -> Value {
    let text = || format!("{secret} {}", home.canary());
    let concept =
        json!({ "coding": [{ "system": "http://loinc.org", "code": "99999-9", "display": text() }], "text": secret });
    let subject = json!({ "reference": format!("Patient/{patient}"), "display": text() });
    let mut resource = json!({
        "resourceType": kind, "meta": { "security": labels },
        "text": { "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>", text()) },
        "extension": [{ "url": "http://example.org/e", "valueString": text() }],
        "identifier": [{ "system": "urn:secret", "value": secret }],
        "subject": subject,
    });
    let contained = json!([{ "resourceType": "Medication", "id": "m", "code": { "text": text() } }]);
    let more = match kind {
        "Observation" => json!({
            "status": "final", "code": concept, "effectiveDateTime": "1987-06-05", "contained": contained,
            "derivedFrom": [{ "reference": "#m" }], "note": [{ "text": text() }],
            "valueQuantity": { "value": 77.125, "unit": text() },
        }),
        "Condition" => json!({ "code": concept, "recordedDate": "1987-06-05", "note": [{ "text": text() }] }),
        "DiagnosticReport" => json!({ "status": "final", "code": concept, "conclusion": text() }),
        _ => json!({
            "status": "current", "type": { "coding": [{ "system": "http://loinc.org", "code": "11488-4" }], "text": text() },
            "description": text(), "date": "1987-06-05T00:00:00Z",
            "content": [{ "attachment": { "contentType": "text/plain", "title": text(), "data": "S2FuYXJp" } }],
        }),
    };
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    resource
}

/// Takes in a resource as the guarantor does, or as `bearer` does when there is one; its key.
async fn put(house: &House, by: Option<&Bearer>, patient: PatientId, resource: Value) -> (&'static str, RecordKey) {
    let named = resource["resourceType"].as_str().unwrap();
    let kind = garant::fhir::resource_types().find(|k| *k == named).unwrap();
    let before: BTreeSet<RecordKey> = cast::records(house, patient, kind).await.into_iter().collect();
    let bytes = resource.to_string().into_bytes();
    match by {
        None => drop(house.intake.import(bytes).await.unwrap_or_else(|e| panic!("{kind}: {e:?}")).unwrap()),
        Some(bearer) => {
            drop(house.intake.create(bearer, kind, bytes).await.unwrap_or_else(|e| panic!("{kind}: {e:?}")));
        }
    }
    let new = cast::records(house, patient, kind).await.into_iter().find(|key| !before.contains(key));
    (kind, new.unwrap())
}

fn label(system: &str, code: &str) -> Value {
    json!({ "system": system, "code": code })
}

/// What no professional with a consent up to N may see, each hidden for another reason.
async fn hide(home: &Home, house: &House, secret: &str, patient: PatientId) -> Vec<(&'static str, RecordKey)> {
    let level = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let cases = [
        ("Observation", json!([label(level, "V")])),
        ("Condition", json!([label(act, "HIV")])),
        ("DocumentReference", json!([label(Visibility::SYSTEM, "MASQUE_PS")])),
        ("DiagnosticReport", json!([label(level, "R")])),
    ];
    let mut hidden = Vec::new();
    for (kind, labels) in cases {
        hidden.push(put(house, None, patient, planted(home, secret, kind, patient, &labels)).await);
    }
    let binary = json!({
        "resourceType": "Binary", "meta": { "security": [label(level, "V")] }, "contentType": "text/plain",
        "securityContext": { "reference": format!("Patient/{patient}") },
        "data": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("  {secret}  ")),
    });
    hidden.push(put(house, None, patient, binary).await);
    hidden
}

struct Stage {
    sides: Vec<Side>,
    askers: Vec<Asker>,
    secret: String,
}

impl Stage {
    async fn set(home: &Home, house: &Arc<House>) -> Self {
        let secret = home.canary();
        let care = clinic(house, OrganisationKind::Care).await;
        let former = clinic(house, OrganisationKind::Care).await;
        let stranger = clinic(house, OrganisationKind::Care).await;
        let insurer = clinic(house, OrganisationKind::Insurer).await;
        let mut sides = Vec::new();
        let mut own = Vec::new();
        // 0 and 1: hidden from professionals, and nothing hidden. 2 and 3: hidden from the patient, and nothing hidden.
        for n in 0..4 {
            let patient = Patient::enrol(house).await;
            let consent = cast::grant(house, &patient, terms(house, &former)).await;
            cast::revoke(house, patient.id, consent).await.unwrap();
            cast::grant(house, &patient, terms(house, &care)).await;
            let (_, seen) =
                put(house, None, patient.id, serde_json::from_str(&cast::observation(patient.id, "seen")).unwrap())
                    .await;
            let hidden = match n {
                0 => hide(home, house, &secret, patient.id).await,
                2 => {
                    let labels = json!([label(Visibility::SYSTEM, "INVISIBLE_PATIENT")]);
                    let kept = planted(home, &secret, "DocumentReference", patient.id, &labels);
                    let bearer = Bearer { scopes: vec!["*.cruds".parse().unwrap()], ..care.bearer() };
                    vec![put(house, Some(&bearer), patient.id, kept).await]
                }
                _ => {
                    let before: &Side = &sides[n - 1];
                    let absent =
                        || RecordKey { patient: patient.id, record: RecordId::random(&*house.chance).unwrap() };
                    before.hidden.iter().map(|(kind, _)| (*kind, absent())).collect()
                }
            };
            own.push(cast::patient_token(house, patient.id));
            sides.push(Side { patient: patient.id, hidden, seen });
        }
        let mut askers = vec![Asker { name: "granted", token: token(house, &care).await, sides: [0, 1] }];
        for (name, clinic) in [("stranger", &stranger), ("revoked", &former), ("insurer", &insurer)] {
            askers.push(Asker { name, token: token(house, clinic).await, sides: [0, 1] });
        }
        let other = Patient::enrol(house).await;
        askers.push(Asker { name: "other patient", token: cast::patient_token(house, other.id), sides: [0, 1] });
        askers.push(Asker { name: "nobody", token: String::new(), sides: [0, 1] });
        // Their own record: each side with the token of its own patient.
        askers.push(Asker { name: "own", token: own[2..].join(" "), sides: [2, 3] });
        Self { sides, askers, secret }
    }
}

/// Sends a request and gives all bytes that come back.
async fn raw(at: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let exchange = async {
        let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
        stream.write_all(bytes).await.ok();
        let mut out = Vec::new();
        stream.read_to_end(&mut out).await.ok();
        out
    };
    tokio::time::timeout(Duration::from_mins(1), exchange).await.expect("no answer in a minute")
}

fn filled(text: &str, secret: &str, side: &Side, (kind, hidden): (&str, RecordKey)) -> String {
    let hidden = hidden.to_string();
    let swapped: String = hidden
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    text.replace("{type}", kind)
        .replace("{hidden}", &hidden)
        .replace("{HIDDEN}", &swapped)
        .replace("{patient}", &side.patient.to_string())
        .replace("{seen}", &side.seen.to_string())
        .replace("{secret}", secret)
}

/// What a client can compare: without what counts requests or tells the time, and ids by what they stand for.
fn comparable(answer: &[u8], side: &Side, (_, hidden): (&str, RecordKey)) -> String {
    let text = String::from_utf8_lossy(answer).into_owned();
    let swapped = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect()
    };
    let text = text
        .replace(&hidden.to_string(), "HIDDEN")
        .replace(&swapped(&hidden.to_string()), "HIDDEN")
        .replace(&side.seen.to_string(), "SEEN")
        .replace(&side.patient.to_string(), "PATIENT");
    let apart = ["x-request-id:", "date:", "last-modified:", "garant-log-index:"];
    let lines = text.split("\r\n").filter(|l| !apart.iter().any(|a| l.to_ascii_lowercase().starts_with(a)));
    let text = lines.collect::<Vec<_>>().join("\n");
    // A link to a page is sealed, and another one each time.
    let text = without(&text, "/_page/", |c| c != '"');
    let text = without(&text, "PATIENT.", |c| c.is_ascii_alphanumeric());
    let text = without(&text, "\"lastUpdated\":\"", |c| c != '"');
    without(&text, "\"lastModified\":\"", |c| c != '"')
}

/// The text without the characters that `goes` names behind each `mark`.
fn without(text: &str, mark: &str, goes: impl Fn(char) -> bool) -> String {
    let mut parts = text.split(mark);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + mark + part.trim_start_matches(&goes))
}

/// One comparison: the same request to both worlds.
struct Asked<'s> {
    stage: &'s Stage,
    at: SocketAddr,
    forms: Vec<Vec<u8>>,
    count: usize,
    statuses: BTreeSet<String>,
}

impl Asked<'_> {
    async fn ask(&mut self, asker: &Asker, way: &Way, which: usize) {
        let (method, target, headers, body) = *way;
        let mut answers = Vec::new();
        for (half, side) in asker.sides.iter().enumerate() {
            let side = &self.stage.sides[*side];
            let thing = side.hidden[which];
            let fill = |text: &str| filled(text, &self.stage.secret, side, thing);
            let mut lines: Vec<String> = headers.iter().map(|h| fill(h)).collect();
            lines.push("Connection: close".to_owned());
            let tokens: Vec<&str> = asker.token.split(' ').collect();
            let token = tokens.get(half).or(tokens.first()).copied().unwrap_or_default();
            if !token.is_empty() {
                lines.push(wire::bearer(token));
            }
            let request = wire::request(method, &fill(target), &lines, fill(body).as_bytes());
            let answer = raw(self.at, &request).await;
            // What the asker typed may come back to them; everything else of what is hidden may not.
            let typed = String::from_utf8_lossy(&request).contains(&self.stage.secret);
            let heard = if typed {
                String::from_utf8_lossy(&answer).replace(&self.stage.secret, "").into_bytes()
            } else {
                answer.clone()
            };
            assert!(
                !scan::holds(&heard, &self.forms),
                "{}: {method} {target} tells:\n{}",
                asker.name,
                String::from_utf8_lossy(&answer)
            );
            answers.push(comparable(&answer, side, thing));
        }
        let status: String = answers[0].lines().next().unwrap_or_default().chars().skip(9).take(3).collect();
        self.statuses.insert(status);
        assert!(
            answers[0] == answers[1],
            "{}: {method} {target}\nhidden: {}\nabsent: {}",
            asker.name,
            answers[0],
            answers[1]
        );
        self.count += 1;
    }
}

/// Every parameter of each type of which something is hidden, with each value.
fn parameters(kind: &str) -> Vec<&'static str> {
    let definitions = include_str!("../../src/fhir/definitions/parameters.txt");
    let of = |bases: &str| bases.split(' ').any(|b| b == kind || b == "Resource" || b == "DomainResource");
    definitions.lines().filter(|l| of(l.split('\t').nth(2).unwrap())).map(|l| l.split('\t').next().unwrap()).collect()
}

async fn ask_all(stage: &Stage, at: SocketAddr, canaries: &[String]) -> usize {
    let forms = canaries.iter().flat_map(|c| scan::forms(c)).collect();
    let mut asked = Asked { stage, at, forms, count: 0, statuses: BTreeSet::new() };
    for (number, asker) in stage.askers.iter().enumerate() {
        let things = stage.sides[asker.sides[0]].hidden.len();
        let all = is_full() || asker.name == "granted";
        // One's own consents are one's own on either side, with ids and moments of their own.
        for way in OF_ALL.iter().filter(|way| asker.name != "own" || !way.1.starts_with("/api/consents")) {
            asked.ask(asker, way, 0).await;
        }
        for which in (0..things).filter(|which| all || *which == number % things) {
            for way in OF_ONE.iter().chain(OF_TYPE) {
                asked.ask(asker, way, which).await;
            }
            let kind = stage.sides[asker.sides[0]].hidden[which].0;
            for (n, parameter) in parameters(kind).into_iter().enumerate() {
                for value in
                    VALUES.iter().enumerate().filter(|(v, _)| is_full() || (n + v) % VALUES.len() == 0).map(|(_, v)| v)
                {
                    let target: &'static str = Box::leak(
                        format!("/fhir/{{type}}?patient=Patient/{{patient}}&{parameter}={value}").into_boxed_str(),
                    );
                    asked.ask(asker, &("GET", target, &[], ""), which).await;
                }
            }
        }
    }
    println!("P42: {} requests asked of two worlds; statuses {:?}", asked.count, asked.statuses);
    asked.count
}

/// The comparison sees what it is to see: in the eyes of one who may, the two worlds differ and the secret is found.
async fn prove_the_comparison(stage: &Stage, at: SocketAddr, own: &str, canaries: &[String]) {
    let forms: Vec<Vec<u8>> = canaries.iter().flat_map(|c| scan::forms(c)).collect();
    let side = &stage.sides[0];
    for (kind, key) in &side.hidden {
        let answer = wire::get(at, &format!("/fhir/{kind}/{key}"), own).await.unwrap();
        assert_eq!(answer.status, 200, "{kind}: {}", answer.text());
        assert!(scan::holds(&answer.body, &forms), "{kind} has no secret in it");
    }
    let path = format!("/fhir/Observation/{}", side.seen);
    let answer = wire::get(at, &path, &stage.askers[0].token).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn p42_fh60_to_fh72_no_way_in_tells_the_hidden_from_the_absent() {
    each("P42 canaries", async |home| {
        let open = home.found().await;
        let stage = Stage::set(home, &open.house).await;
        let own = cast::patient_token(&open.house, stage.sides[0].patient);
        open.close().await;
        let mut command = process::garant(home.path());
        command.env("GARANT_LOG", "trace");
        let mut served = Process::start(command);
        let canaries = home.canaries();
        prove_the_comparison(&stage, served.at(), &own, &canaries).await;
        let count = ask_all(&stage, served.at(), &canaries).await;
        assert!(count > 500, "{count}");
        served.signal(rustix::process::Signal::TERM);
        assert_eq!(served.ended(), Some(true));
        assert!(served.said.len() > 100, "a process that says nothing proves nothing");
        let forms: Vec<Vec<u8>> = canaries.iter().flat_map(|c| scan::forms(c)).collect();
        let told = served.said.iter().find(|line| scan::holds(line.as_bytes(), &forms));
        assert_eq!(told, None, "the process says what is hidden");
    });
}
