//! Searching over HTTP: what is found, in which order, page by page; and that nothing hidden has a part in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use garant::app::House;
use garant::clock::{Clock as _, SystemClock, TestClock};
use garant::id::{PatientId, RecordId};
use garant::ledger::Act;
use garant::model::{OrganisationKind, Purpose, RecordKey};
use serde_json::{Value, json};

use crate::cast::{self, Clinic, Patient};
use crate::doors::Served;
use crate::house::{Engine, Home, each, is_full, on, trials};
use crate::wire::{self, Answer};

const SCOPES: [&str; 5] = ["Condition.rs", "DiagnosticReport.rs", "Encounter.rs", "Observation.crs", "Patient.rs"];

/// A patient and the record they have, each resource under a name.
struct World {
    patient: Patient,
    names: BTreeMap<&'static str, String>,
}

/// In the order of their admission. Those that begin with `h` are confidential, and hidden from the clinic.
const NAMES: [&str; 13] = ["e1", "henc", "e2", "c1", "hcond", "o1", "o2", "hobs", "o3", "o4", "hlast", "o5", "d1"];

fn resource(name: &str, world: &World) -> Value {
    let to = |kind: &str, name: &str| json!({ "reference": format!("{kind}/{}", world.names[name]) });
    let code =
        |code: &str, text: &str| json!({ "coding": [{ "system": "http://loinc.org", "code": code, "display": text }] });
    let observation = |of: &str, value: f64, date: &str, encounter: &str| {
        json!({ "resourceType": "Observation", "status": "final", "code": code(of, "Hémoglobine"), "effectiveDateTime": date,
            "valueQuantity": { "value": value, "system": "http://unitsofmeasure.org", "code": "%" }, "encounter": to("Encounter", encounter) })
    };
    let mut made = match name {
        "e1" => {
            json!({ "resourceType": "Encounter", "status": "finished", "class": { "code": "AMB" }, "period": { "start": "2025-01-01", "end": "2025-01-03" } })
        }
        "e2" => {
            json!({ "resourceType": "Encounter", "status": "planned", "class": { "code": "EMER" }, "partOf": to("Encounter", "e1") })
        }
        "henc" => json!({ "resourceType": "Encounter", "status": "finished", "class": { "code": "HIDDENCLASS" } }),
        "c1" => {
            json!({ "resourceType": "Condition", "code": code("asthma", "Asthme"), "encounter": to("Encounter", "e1"), "recordedDate": "2025-02-01" })
        }
        "hcond" => {
            json!({ "resourceType": "Condition", "code": code("HIV", "VIH"), "encounter": to("Encounter", "e1") })
        }
        "o1" => observation("4548-4", 6.1, "2025-03-01", "e1"),
        "o2" => observation("4548-4", 7.5, "2024-03-01", "e2"),
        // A record that may be seen refers to records that may not.
        "o3" => observation("8480-6", 120.0, "2025-05", "henc"),
        "o4" => observation("8480-6", 95.0, "2023", "e1"),
        "o5" => observation("718-7", 13.2, "2025-03-01T10:00:00Z", "e2"),
        "hobs" => observation("4548-4", 99.0, "2025-03-02", "e1"),
        "hlast" => observation("HIDDENCODE", 1.0, "2026-01-01", "e2"),
        _ => {
            json!({ "resourceType": "DiagnosticReport", "status": "final", "code": code("58410-2", "NFS"), "encounter": to("Encounter", "e1") })
        }
    };
    if name == "o3" {
        made["hasMember"] = json!([to("Observation", "o1"), to("Observation", "hobs")]);
    }
    if name == "d1" {
        made["result"] = json!([to("Observation", "o1"), to("Observation", "hobs"), to("Observation", "o5")]);
    }
    if name == "hlast" {
        made["hasMember"] = json!([to("Observation", "o1")]);
    }
    made["subject"] = json!({ "reference": format!("Patient/{}", world.patient.id) });
    let label = if name.starts_with('h') { "R" } else { "N" };
    made["meta"] = json!({ "security": [{ "system": garant::model::Confidentiality::SYSTEM, "code": label }] });
    made
}

impl World {
    async fn patient(house: &House, serial: usize) -> Self {
        loop {
            let random = RecordId::random(&*house.chance).unwrap();
            let patient = json!({ "resourceType": "Patient", "active": true, "birthDate": "1980-02-03",
                "identifier": [{ "system": "urn:test", "value": random.to_string() }],
                "name": [{ "family": "Lemaître", "given": ["Zoé"] }] });
            let imported = house.intake.import(patient.to_string().into_bytes()).await.unwrap().unwrap();
            // Records' ids begin with the time: the patient's own is to stand behind them in every world.
            if imported.patient.as_bytes()[0] > 1 {
                let patient = Patient::with_device(house, imported.patient).await;
                let mut names = BTreeMap::new();
                names.insert("patient", imported.patient.to_string());
                names.insert("number", random.to_string());
                println!("world {serial} is {}", imported.patient);
                return Self { patient, names };
            }
        }
    }

