//! French visibility codes from outside (standards §18.3): who sees a masked document, and who may mask and unmask it.

use std::net::SocketAddr;
use std::sync::Arc;

use garant::app::House;
use garant::clock::{Clock as _, SystemClock, TestClock};
use garant::id::PatientId;
use garant::model::{Bearer, RecordKey, Terms, Visibility};
use serde_json::{Value, json};

use crate::cast::{self, Clinic, Patient};
use crate::doors::Served;
use crate::house::each;
use crate::wire;

const SCOPE: &str = "DocumentReference.crds";

/// A letter with these codes, deposited by the clinic's physician.
async fn letter(house: &Arc<House>, clinic: &Clinic, patient: PatientId, codes: &[&str]) -> RecordKey {
    let labels: Vec<Value> =
        codes.iter().map(|c| json!({ "coding": [{ "system": Visibility::SYSTEM, "code": c }] })).collect();
    let mut letter = json!({
        "resourceType": "DocumentReference", "status": "current",
        "type": { "coding": [{ "system": "http://loinc.org", "code": "11488-4" }] },
        "subject": { "reference": format!("Patient/{patient}") },
        "content": [{ "attachment": { "contentType": "text/plain", "title": "a letter" } }],
    });
    if !labels.is_empty() {
        letter["securityLabel"] = labels.into();
    }
    let bearer = Bearer { scopes: vec![SCOPE.parse().unwrap()], ..clinic.bearer() };
    let receipt = house.intake.create(&bearer, "DocumentReference", letter.to_string().into_bytes()).await.unwrap();
    receipt.entries[0].reference.strip_prefix("DocumentReference/").unwrap().parse().unwrap()
}

/// A patient, two clinics with the same consent, and a token for each.
struct Cast {
    at: SocketAddr,
    patient: Patient,
    author: Clinic,
    own: String,
    by_author: String,
    by_other: String,
}

impl Cast {
    async fn call(house: &Arc<House>, at: SocketAddr) -> Self {
        let patient = Patient::enrol(house).await;
        let author = Clinic::enrol(house).await.with_software(house, SCOPE).await;
        let other = Clinic::enrol(house).await.with_software(house, SCOPE).await;
        for clinic in [&author, &other] {
            let terms = Terms { scope: vec![SCOPE.parse().unwrap()], ..clinic.terms(house.clock.now()) };
            cast::grant(house, &patient, terms).await;
        }
        let own = cast::patient_token(house, patient.id);
        let (by_author, by_other) = (author.token_for(house, SCOPE).await, other.token_for(house, SCOPE).await);
        Self { at, patient, author, own, by_author, by_other }
    }

    /// What a read and a search show: status, matches.
    async fn sees(&self, token: &str, key: RecordKey) -> (u16, u64) {
        let read = wire::get(self.at, &format!("/fhir/DocumentReference/{key}"), token).await.unwrap();
        assert!(!read.text().contains("TRE_A07"), "no text tells of a mask: {}", read.text());
        if read.status == 200 {
            assert_eq!(read.header("etag"), Some("W/\"1\""), "masking makes no version");
        }
        let path = format!("/fhir/DocumentReference?patient=Patient/{}&_id={key}", self.patient.id);
        let found = wire::get(self.at, &path, token).await.unwrap();
        (read.status, found.json()["total"].as_u64().unwrap())
    }

    async fn change(&self, method: &str, key: RecordKey, code: &str, token: &str) -> u16 {
        let path = format!("/api/records/DocumentReference/{key}/visibility/{code}");
        wire::send(self.at, &wire::request(method, &path, &[wire::bearer(token)], b"")).await.unwrap().status
    }

    async fn codes(&self, key: RecordKey) -> (u16, Value) {
        let path = format!("/api/records/DocumentReference/{key}/visibility");
        let answer = wire::get(self.at, &path, &self.own).await.unwrap();
        (answer.status, answer.json()["codes"].clone())
    }
}

const SEEN: (u16, u64) = (200, 1);
const ABSENT: (u16, u64) = (404, 0);

