//! Any bytes as a resource or Bundle, any text as a search: judged without a panic.
#![no_main]

use garant::clock::Timestamp;
use garant::fhir::{Bundle, Query, SearchValues, extract, subject, validate};
use garant::json::{Limits, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(values) = SearchValues::from_bytes(bytes) {
        assert_eq!(SearchValues::from_bytes(&values.to_bytes()), Ok(values));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some((name, value)) = text.split_once('=') {
        drop(Query::parse("Observation", [(name, value)], "https://store.example/fhir", Timestamp(0)));
    }
    let Ok(tree) = parse(bytes, Limits::FHIR) else { return };
    drop(validate(&tree));
    drop(subject(&tree));
    drop(extract(&tree).to_bytes());
    drop(Bundle::read(text, &tree));
});