    /// Takes in the resource `name`; where it must be absent, only its id is made.
    async fn admit(&mut self, house: &House, name: &'static str, absent: bool) {
        let record = if absent {
            let record = RecordId::ordered(&*house.clock, &*house.chance).unwrap();
            RecordKey { patient: self.patient.id, record }
        } else {
            cast::import(house, resource(name, self).to_string()).await
        };
        self.names.insert(name, record.to_string());
    }

    /// `text` with each of this world's ids under its name.
    fn plain(&self, text: &str) -> String {
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|(_, id)| std::cmp::Reverse(id.len()));
        names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(id.as_str(), &format!("<{name}>")))
    }

    /// `text` with this world's ids in the place of `@name@`.
    fn told(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("@{name}@"), id))
    }

    fn name_of(&self, id: &str) -> String {
        self.names.iter().find(|(_, known)| *known == id).map_or_else(|| id.to_owned(), |(name, _)| (*name).to_owned())
    }
}

/// A served house with worlds in it, and a clinic that all of them allow what is not confidential.
struct Scene {
    open: crate::house::Open,
    served: Served,
    clock: TestClock,
    clinic: Clinic,
    worlds: Vec<World>,
    consents: Vec<garant::id::ConsentId>,
    token: String,
}

impl Scene {
    /// `hides` says for each world whether what is hidden is there.
    async fn set(home: &Home, hides: &[bool]) -> Self {
        let clock = TestClock::at(SystemClock.now().plus_secs(-3600));
        home.set_clock(clock.clone());
        let open = home.found().await;
        let house = &open.house;
        let clinic = Clinic::with_scopes(house, OrganisationKind::Care, &SCOPES).await;
        let mut worlds = Vec::new();
        for serial in 0..hides.len() {
            worlds.push(World::patient(house, serial).await);
        }
        for name in NAMES {
            clock.advance_secs(1);
            for (world, hides) in worlds.iter_mut().zip(hides) {
                world.admit(house, name, name.starts_with('h') && !hides).await;
            }
        }
        let mut consents = Vec::new();
        for world in &worlds {
            consents.push(cast::grant(house, &world.patient, clinic.terms(house.clock.now())).await);
        }
        let served = Served::by(house).await;
        let token = clinic.token(house).await;
        Self { open, served, clock, clinic, worlds, consents, token }
    }

    fn at(&self) -> SocketAddr {
        self.served.at
    }

    async fn ask(&self, world: usize, path: &str) -> Answer {
        wire::get(self.at(), &self.worlds[world].told(path), &self.token).await.unwrap()
    }

