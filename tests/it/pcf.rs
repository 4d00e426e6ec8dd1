//! The consent matrix of IHE PCF (standards §6.3): each of its published examples, posted as FHIR, put to the patient,
//! granted by their signature, and then asked record by record through the door.
//!
//! What cannot be enforced exactly here is refused when it is posted (422), so that nothing is recorded that would not
//! be kept; its column then says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use garant::app::House;
use garant::clock::{Clock as _, SystemClock, TestClock};
use garant::directory::{Party, Professional};
use garant::fhir::Handling;
use garant::id::{ConsentId, ProfessionalId};
use garant::model::{Bearer, Purpose, RecordKey, Subject};
use garant::release::{Wanted, Withheld};
use serde_json::{Value, json};

use crate::cast::{self, Clinic, Patient};
use crate::doors::Served;
use crate::house::each;
use crate::wire;

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    /// The physician that the example names.
    A,
    /// A nurse of the same place, whom it does not name.
    B,
}

/// What comes of an example.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comes {
    /// The patient can grant it, and then exactly these records are seen.
    Seen(&'static [usize]),
    /// It is refused when it is posted.
    Refused,
}
use Comes::{Refused, Seen};

const ALL: Comes = Seen(&[1, 2, 3, 4, 5]);
const NONE: Comes = Seen(&[]);