#[test]
fn fr14_to_fr17_the_patient_masks_one_code_at_a_time_and_only_the_patient_unmasks() {
    each("FR-14", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let cast = Cast::call(&open.house, served.at).await;
        let key = letter(&open.house, &cast.author, cast.patient.id, &[]).await;
        assert_eq!(cast.sees(&cast.by_other, key).await, SEEN);
        assert_eq!(cast.codes(key).await, (200, json!([])));
        for code in ["MASQUE_PS", "MASQUE_PT"] {
            assert_eq!(cast.change("POST", key, code, &cast.own).await, 200);
        }
        assert_eq!(cast.codes(key).await, (200, json!(["MASQUE_PS", "MASQUE_PT"])));
        assert_eq!(cast.sees(&cast.by_other, key).await, ABSENT, "FR-15");
        assert_eq!(cast.sees(&cast.by_author, key).await, SEEN, "the author keeps access");
        assert_eq!(cast.sees(&cast.own, key).await, SEEN);
        for token in [&cast.by_other, &cast.by_author] {
            assert_eq!(cast.change("DELETE", key, "MASQUE_PS", token).await, 404, "FR-17");
        }
        assert_eq!(cast.change("POST", key, "MASQUE_PSOCIAL", &cast.by_author).await, 200, "at the patient's wish");
        assert_eq!(cast.change("POST", key, "INVISIBLE_PATIENT", &cast.by_author).await, 404, "shown is shown");
        assert_eq!(cast.change("POST", key, "INVISIBLE_PATIENT", &cast.own).await, 404);
        assert_eq!(cast.change("POST", key, "NOSUCH", &cast.own).await, 404);
        assert_eq!(cast.change("DELETE", key, "MASQUE_PS", &cast.own).await, 200);
        assert_eq!(cast.codes(key).await, (200, json!(["MASQUE_PSOCIAL", "MASQUE_PT"])), "the others stay");
        assert_eq!(cast.sees(&cast.by_other, key).await, SEEN, "FR-16");
        let acts = crate::house::entries(&open.house).await;
        let masks = acts.iter().filter(|e| e.act == garant::ledger::Act::Mask).count();
        assert_eq!(masks, 4, "each change is on record, and nothing else as one");
        let path = format!("/fhir/DocumentReference/{key}");
        let delete = wire::request("DELETE", &path, &[wire::bearer(&cast.by_author)], b"");
        assert_eq!(wire::send(served.at, &delete).await.unwrap().status, 204);
        assert_eq!(cast.change("DELETE", key, "MASQUE_PT", &cast.own).await, 404, "a deleted record has no mask");
        assert_eq!(cast.codes(key).await.0, 404);
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fr14_masks_set_at_the_same_moment_do_not_undo_each_other() {
    each("FR-14 races", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let cast = Cast::call(&open.house, served.at).await;
        for _ in 0..crate::house::trials(5, 100) {
            let key = letter(&open.house, &cast.author, cast.patient.id, &[]).await;
            let (one, two) = tokio::join!(
                cast.change("POST", key, "MASQUE_PS", &cast.own),
                cast.change("POST", key, "MASQUE_PT", &cast.own)
            );
            let codes = cast.codes(key).await.1;
            let set = codes.as_array().unwrap().len();
            assert!([one, two].iter().all(|s| [200, 409].contains(s)), "{one} {two}");
            assert_eq!([one, two].iter().filter(|s| **s == 200).count(), set, "{codes}: {one} {two}");
        }
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fr19_to_fr21_what_is_not_announced_is_absent_for_the_patient_until_its_author_or_time_announces_it() {
    each("FR-19", async |home| {
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let cast = Cast::call(&open.house, served.at).await;
        let hidden = ["INVISIBLE_PATIENT"];
        let key = letter(&open.house, &cast.author, cast.patient.id, &hidden).await;
        assert_eq!(cast.sees(&cast.own, key).await, ABSENT);
        assert_eq!(cast.sees(&cast.by_other, key).await, SEEN);
        assert_eq!(cast.codes(key).await.0, 404);
        assert_eq!(cast.change("POST", key, "MASQUE_PS", &cast.own).await, 404, "FR-21");
        assert_eq!(cast.change("DELETE", key, "INVISIBLE_PATIENT", &cast.own).await, 404);
        assert_eq!(cast.change("DELETE", key, "INVISIBLE_PATIENT", &cast.by_other).await, 404);
        assert_eq!(cast.change("DELETE", key, "INVISIBLE_PATIENT", &cast.by_author).await, 200, "FR-20");
        assert_eq!(cast.sees(&cast.own, key).await, SEEN);
        let late = letter(&open.house, &cast.author, cast.patient.id, &hidden).await;
        clock.advance_secs(62 * 86_400);
        let own = cast::patient_token(&open.house, cast.patient.id);
        assert_eq!(cast.sees(&own, late).await, SEEN, "announced by time");
        served.end().await;
        open.close().await;
    });
}