    /// The names of the entries found, those that came along in brackets.
    async fn names(&self, world: usize, path: &str) -> Vec<String> {
        let answer = self.ask(world, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        names(&self.worlds[world], &answer)
    }

    async fn end(self) {
        self.served.end().await;
        self.open.close().await;
        self.clock.set(SystemClock.now());
    }
}

fn names(world: &World, answer: &Answer) -> Vec<String> {
    let bundle = answer.json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let name = |entry: &Value| {
        let name = world.name_of(entry["resource"]["id"].as_str().unwrap_or("outcome"));
        if entry["search"]["mode"] == "include" { format!("[{name}]") } else { name }
    };
    entries.iter().map(name).collect()
}

/// The path of a link of a page, as this server is reached here.
fn link(answer: &Answer, relation: &str) -> Option<String> {
    let bundle = answer.json();
    let links = bundle["link"].as_array()?.clone();
    let url = links.iter().find(|l| l["relation"] == relation)?["url"].as_str()?.to_owned();
    assert!(url.starts_with("http://127.0.0.1/fhir/"), "a link to elsewhere: {url}");
    Some(url.trim_start_matches("http://127.0.0.1").to_owned())
}

async fn post(at: SocketAddr, path: &str, token: &str, form: &str) -> Answer {
    let headers = [wire::bearer(token), "Content-Type: application/x-www-form-urlencoded".to_owned()];
    wire::send(at, &wire::request("POST", path, &headers, form.as_bytes())).await.unwrap()
}

#[test]
fn fh_40_to_fh_50_searches_find_what_matches_and_refuse_what_is_not_understood() {
    each("FH-40", async |home| {
        let scene = Scene::set(home, &[true]).await;
        let all = "/fhir/Observation?patient=@patient@";
        for (query, expected) in [
            ("", &["o1", "o2", "o3", "o4", "o5"][..]),
            ("&code=http://loinc.org%7C4548-4", &["o1", "o2"]),
            ("&code:text=glob&value-quantity=gt100", &["o3"]),
            ("&code:not=4548-4", &["o3", "o4", "o5"]),
            ("&date=ge2025&_sort=-date,-_id", &["o3", "o1", "o5"]),
            ("&_sort=value-quantity", &["o1", "o2", "o5", "o4", "o3"]),
            ("&code-value-quantity=4548-4$gt7", &["o2"]),
            ("&encounter=Encounter/@e2@", &["o2", "o5"]),
            ("&encounter:Encounter.status=planned", &["o2", "o5"]),
            ("&encounter.part-of.status=finished", &["o2", "o5"]),
            ("&patient.family=lemaitre&date=2023", &["o4"]),
            ("&_has:DiagnosticReport:result:code=58410-2", &["o1", "o5"]),
            ("&_id=@o1@,@hobs@", &["o1"]),
            // What is hidden is no link of a chain: neither the class of a visit nor the panel that names a result.
            ("&encounter.class=HIDDENCLASS", &[]),
            ("&_has:Observation:has-member:code=HIDDENCODE", &[]),
            ("&value-quantity=99", &[]),
            ("&_security=R", &[]),
            ("&_include=Observation:encounter&code=8480-6", &["o3", "o4", "[e1]"]),
            ("&_include=Observation:encounter&_include:iterate=Encounter:part-of&date=2024", &["o2", "[e2]", "[e1]"]),
            (
                "&_include=Observation:has-member&code=8480-6&_include=Observation:patient",
                &["o3", "o4", "[o1]", "[patient]"],
            ),
            ("&_revinclude=DiagnosticReport:result&date=2025-03", &["o1", "o5", "[d1]"]),
            ("&_revinclude=Observation:has-member&code=4548-4", &["o1", "o2", "[o3]"]),
        ] {
            let mut found = scene.names(0, &format!("{all}{query}")).await;
            if query.contains("_include=Observation:has-member") {
                found[2..].sort();
            }
            assert_eq!(found, expected, "{query}");
        }
        assert_eq!(scene.names(0, "/fhir/Patient?_id=@patient@&_has:Condition:patient:code=asthma").await, ["patient"]);
        assert_eq!(scene.names(0, "/fhir/Patient?_id=@patient@&_has:Condition:patient:code=HIV").await, [""; 0]);
        scene.end().await;
    });
}

#[test]
fn fh_36_fh_37_what_is_not_understood_is_refused_and_so_is_what_the_token_does_not_speak_of() {
    each("FH-36", async |home| {
        let scene = Scene::set(home, &[true]).await;
        let all = "/fhir/Observation?patient=@patient@";
        for query in [
            "&nonsense=1",
            "&code:foo=1",
            "&date=xx2024",
            "&date=2024-13",
            "&_count=-1",
            "&_sort=nonsense",
            "&_include=*",
            "&_text=x",
            "&_content=x",
            "&_filter=x",
            "&_query=x",
            "&_list=x",
            "&code:in=x",
            "&_summary=x",
            "&_elements=x",
            "&_include=Observation:nonsense",
            "&_has:Observation:code:code=1",
            "&_count=1&_count=1",
            "&code=%ff",
        ] {
            let answer = scene.ask(0, &format!("{all}{query}")).await;
            assert_eq!(
                (answer.status, answer.json()["resourceType"].as_str()),
                (400, Some("OperationOutcome")),
                "{query}"
            );
        }
        // F07: types that the token does not speak of are refused before anything runs.
        assert_eq!(scene.ask(0, &format!("{all}&_has:Procedure:part-of:code=1")).await.status, 403);
        assert_eq!(scene.ask(0, "/fhir/Patient?_id=@patient@&_has:Procedure:patient:code=1").await.status, 403);
        assert_eq!(scene.ask(0, &format!("{all}&_revinclude=Provenance:target")).await.status, 200);
        scene.end().await;
    });
}

#[test]
fn fh_33_a_form_a_compartment_and_a_lenient_search_say_the_same_as_an_address() {
    each("FH-33", async |home| {
        let scene = Scene::set(home, &[true]).await;
        let world = &scene.worlds[0];
        let by_get = scene.ask(0, "/fhir/Observation?patient=@patient@&code=4548-4").await.json();
        let form = world.told("patient=@patient@&code=4548-4");
        assert_eq!(post(scene.at(), "/fhir/Observation/_search", &scene.token, &form).await.json(), by_get);
        let half = world.told("/fhir/Observation/_search?patient=@patient@");
        assert_eq!(post(scene.at(), &half, &scene.token, "code=4548-4").await.json(), by_get);
        let within = scene.ask(0, "/fhir/Patient/@patient@/Observation?code=4548-4").await;
        assert_eq!(within.json()["entry"], by_get["entry"]);
        let place = world.told("/fhir/Patient/@patient@/Observation/_search");
        let within = post(scene.at(), &place, &scene.token, "code=4548-4").await;
        assert_eq!(within.json()["entry"], by_get["entry"]);
        let identifier = scene.ask(0, "/fhir/Patient?_id=@patient@").await.json()["entry"][0]["resource"]["identifier"]
            [0]["value"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            scene.names(0, &format!("/fhir/Observation?patient.identifier=urn:test%7C{identifier}&date=2023")).await,
            ["o4"]
        );
        assert_eq!(scene.names(0, &format!("/fhir/Patient?identifier=urn:test%7C{identifier}")).await, ["patient"]);
        let headers = [wire::bearer(&scene.token), "Content-Type: application/json".to_owned()];
        let other = wire::request("POST", "/fhir/Observation/_search", &headers, b"{}");
        assert_eq!(wire::send(scene.at(), &other).await.unwrap().status, 415);
        // FH-36: lenient leaves out parameters, says so, and does not name them as used.
        let path = world.told("/fhir/Observation?nonsense=1&patient=@patient@&code=4548-4");
        for (prefer, status) in [("handling=lenient", 200), ("handling=strict", 400), ("return=minimal", 400)] {
            let headers = [wire::bearer(&scene.token), format!("Prefer: {prefer}")];
            let answer = wire::send(scene.at(), &wire::request("GET", &path, &headers, b"")).await.unwrap();
            assert_eq!(answer.status, status, "{prefer}");
            if status == 200 {
                assert_eq!(names(world, &answer), ["o1", "o2", "outcome"]);
                assert!(!link(&answer, "self").unwrap().contains("nonsense"));
            }
        }
        for nowhere in ["/fhir/ValueSet?url=x", "/fhir/Observation/@o1@/Condition", "/fhir/Patient/@patient@/ValueSet"]
        {
            assert_eq!(scene.ask(0, nowhere).await.status, 404, "{nowhere}");
        }
        scene.end().await;
    });
}

#[test]
fn fh_38_pages_show_each_match_once_and_totals_count_what_may_be_seen() {
    each("FH-38", async |home| {
        let scene = Scene::set(home, &[true]).await;
        for (query, expected) in [
            ("&_count=2", ["o1", "o2", "o3", "o4", "o5"]),
            ("&_count=2&_sort=-value-quantity", ["o3", "o4", "o5", "o2", "o1"]),
            ("&_count=1&_sort=code,-date&_total=accurate", ["o2", "o1", "o5", "o4", "o3"]),
            ("&_count=4&_include=Observation:encounter", ["o1", "o2", "o3", "o4", "o5"]),
        ] {
            let mut path = Some(format!("/fhir/Observation?patient=@patient@{query}"));
            let (mut all, mut pages) = (Vec::new(), 0);
            while let Some(now) = path {
                let answer = scene.ask(0, &now).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                let total = answer.json()["total"].as_u64();
                assert_eq!(total, query.contains("accurate").then_some(5), "{query}");
                all.extend(names(&scene.worlds[0], &answer).into_iter().filter(|n| !n.starts_with('[')));
                path = link(&answer, "next");
                pages += 1;
            }
            let expected: Vec<&str> = match query {
                // Equal codes are told apart by date, and `-date` puts the later first.
                "&_count=1&_sort=code,-date&_total=accurate" => vec!["o1", "o2", "o5", "o3", "o4"],
                _ => expected.to_vec(),
            };
            assert_eq!(all, expected, "{query} in {pages} pages");
        }
        for counted in ["&_summary=count", "&_count=0", "&_count=0&_sort=date"] {
            let answer = scene.ask(0, &format!("/fhir/Observation?patient=@patient@&code=4548-4{counted}")).await;
            let bundle = answer.json();
            assert_eq!((bundle["total"].as_u64(), bundle.get("entry"), link(&answer, "next")), (Some(2), None, None));
            assert!(answer.leaf().is_some(), "a number is told, and is on record");
        }
        assert_eq!(scene.ask(0, "/fhir/Observation?patient=@patient@&_total=none").await.json().get("total"), None);
        let part = scene.ask(0, "/fhir/Observation?patient=@patient@&_elements=value&code=718-7").await.json();
        let part = &part["entry"][0]["resource"];
        assert_eq!(part["meta"]["tag"][0]["code"], "SUBSETTED");
        assert_eq!(part["meta"]["security"][0]["code"], "N");
        assert!(part.get("encounter").is_none() && part.get("status").is_some() && part.get("valueQuantity").is_some());
        scene.end().await;
    });
}

#[test]
fn what_a_search_tells_without_showing_it_is_on_record_too() {
    each("told", async |home| {
        let scene = Scene::set(home, &[true]).await;
        let house = &scene.open.house;
        // A page is one disclosure; a counted total and a match by way of another record are one more, before it.
        for (query, shown, disclosed, refused) in [
            ("", 5, 1, 0),
            ("&encounter.status=planned", 2, 2, 0),
            ("&_has:DiagnosticReport:result:code=58410-2", 2, 2, 0),
            ("&_total=accurate&_count=1", 1, 2, 0),
            ("&_summary=count", 0, 1, 0),
            ("&encounter.class=HIDDENCLASS", 0, 0, 1),
            ("&code=none", 0, 0, 1),
        ] {
            let before = crate::house::entries(house).await.len();
            let found = scene.names(0, &format!("/fhir/Observation?patient=@patient@{query}")).await;
            let new = crate::house::entries(house).await.split_off(before);
            let of = |act: Act| new.iter().filter(|entry| entry.act == act).count();
            assert_eq!((found.len(), of(Act::Disclose), of(Act::Refuse)), (shown, disclosed, refused), "{query}");
            let counted = new.iter().filter(|entry| entry.act == Act::Disclose).map(|entry| entry.records).max();
            if query.contains("_total") || query.contains("_summary") {
                assert_eq!(counted, Some(5), "{query}: every record counted is on record");
            }
        }
        scene.end().await;
    });
}

#[test]
fn fh_52_everything_is_all_that_may_be_seen_and_no_more() {
    each("FH-52", async |home| {
        let scene = Scene::set(home, &[true]).await;
        let all = "/fhir/Patient/@patient@/$everything";
        for (query, expected) in [
            ("", &["e1", "e2", "c1", "o1", "o2", "o3", "o4", "o5", "d1", "patient"][..]),
            ("?_type=Condition,Patient", &["c1", "patient"]),
            ("?_type=Procedure", &[]),
            ("?start=2025-02-15&_type=Observation", &["o1", "o3", "o5"]),
            ("?end=2024-12-31&_type=Observation", &["o2", "o4"]),
            ("?_since=2100-01-01T00:00:00Z", &[]),
        ] {
            assert_eq!(scene.names(0, &format!("{all}{query}")).await, expected, "{query}");
        }
        let (mut path, mut found) = (Some(format!("{all}?_count=3")), Vec::new());
        while let Some(now) = path {
            let answer = scene.ask(0, &now).await;
            found.extend(names(&scene.worlds[0], &answer));
            path = link(&answer, "next");
        }
        assert_eq!(found, ["e1", "e2", "c1", "o1", "o2", "o3", "o4", "o5", "d1", "patient"]);
        for bad in ["?_offset=1", "?_count=0", "?code=x", "?start=x"] {
            assert_eq!(scene.ask(0, &format!("{all}{bad}")).await.status, 400, "{bad}");
        }
        // F13: without consent, and of nobody, the same as of a record that never was.
        let house = &scene.open.house;
        let stranger = Clinic::with_scopes(house, OrganisationKind::Care, &SCOPES).await.token(house).await;
        let nobody = PatientId::random(&*house.chance).unwrap();
        let hidden = wire::get(scene.at(), &scene.worlds[0].told(all), &stranger).await.unwrap().comparable();
        let absent = wire::get(scene.at(), &format!("/fhir/Patient/{nobody}/$everything"), &stranger).await.unwrap();
        assert_eq!((hidden.0, &hidden), (404, &absent.comparable()));
        scene.end().await;
    });
}

#[test]
fn p46_a_link_to_a_page_is_worth_nothing_to_others_changed_or_after_a_change_of_consent() {
    each("P46", async |home| {
        let n = trials(200, 10_000);
        println!("P46: {n} changed links");
        let scene = Scene::set(home, &[true]).await;
        let house = &scene.open.house;
        let next = async || {
            let first = scene.ask(0, "/fhir/Observation?patient=@patient@&_count=2").await;
            link(&first, "next").unwrap()
        };
        let good = next().await;
        assert_eq!(scene.names(0, &good).await, ["o3", "o4"]);
        assert_eq!(scene.names(0, &good).await, ["o3", "o4"], "a page may be turned again");
        let nothing = scene.ask(0, "/fhir/_page/never").await.comparable();
        assert_eq!(nothing.0, 404);
        let (head, sealed) = good.split_at("/fhir/_page/".len());
        for _ in 0..n {
            let mut changed = sealed.as_bytes().to_vec();
            let at = home.dice.below(changed.len());
            let other = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[home.dice.below(64)];
            if changed[at] == other {
                changed.remove(at);
            } else {
                changed[at] = other;
            }
            let path = format!("{head}{}", String::from_utf8(changed).unwrap());
            assert_eq!(scene.ask(0, &path).await.comparable(), nothing, "byte {at}");
        }
        // Another clinic that the patient allows the same, and the patient themself.
        let other = Clinic::with_scopes(house, OrganisationKind::Care, &SCOPES).await;
        cast::grant(house, &scene.worlds[0].patient, other.terms(house.clock.now())).await;
        for token in [other.token(house).await, cast::patient_token(house, scene.worlds[0].patient.id)] {
            assert_eq!(wire::get(scene.at(), &good, &token).await.unwrap().comparable(), nothing);
        }
        assert_eq!(scene.ask(0, &format!("{good}?_count=5")).await.status, 400);
        // Narrowed and then ended: every older link is gone, though what it asked for may still be seen.
        let mut narrower = scene.clinic.terms(house.clock.now());
        narrower.purpose = vec![Purpose::Treat];
        narrower.scope.retain(|s| s.resource_type.as_deref() != Some("Condition"));
        narrower.valid.to = narrower.valid.to.plus_secs(-86_400);
        cast::narrow(house, &scene.worlds[0].patient, scene.consents[0], narrower).await;
        assert_eq!(scene.ask(0, &good).await.comparable(), nothing);
        let newer = next().await;
        cast::revoke(house, scene.worlds[0].patient.id, scene.consents[0]).await.unwrap();
        assert_eq!(scene.ask(0, &newer).await.comparable(), nothing);
        let _renewed = cast::grant(house, &scene.worlds[0].patient, scene.clinic.terms(house.clock.now())).await;
        assert_eq!(scene.ask(0, &newer).await.comparable(), nothing, "a new consent does not bring old links back");
        let late = next().await;
        scene.clock.advance_secs(601);
        let token = scene.clinic.token(house).await;
        assert_eq!(wire::get(scene.at(), &late, &token).await.unwrap().comparable(), nothing, "expired");
        scene.end().await;
    });
}

/// A percent-encoded parameter; `@` stays, it marks names.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@:/,$".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Draws searches of every form.
struct Draw<'h> {
    home: &'h Home,
    /// Name and type of the parameters of each type, as declared.
    declared: BTreeMap<String, Vec<(String, String)>>,
}

