//! Consent, AuditEvent and Provenance over HTTP.

use garant::id::{PatientId, RecordId};
use garant::model::RecordKey;

use crate::cast::{self, Clinic, Patient, Scene};
use crate::doors::Served;
use crate::house::{Home, Open, each};
use crate::wire::{self, Answer};

struct Stage {
    open: Open,
    served: Served,
    scene: Scene,
    own: String,
    clinic: String,
}

impl Stage {
    async fn set(home: &Home) -> Self {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let own = cast::patient_token(&open.house, scene.patient.id);
        let clinic = scene.clinic.token(&open.house).await;
        Self { open, served, scene, own, clinic }
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        wire::get(self.served.at, path, token).await.unwrap()
    }

    async fn end(self) {
        self.served.end().await;
        self.open.close().await;
    }
}

#[test]
fn au_16_what_the_house_makes_itself_is_written_by_nobody() {
    each("AU-16", async |home| {
        let stage = Stage::set(home).await;
        let consent = stage.scene.grant(&stage.open.house).await;
        let patient = stage.scene.patient.id;
        let body = cast::observation(patient, "x");
        for token in [&stage.own, &stage.clinic] {
            for path in [
                format!("/fhir/Consent/{patient}.{consent}"),
                format!("/fhir/AuditEvent/{consent}"),
                format!("/fhir/Provenance/{}.1", stage.scene.record),
            ] {
                for method in ["PUT", "PATCH", "DELETE", "POST"] {
                    let headers = [wire::bearer(token), "Content-Type: application/fhir+json".to_owned()];
                    let request = wire::request(method, &path, &headers, body.as_bytes());
                    let answer = wire::send(stage.served.at, &request).await.unwrap();
                    assert_eq!(answer.status, 405, "{method} {path}");
                    assert_eq!(answer.json()["resourceType"], "OperationOutcome");
                }
            }
            let answer = wire::post_fhir(stage.served.at, "/fhir/AuditEvent", token, body.as_bytes()).await.unwrap();
            assert_eq!(answer.status, 405);
        }
        assert_eq!(stage.get(&stage.own, &format!("/fhir/Consent/{patient}.{consent}")).await.status, 200);
        stage.end().await;
    });
}

#[test]
fn fh_65_a_hidden_consent_event_or_origin_is_as_absent_as_one_that_never_was() {
    each("FH-65 projected", async |home| {
        let stage = Stage::set(home).await;
        let house = &stage.open.house;
        let consent = stage.scene.grant(house).await;
        let patient = stage.scene.patient.id;
        let nobody = Patient::enrol(house).await;
        let random = RecordId::random(&*house.chance).unwrap();
        let stranger = PatientId::random(&*house.chance).unwrap();
        let other = Clinic::enrol(house).await.token(house).await;
        let theirs = stage.get(&stage.own, "/fhir/AuditEvent").await.json();
        let event = theirs["entry"][0]["resource"]["id"].as_str().unwrap().to_owned();
        let absent = RecordKey { patient: stranger, record: random };
        let here = RecordKey { patient, record: random };
        for (hidden, gone) in [
            (format!("/fhir/Consent/{patient}.{consent}"), format!("/fhir/Consent/{absent}")),
            (format!("/fhir/Consent/{patient}.{consent}"), format!("/fhir/Consent/{here}")),
            (format!("/fhir/AuditEvent/{event}"), "/fhir/AuditEvent/nothing".to_owned()),
            (format!("/fhir/Provenance/{}.1", stage.scene.record), format!("/fhir/Provenance/{absent}.1")),
            (format!("/fhir/Provenance/{patient}.{consent}.1"), format!("/fhir/Provenance/{here}.1")),
        ] {
            let hidden = stage.get(&other, &hidden).await;
            assert_eq!(hidden.status, 404);
            assert_eq!(hidden.comparable(), stage.get(&other, &gone).await.comparable(), "{gone}");
        }
        let plain = async |path: &str, patient: PatientId| {
            let answer = stage.get(&other, &path.replace("PATIENT", &patient.to_string())).await;
            let (status, headers, body) = answer.comparable();
            (status, headers, String::from_utf8(body).unwrap().replace(&patient.to_string(), "PATIENT"))
        };
        for path in ["/fhir/Consent?patient=Patient/PATIENT&status=active", "/fhir/AuditEvent?patient=PATIENT"] {
            let hidden = plain(path, patient).await;
            assert_eq!((hidden.0, hidden.2.contains("\"total\":0")), (200, true), "{path}");
            assert_eq!(hidden, plain(path, nobody.id).await, "{path}");
            assert_eq!(hidden, plain(path, stranger).await, "{path}");
        }
        stage.end().await;
    });
}

#[test]
fn pc_01_a_client_names_patient_and_status_and_may_post_its_search() {
    each("PC-01", async |home| {
        let stage = Stage::set(home).await;
        let consent = stage.scene.grant(&stage.open.house).await;
        let patient = stage.scene.patient.id;
        let named = format!("patient=Patient/{patient}");
        for bad in [
            "status=active".to_owned(),
            named.clone(),
            format!("{named}&status=active&nonsense=1"),
            format!("{named}&status=active&_count=1"),
            format!("{named}&status=active&_summary=count"),
        ] {
            assert_eq!(stage.get(&stage.clinic, &format!("/fhir/Consent?{bad}")).await.status, 400, "{bad}");
        }
        let full = format!("{named}&status=active&actor=Organization/{}", stage.scene.clinic.organisation);
        let got = stage.get(&stage.clinic, &format!("/fhir/Consent?{full}")).await;
        assert_eq!(got.json()["entry"][0]["resource"]["id"], format!("{patient}.{consent}"));
        assert!(got.leaf().is_some());
        let headers = [wire::bearer(&stage.clinic), "Content-Type: application/x-www-form-urlencoded".to_owned()];
        let request = wire::request("POST", "/fhir/Consent/_search", &headers, full.as_bytes());
        let posted = wire::send(stage.served.at, &request).await.unwrap();
        assert_eq!(posted.json()["entry"], got.json()["entry"]);
        let none = stage.get(&stage.clinic, &format!("/fhir/Consent?{named}&status=rejected")).await;
        assert_eq!((none.status, none.json()["total"].as_u64()), (200, Some(0)), "PC-03");
        stage.end().await;
    });
}