/// Example, its provision, who asks for what purpose, and what comes of it.
type Row = (&'static str, fn(&Place) -> Value, Who, Purpose, Comes);

/// The hospital that asks, as the examples name it.
struct Place {
    clinic: Clinic,
    nurse: ProfessionalId,
}

impl Place {
    async fn enrol(house: &House) -> Self {
        let clinic = Clinic::enrol(house).await;
        let nurse = ProfessionalId::random(&*house.chance).unwrap();
        let party = Party::Professional(Professional {
            id: nurse,
            name: "Jeanne Petit".to_owned(),
            profession: "60".parse().unwrap(),
            number: String::new(),
            organisations: vec![clinic.organisation],
            active: true,
        });
        house.enrolments.enrol(&party).await.unwrap();
        Self { clinic, nurse }
    }

    fn everyone(&self) -> Value {
        cast::pcf_actor(&format!("Organization/{}", self.clinic.organisation))
    }

    fn named(&self) -> Value {
        cast::pcf_actor(&format!("Practitioner/{}", self.clinic.professional))
    }

    /// The physicians of the place: PCF's privileged Group.
    fn group(&self) -> Value {
        cast::pcf_actor(&format!("PractitionerRole/{}.10", self.clinic.organisation))
    }

    fn bearer(&self, who: Who, purpose: Purpose) -> Bearer {
        let Bearer { subject, scopes, .. } = self.clinic.bearer();
        let Subject::Client { client, organisation, professional } = subject else { unreachable!() };
        let professional = if who == Who::A { professional } else { Some((self.nurse, "60".parse().unwrap())) };
        Bearer { subject: Subject::Client { client, organisation, professional }, purpose, scopes, only: None }
    }
}

fn purpose(code: &str) -> Value {
    json!([{ "system": Purpose::SYSTEM, "code": code }])
}

fn levels(codes: &[&str]) -> Value {
    let level = |c: &&str| json!({ "system": garant::model::Confidentiality::SYSTEM, "code": c });
    codes.iter().map(level).collect()
}

fn categories(codes: &[&str]) -> Value {
    let category = |c: &&str| json!({ "system": garant::model::Sensitivity::SYSTEM, "code": c });
    codes.iter().map(category).collect()
}

/// A permit for treatment to everyone of the place, with `more` in it.
fn permit(place: &Place, more: &Value) -> Value {
    let end = SystemClock.now().plus_secs(90 * 86_400).to_rfc3339();
    let mut rule = json!({
        "type": "permit", "period": { "start": "2022-01-01", "end": end },
        "actor": place.everyone(), "purpose": purpose("TREAT"),
    });
    for (name, value) in more.as_object().unwrap() {
        rule[name] = value.clone();
    }
    rule
}

fn except(place: &Place, exception: &Value) -> Value {
    permit(place, &json!({ "provision": [exception] }))
}

fn about(meaning: &str, reference: &str) -> Value {
    json!([{ "meaning": meaning, "reference": { "reference": reference } }])
}

fn dissent_break_glass(place: &Place) -> Value {
    let exception = json!({ "type": "permit", "actor": place.group(), "purpose": purpose("BTG") });
    let mut rule = except(place, &exception);
    rule["type"] = "deny".into();
    rule
}

fn focused(place: &Place, labels: &Value) -> Value {
    let exception = json!({ "type": "permit", "actor": place.named(), "securityLabel": labels });
    permit(place, &json!({ "securityLabel": levels(&["N"]), "provision": [exception] }))
}

fn break_glass_restricted(place: &Place) -> Value {
    let labels = levels(&["N", "R"]);
    let exception =
        json!({ "type": "permit", "actor": place.group(), "purpose": purpose("BTG"), "securityLabel": labels });
    permit(place, &json!({ "securityLabel": levels(&["N"]), "provision": [exception] }))
}

const TREAT: Purpose = Purpose::Treat;
const YEAR: fn() -> Value = || json!({ "start": "2022-01-01", "end": "2022-12-31" });

const ROWS: [Row; 25] = [
    ("basic-treat", |p| permit(p, &json!({})), Who::A, TREAT, ALL),
    ("basic-reject", |p| permit(p, &json!({ "type": "deny" })), Who::A, TREAT, Refused),
    ("timeframe", |p| permit(p, &json!({ "dataPeriod": YEAR() })), Who::A, TREAT, Seen(&[1, 2, 5])),
    ("not-timeframe", |p| except(p, &json!({ "type": "deny", "dataPeriod": YEAR() })), Who::A, TREAT, Refused),
    ("data", |p| permit(p, &json!({ "data": about("instance", "Observation/o1") })), Who::A, TREAT, Refused),
    (
        "not-data",
        |p| except(p, &json!({ "type": "deny", "data": about("instance", "Observation/o5") })),
        Who::A,
        TREAT,
        Refused,
    ),
    ("authoredby", |p| permit(p, &json!({ "data": about("authoredby", "Practitioner/a") })), Who::A, TREAT, Refused),
    (
        "not-authoredby",
        |p| except(p, &json!({ "type": "deny", "data": about("authoredby", "Practitioner/a") })),
        Who::A,
        TREAT,
        Refused,
    ),
    ("encounter", |p| permit(p, &json!({ "data": about("related", "Encounter/e1") })), Who::A, TREAT, Refused),
    (
        "not-encounter",
        |p| except(p, &json!({ "type": "deny", "data": about("related", "Encounter/e1") })),
        Who::A,
        TREAT,
        Refused,
    ),
    // FooBar is no purpose of ours; research stands for it.
    ("purpose", |p| permit(p, &json!({ "purpose": purpose("HRESCH") })), Who::A, TREAT, NONE),
    ("purpose, asked for", |p| permit(p, &json!({ "purpose": purpose("HRESCH") })), Who::A, Purpose::Hresch, ALL),
    ("dissent-break-glass", dissent_break_glass, Who::A, TREAT, NONE),
    ("dissent-break-glass, in the group", dissent_break_glass, Who::A, Purpose::Btg, ALL),
    ("dissent-break-glass, not in the group", dissent_break_glass, Who::B, Purpose::Btg, NONE),
    ("normal", |p| permit(p, &json!({ "securityLabel": levels(&["N"]) })), Who::A, TREAT, Seen(&[1, 3])),
    ("normal-restricted", |p| permit(p, &json!({ "securityLabel": levels(&["N", "R"]) })), Who::A, TREAT, ALL),
    (
        "normal-not-restricted",
        |p| {
            let exception = json!({ "type": "deny", "securityLabel": levels(&["R"]) });
            permit(p, &json!({ "securityLabel": levels(&["N"]), "provision": [exception] }))
        },
        Who::A,
        TREAT,
        Seen(&[1, 3]),
    ),
    ("focused-restricted, named", |p| focused(p, &levels(&["R"])), Who::A, TREAT, ALL),
    ("focused-restricted, not named", |p| focused(p, &levels(&["R"])), Who::B, TREAT, Seen(&[1, 3])),
    ("focused-psy", |p| focused(p, &categories(&["PSY"])), Who::A, TREAT, Refused),
    ("focused-psy-or-sdv", |p| focused(p, &categories(&["PSY", "SDV"])), Who::A, TREAT, Refused),
    ("break-glass-restricted", break_glass_restricted, Who::A, TREAT, Seen(&[1, 3])),
    ("break-glass-restricted, in the group", break_glass_restricted, Who::A, Purpose::Btg, ALL),
    // The last, for the log's time does not run back.
    ("expired-treat", |p| permit(p, &json!({})), Who::A, TREAT, NONE),
];

/// The five records of the fixture, in order.
async fn records(house: &House, patient: &Patient) -> Vec<RecordKey> {
    let mut keys = Vec::new();
    for (date, level, category) in [
        ("2022-03-01", "N", None),
        ("2022-06-01", "R", Some("SDV")),
        ("2021-05-01", "N", None),
        ("2021-07-01", "R", Some("PSY")),
        ("2022-12-31T22:30:00Z", "R", Some("ETHUD")),
    ] {
        let text = cast::labelled("Observation", patient.id, &format!("of {date}"), level);
        let mut resource: Value = serde_json::from_str(&text).unwrap();
        resource["effectiveDateTime"] = date.into();
        if let Some(category) = category {
            let label = categories(&[category])[0].clone();
            resource["meta"]["security"].as_array_mut().unwrap().push(label);
        }
        keys.push(cast::import(house, resource.to_string()).await);
    }
    keys
}

/// Which of the records are seen, by reading each; a search must find the same.
async fn seen(house: &House, bearer: &Bearer, patient: &Patient, keys: &[RecordKey]) -> Vec<usize> {
    let mut seen = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        match cast::read(house, bearer, *key).await {
            Ok(released) => {
                assert_eq!(released.key(), *key);
                seen.push(place + 1);
            }
            Err(Withheld::Hidden) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    let base = &house.config.base_url;
    let wanted = Wanted::search("Observation", Vec::new(), base, house.clock.now(), Handling::Strict).unwrap();
    let found = house.door.search(bearer, patient.id, &wanted).await.unwrap();
    let found: BTreeSet<RecordKey> = found.entries.iter().map(|e| e.released.key()).collect();
    assert_eq!(found, seen.iter().map(|n| keys[n - 1]).collect(), "search and reads differ");
    seen
}

/// Posts the example and lets the patient grant whatever came of it.
async fn granted(house: &Arc<House>, served: &Served, place: &Place, row: &Row, patient: &Patient) -> Vec<ConsentId> {
    let (name, provision, _, _, comes) = row;
    let token = place.clinic.token(house).await;
    let consent = cast::pcf_consent(patient.id, &provision(place)).to_string();
    let answer = wire::post_fhir(served.at, "/fhir/Consent", &token, consent.as_bytes()).await.unwrap();
    let expected = if *comes == Refused { 422 } else { 202 };
    assert_eq!(answer.status, expected, "{name}: {}", answer.text());
    let before = seen(house, &place.bearer(Who::A, TREAT), patient, &[]).await;
    assert!(before.is_empty(), "{name}: a request is not a grant");
    let mut consents = Vec::new();
    for request in house.consents.requests(patient.id).await.unwrap() {
        assert_eq!((request.state.as_str(), request.organisation), ("open", place.clinic.organisation));
        consents.push(cast::grant(house, patient, request.terms).await);
    }
    assert_eq!(consents.is_empty(), *comes == Refused, "{name}");
    consents
}

#[test]
fn pc_63_each_example_of_the_consent_matrix_shows_what_it_says_or_is_refused() {
    each("PCF §6.3", async |home| {
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let house = &open.house;
        let served = Served::by(house).await;
        let place = Place::enrol(house).await;
        let mut refused = 0;
        for row in &ROWS {
            let (name, _, who, purpose, comes) = row;
            let patient = Patient::enrol(house).await;
            let keys = records(house, &patient).await;
            let consents = granted(house, &served, &place, row, &patient).await;
            let bearer = place.bearer(*who, *purpose);
            if *name == "expired-treat" {
                assert_eq!(seen(house, &bearer, &patient, &keys).await, [1, 2, 3, 4, 5]);
                clock.advance_secs(120 * 86_400);
            }
            let expected = if let Seen(expected) = comes { expected } else { &[][..] };
            assert_eq!(seen(house, &bearer, &patient, &keys).await, expected, "{name}");
            refused += usize::from(*comes == Refused);
            for consent in consents {
                cast::revoke(house, patient.id, consent).await;
            }
            assert!(seen(house, &bearer, &patient, &keys).await.is_empty(), "{name}: after its end");
        }
        println!("PCF §6.3: {} rows, {refused} of them refused because they cannot be enforced exactly", ROWS.len());
        served.end().await;
        open.close().await;
    });
}