const TYPES: [&str; 5] = ["Observation", "Observation", "Encounter", "Condition", "Patient"];

impl Draw<'_> {
    fn one<'t>(&self, of: &[&'t str]) -> &'t str {
        of[self.home.dice.below(of.len())]
    }

    fn value(&self, kind: &str) -> String {
        let prefix = self.one(&["", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]);
        match kind {
            "token" => self
                .one(&[
                    "4548-4",
                    "http://loinc.org|4548-4",
                    "http://loinc.org|",
                    "|4548-4",
                    "8480-6",
                    "718-7,8480-6",
                    "HIV",
                    "HIDDENCODE",
                    "HIDDENCLASS",
                    "finished",
                    "final",
                    "planned",
                    "R",
                    "N",
                    "asthma",
                    "true",
                    "@o1@",
                    "@hobs@",
                    "@patient@",
                    "x",
                ])
                .to_owned(),
            "date" => format!(
                "{prefix}{}",
                self.one(&[
                    "2025",
                    "2025-03-01",
                    "2024-03",
                    "2023",
                    "2026-01-01",
                    "2025-03-01T10:00:00Z",
                    "1980-02-03"
                ])
            ),
            "quantity" | "number" => format!("{prefix}{}", self.one(&["6.1", "7.5", "99", "100", "13", "120||%", "1"])),
            "reference" => self
                .one(&[
                    "Encounter/@e1@",
                    "Encounter/@e2@",
                    "Encounter/@henc@",
                    "@patient@",
                    "Patient/@patient@",
                    "Observation/@o1@",
                    "Observation/@hobs@",
                    "@hlast@",
                ])
                .to_owned(),
            "string" => self.one(&["lem", "Zoé", "ZOE", "x"]).to_owned(),
            "composite" => self.one(&["4548-4$gt7", "4548-4$99", "HIDDENCODE$1", "8480-6$ne95"]).to_owned(),
            _ => self.one(&["http://a", "http://loinc.org"]).to_owned(),
        }
    }

    fn modifier(&self, kind: &str) -> &'static str {
        match (kind, self.home.dice.below(8)) {
            (_, 0) => ":missing",
            ("token", 1 | 2) => ":not",
            ("token", 3) => ":text",
            ("string", 1) => ":exact",
            ("string", 2) => ":contains",
            ("reference", 1) => ":Encounter",
            ("reference", 2) => ":identifier",
            ("uri", 1) => ":below",
            ("uri", 2) => ":above",
            (_, 4) if self.home.dice.below(6) == 0 => ":nonsense",
            _ => "",
        }
    }

    fn filter(&self, of: &str) -> String {
        let declared = &self.declared[of];
        let often = [
            "code",
            "date",
            "encounter",
            "status",
            "value-quantity",
            "class",
            "_id",
            "has-member",
            "_security",
            "_lastUpdated",
            "subject",
        ];
        let (name, kind) = loop {
            let drawn = &declared[self.home.dice.below(declared.len())];
            if self.home.dice.below(3) == 0 || often.contains(&drawn.0.as_str()) {
                break drawn;
            }
        };
        let modifier = self.modifier(kind);
        let value = if modifier == ":missing" { self.one(&["true", "false"]).to_owned() } else { self.value(kind) };
        format!("{name}{modifier}={}", encoded(&value))
    }

    fn chained(&self, of: &str) -> String {
        let (via, to) = match of {
            "Observation" => {
                [("encounter", "Encounter"), ("patient", "Patient"), ("has-member:Observation", "Observation")]
                    [self.home.dice.below(3)]
            }
            "Encounter" => ("part-of", "Encounter"),
            "Condition" => ("encounter", "Encounter"),
            _ => ("general-practitioner:Practitioner", "Patient"),
        };
        format!("{via}.{}", self.filter(to))
    }

    fn has(&self, of: &str) -> String {
        let (from, via) = match of {
            "Observation" => [("Observation", "has-member"), ("DiagnosticReport", "result")][self.home.dice.below(2)],
            "Encounter" => [("Observation", "encounter"), ("Condition", "encounter")][self.home.dice.below(2)],
            _ => [("Observation", "patient"), ("Condition", "patient"), ("Encounter", "subject")]
                [self.home.dice.below(3)],
        };
        let inner = if self.home.dice.below(5) == 0 { self.chained(from) } else { self.filter(from) };
        format!("_has:{from}:{via}:{inner}")
    }

    fn result(&self) -> String {
        let sorts =
            ["date", "-date", "code", "-value-quantity", "_id", "-_lastUpdated", "encounter", "status,-date", "-class"];
        match self.home.dice.below(9) {
            0 => format!("_sort={}", self.one(&sorts)),
            1 | 2 => format!("_count={}", self.home.dice.below(4)),
            3 => format!("_total={}", self.one(&["none", "estimate", "accurate"])),
            4 => format!("_summary={}", self.one(&["true", "text", "data", "count", "false"])),
            5 => format!("_elements={}", self.one(&["code", "status,subject", "encounter", "value"])),
            6 => self
                .one(&[
                    "_include=Observation:encounter",
                    "_include=Observation:has-member",
                    "_include:iterate=Observation:has-member",
                    "_include=Condition:encounter",
                    "_include=Encounter:part-of",
                    "_include:iterate=Encounter:part-of",
                ])
                .to_owned(),
            7 => self
                .one(&[
                    "_revinclude=Observation:has-member",
                    "_revinclude=DiagnosticReport:result",
                    "_revinclude=Observation:encounter",
                    "_revinclude=Condition:encounter",
                    "_revinclude=Provenance:target",
                    "_revinclude:iterate=Observation:has-member",
                ])
                .to_owned(),
            _ => "_format=json".to_owned(),
        }
    }

    /// Method, path and form.
    fn search(&self) -> (bool, String, String) {
        if self.home.dice.below(12) == 0 {
            let more = self.one(&[
                "",
                "?_count=2",
                "?_type=Observation",
                "?_type=Encounter,Condition&_count=1",
                "?start=2025-01-01",
                "?end=2024-12-31",
                "?_since=2020-01-01T00:00:00Z",
            ]);
            return (false, format!("/fhir/Patient/@patient@/$everything{more}"), String::new());
        }
        let of = self.one(&TYPES);
        let mut all = Vec::new();
        for _ in 0..self.home.dice.below(3) {
            all.push(match self.home.dice.below(6) {
                0 => self.chained(of),
                1 => self.has(of),
                _ => self.filter(of),
            });
        }
        for _ in 0..self.home.dice.below(3) {
            all.push(self.result());
        }
        let within = of != "Patient" && self.home.dice.below(6) == 0;
        if !within {
            all.push(if of == "Patient" { "_id=@patient@".to_owned() } else { "patient=Patient/@patient@".to_owned() });
        }
        let place = if within { format!("/fhir/Patient/@patient@/{of}") } else { format!("/fhir/{of}") };
        if self.home.dice.below(4) == 0 {
            (true, format!("{place}/_search"), all.join("&"))
        } else {
            (false, format!("{place}?{}", all.join("&")), String::new())
        }
    }
}

