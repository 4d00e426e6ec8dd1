//! Any bytes: a statement is read in its one form or not at all; so are evidence, enrolments and facts.
#![no_main]

use garant::directory::Party;
use garant::model::{Device, Statement};
use garant::proof::Evidence;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = Statement::parse(bytes) {
        assert_eq!(statement.to_bytes(), bytes);
    }
    if let Ok(evidence) = Evidence::parse(bytes) {
        assert_eq!(evidence.to_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok((party, revision)) = Party::parse(text) {
        assert_eq!(party.to_body(revision), text);
    }
    if let Some(device) = Device::parse(text) {
        assert_eq!(device.to_body(), text);
    }
});