#[test]
fn a_posted_consent_is_a_request_to_the_patient_and_never_a_grant() {
    each("posted Consent", async |home| {
        let stage = Stage::set(home).await;
        let (house, patient) = (&stage.open.house, stage.scene.patient.id);
        let provision = |organisation: String| {
            serde_json::json!({
                "type": "permit", "period": { "start": "2026-01-01", "end": house.clock.now().plus_secs(864_000).to_rfc3339() },
                "actor": cast::pcf_actor(&organisation),
                "purpose": [{ "system": garant::model::Purpose::SYSTEM, "code": "TREAT" }],
            })
        };
        let ours = provision(format!("Organization/{}", stage.scene.clinic.organisation));
        let post = async |token: &str, patient: PatientId, provision: &serde_json::Value| {
            let body = cast::pcf_consent(patient, provision).to_string();
            wire::post_fhir(stage.served.at, "/fhir/Consent", token, body.as_bytes()).await.unwrap()
        };
        let answer = post(&stage.clinic, patient, &ours).await;
        assert_eq!((answer.status, answer.json()["issue"][0]["severity"].as_str()), (202, Some("information")));
        let record = format!("/fhir/Observation/{}", stage.scene.record);
        assert_eq!(stage.get(&stage.clinic, &record).await.status, 404, "nothing is granted");
        assert_eq!(stage.get(&stage.own, "/fhir/Consent").await.json()["total"], 0);
        assert_eq!(house.consents.requests(patient).await.unwrap().len(), 1);
        // Nobody there is answered as somebody.
        let stranger = PatientId::random(&*house.chance).unwrap();
        assert_eq!(post(&stage.clinic, stranger, &ours).await.comparable(), answer.comparable());
        // For another's sake, by a patient, or in a shape that says nothing.
        let another = provision(format!("Organization/{}", Clinic::enrol(house).await.organisation));
        assert_eq!(post(&stage.clinic, patient, &another).await.status, 403);
        assert_eq!(post(&stage.own, patient, &ours).await.status, 403);
        assert_eq!(post(&stage.clinic, patient, &serde_json::json!({ "type": "permit" })).await.status, 422);
        assert_eq!(house.consents.requests(patient).await.unwrap().len(), 1);
        stage.end().await;
    });
}

#[test]
fn au_18_a_patient_walks_through_their_history_page_by_page() {
    each("AU-18", async |home| {
        let stage = Stage::set(home).await;
        stage.scene.grant(&stage.open.house).await;
        let record = format!("/fhir/Observation/{}", stage.scene.record);
        for _ in 0..3 {
            assert_eq!(stage.get(&stage.clinic, &record).await.status, 200);
        }
        let base = &stage.open.house.config.base_url;
        let mut path = "/fhir/AuditEvent?_count=2&outcome=0".to_owned();
        let (mut ids, mut reads) = (Vec::new(), 0);
        loop {
            let page = stage.get(&stage.own, &path).await;
            assert_eq!(page.status, 200, "{}", page.text());
            let page = page.json();
            for entry in page["entry"].as_array().into_iter().flatten() {
                ids.push(entry["fullUrl"].as_str().unwrap().to_owned());
                reads += usize::from(entry["resource"]["action"] == "R");
            }
            let links = page["link"].as_array().unwrap().iter();
            let next = links.filter(|link| link["relation"] == "next").find_map(|link| link["url"].as_str());
            let Some(next) = next else { break };
            path = format!("/fhir{}", next.strip_prefix(base.as_str()).unwrap());
        }
        assert_eq!(reads, 3);
        let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
        for url in &ids {
            let path = format!("/fhir{}", url.strip_prefix(base.as_str()).unwrap());
            assert_eq!(stage.get(&stage.own, &path).await.status, 200, "{path}");
        }
        assert_eq!(stage.get(&stage.own, "/fhir/AuditEvent?_after=nonsense").await.status, 400);
        stage.end().await;
    });
}

#[test]
fn au_22_the_origin_of_a_record_is_found_by_its_target() {
    each("AU-22", async |home| {
        let stage = Stage::set(home).await;
        let target = format!("/fhir/Provenance?target=Observation/{}", stage.scene.record);
        assert_eq!(stage.get(&stage.clinic, &target).await.json()["total"], 0);
        stage.scene.grant(&stage.open.house).await;
        let base = &stage.open.house.config.base_url;
        let absolute = format!("/fhir/Provenance?target={base}/Observation/{}/_history/1", stage.scene.record);
        for path in [&target, &absolute] {
            let found = stage.get(&stage.clinic, path).await.json();
            assert_eq!(found["total"], 1, "{path}");
            let id = found["entry"][0]["resource"]["id"].as_str().unwrap().to_owned();
            let read = stage.get(&stage.clinic, &format!("/fhir/Provenance/{id}")).await;
            assert_eq!(read.json(), found["entry"][0]["resource"]);
        }
        let later = target.clone() + "/_history/2";
        assert_eq!(stage.get(&stage.clinic, &later).await.json()["total"], 0);
        stage.end().await;
    });
}