/// An answer as it can be compared between two worlds: ids under their names, and of what is sealed its length.
fn comparable(world: &World, answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let (status, headers, body) = answer.comparable();
    let headers = headers.into_iter().filter(|(name, _)| name != "garant-log-index").collect();
    let mut text = world.plain(&String::from_utf8(body).unwrap());
    for part in text.clone().split("/_page/").skip(1) {
        let sealed = part.split('"').next().unwrap();
        text = text.replace(sealed, &format!("({})", sealed.len()));
    }
    (status, headers, text)
}

#[test]
fn p42_two_worlds_that_differ_in_what_is_hidden_answer_every_search_alike() {
    let test = async |home: &Home| {
        let scene = Scene::set(home, &[false, true]).await;
        let metadata = wire::get(scene.at(), "/fhir/metadata", "").await.unwrap().json();
        let mut declared = BTreeMap::new();
        for kind in metadata["rest"][0]["resource"].as_array().unwrap() {
            let text = |v: &Value| v.as_str().unwrap().to_owned();
            let all = kind["searchParam"].as_array().unwrap();
            declared.insert(text(&kind["type"]), all.iter().map(|p| (text(&p["name"]), text(&p["type"]))).collect());
        }
        let draw = Draw { home, declared };
        let n = std::env::var("GARANT_P42").ok().and_then(|n| n.parse().ok()).unwrap_or_else(|| trials(2_000, 50_000));
        let (mut asked, mut shown, mut refused, mut pages) = (0, 0, 0, 0);
        let mut line = wire::Line::connect(scene.at()).await.unwrap();
        let house = &scene.open.house;
        while asked < n {
            let (posts, path, form) = draw.search();
            let mut paths = [path.clone(), path.clone()];
            let mut form = Some(form);
            for page in 0..6 {
                let mut answers = Vec::new();
                let mut leaves = Vec::new();
                for (world, path) in scene.worlds.iter().zip(&paths) {
                    let before = house.store.head().await.unwrap().unwrap().size;
                    let token = wire::bearer(&scene.token);
                    let kind = "Content-Type: application/x-www-form-urlencoded".to_owned();
                    let method = if posts && page == 0 { "POST" } else { "GET" };
                    let body = world.told(form.as_deref().unwrap_or_default());
                    let request = wire::request(method, &world.told(path), &[token, kind], body.as_bytes());
                    answers.push(line.ask(&request).await.unwrap());
                    leaves.push(house.store.head().await.unwrap().unwrap().size - before);
                    asked += 1;
                }
                let said: Vec<_> = scene.worlds.iter().zip(&answers).map(|(w, a)| comparable(w, a)).collect();
                assert_eq!(said[0], said[1], "seed {}, after {asked}: {path} {form:?} page {page}", home.seed);
                assert_eq!(leaves[0], leaves[1], "seed {}: leaves of {path} {form:?}", home.seed);
                let entries = answers[1].json()["entry"].to_string();
                assert!(!entries.contains("HIDDEN") && !entries.contains("\"R\""), "{path}: {entries}");
                shown += usize::from(answers[0].json()["entry"].is_array());
                refused += usize::from(answers[0].status == 400);
                match (link(&answers[0], "next"), link(&answers[1], "next")) {
                    (Some(a), Some(b)) => paths = [a, b],
                    _ => break,
                }
                form = None;
                pages += 1;
            }
        }
        println!(
            "P42: {asked} searches in two worlds, {shown} pairs with entries, {pages} further pages, {refused} refused"
        );
        assert!(shown * 6 > n / 2 && pages * 40 > n / 2 && refused < n / 3, "the searches drawn say too little");
        scene.end().await;
    };
    on(Engine::Sqlite, "P42", &test);
    if is_full() || std::env::var("GARANT_TEST_ENGINE").is_ok_and(|e| e == "postgres") {
        on(Engine::Postgres, "P42", &test);
    }
}

