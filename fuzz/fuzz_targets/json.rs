//! Any bytes: no panic, and what is read can be written canonically and read again the same.
#![no_main]

use garant::json::{Limits, canonical, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(tree) = parse(bytes, Limits::FHIR) else { return };
    let Ok(text) = canonical(&tree) else { return };
    let again = parse(text.as_bytes(), Limits::FHIR).expect("the canonical form is JSON");
    assert_eq!(canonical(&again).expect("it has a canonical form"), text);
});
