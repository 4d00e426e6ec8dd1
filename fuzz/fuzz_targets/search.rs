//! Any query string on any type: refused, or read so that what is kept of it reads the same again, strictly.
#![no_main]

use std::sync::LazyLock;

use garant::clock::Timestamp;
use garant::fhir::{Answers, Handling, Query, SearchValues, View, extract, resource_types};
use garant::http::pairs;
use garant::id::{PatientId, RecordId};
use garant::json::{Limits, parse};
use garant::model::RecordKey;
use garant::release::Wanted;
use libfuzzer_sys::fuzz_target;

const BASE: &str = "https://store.example/fhir";
const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const RECORD: &str = r#"{"resourceType":"Observation","id":"a","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}],"text":"Hémoglobine"},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2024-02-29","valueQuantity":{"value":6.50,"unit":"%","system":"http://unitsofmeasure.org","code":"%"}}"#;

static TYPES: LazyLock<Vec<&str>> = LazyLock::new(|| resource_types().collect());
static VALUES: LazyLock<SearchValues> =
    LazyLock::new(|| extract(&parse(RECORD.as_bytes(), Limits::FHIR).expect("a resource")));

fn read(kind: &str, pairs: &[(String, String)], handling: Handling) -> Option<Query> {
    Wanted::search(kind, pairs.to_vec(), BASE, NOW, handling).ok().and_then(|wanted| wanted.query().cloned())
}

fuzz_target!(|text: &str| {
    let mut chars = text.chars();
    let kind = match chars.next() {
        None | Some('o') => "Observation",
        Some(c) => TYPES.get(c as usize % TYPES.len()).expect("a type"),
    };
    let Ok(asked) = pairs(chars.as_str()) else { return };
    let asked: Vec<(String, String)> = asked.into_iter().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    drop(Wanted::everything(asked.clone()));
    let strict = read(kind, &asked, Handling::Strict);
    let lenient = read(kind, &asked, Handling::Lenient);
    if let Some(strict) = &strict {
        assert_eq!(lenient.as_ref(), Some(strict), "what is understood in full is understood alike");
    }
    let Some(query) = lenient else { return };
    let kept = asked.iter().enumerate().filter(|(place, _)| !query.ignored.contains(place));
    let kept: Vec<(String, String)> = kept.map(|(_, pair)| pair.clone()).collect();
    let again = read(kind, &kept, Handling::Strict).expect("what was kept is understood");
    assert!(again.ignored.is_empty());
    let key = RecordKey { patient: PatientId::from_bytes([1; 16]), record: RecordId::from_bytes([2; 16]) };
    let answers = Answers::default();
    assert_eq!(again.matches(key, &VALUES, &answers), query.matches(key, &VALUES, &answers));
    assert_eq!(again.order_of(&VALUES), query.order_of(&VALUES));
    drop((query.named(), query.asked_beyond().count()));
    for step in query.steps() {
        drop(query.step(step, key, &VALUES, &answers));
    }
    if let Some(text) = query.view.as_ref().and_then(|view: &View| view.of(RECORD)) {
        parse(text.as_bytes(), Limits::FHIR).expect("a part of a resource is JSON");
    }
});