#[test]
fn fh_02_all_that_is_declared_works_and_what_is_not_declared_is_refused() {
    let test = async |home: &Home| {
        let scene = Scene::set(home, &[true]).await;
        let house: &Arc<House> = &scene.open.house;
        let token = cast::patient_token(house, scene.worlds[0].patient.id);
        let metadata = wire::get(scene.at(), "/fhir/metadata", "").await.unwrap().json();
        let mut line = wire::Line::connect(scene.at()).await.unwrap();
        let mut ask =
            async |path: String| line.ask(&wire::request("GET", &path, &[wire::bearer(&token)], b"")).await.unwrap();
        let change = async |method: &str, path: String| {
            wire::send(scene.at(), &wire::request(method, &path, &[wire::bearer(&token)], b"")).await.unwrap()
        };
        let sample = |kind: &str| match kind {
            "date" => "2024",
            "number" | "quantity" => "1",
            "reference" => "@patient@",
            "uri" => "http://a",
            _ => "x",
        };
        let (mut parameters, mut types) = (0, Vec::new());
        for kind in metadata["rest"][0]["resource"].as_array().unwrap() {
            let name = kind["type"].as_str().unwrap();
            types.push(name.to_owned());
            let offers = |code: &str| kind["interaction"].as_array().unwrap().iter().any(|i| i["code"] == code);
            assert!(offers("search-type"), "{name}");
            let declared = kind["searchParam"].as_array().unwrap();
            for parameter in declared {
                let (code, of) = (parameter["name"].as_str().unwrap(), parameter["type"].as_str().unwrap());
                // How a composite is asked for depends on its parts; each has one of these two forms.
                let values = if of == "composite" {
                    vec!["x$1", "x$x", "x$2024", "@patient@$x", "x$1$1"]
                } else {
                    vec![sample(of)]
                };
                let mut statuses = Vec::new();
                for value in values {
                    let path = format!("/fhir/{name}?{code}={}", scene.worlds[0].told(&encoded(value)));
                    statuses.push(ask(path).await.status);
                }
                assert!(statuses.contains(&200), "{name}?{code} ({of}): {statuses:?}");
                parameters += 1;
            }
            for (code, method) in [("patch", "PATCH"), ("update", "PUT"), ("delete", "DELETE")] {
                let status = change(method, format!("/fhir/{name}/x")).await.status;
                assert_eq!(offers(code), status != 405, "{name} {code}: {status}");
            }
            for other in ["nonsense", "_text", "_content", "_filter", "_list", "_query"] {
                assert_eq!(ask(format!("/fhir/{name}?{other}=x")).await.status, 400, "{name}?{other}");
            }
        }
        println!("FH-02: {parameters} parameters of {} types", types.len());
        for name in garant::fhir::resource_types().filter(|t| !types.iter().any(|d| d == t)) {
            assert_eq!(ask(format!("/fhir/{name}?_id=x")).await.status, 404, "{name}");
        }
        for operation in ["$export", "$graph", "Patient/$everything", "Group/x/$export", "Patient/x/$nonsense"] {
            assert!([400, 404, 405].contains(&ask(format!("/fhir/{operation}")).await.status), "{operation}");
        }
        scene.end().await;
    };
    on(Engine::Sqlite, "FH-02", &test);
}
