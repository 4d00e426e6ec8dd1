//! Any bytes as what a link to a page says, and any text as a link: one form or nothing, and what it asks for is read
//! again or refused.
#![no_main]

use garant::clock::Timestamp;
use garant::proof::base64url;
use garant::release::Link;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let decoded = std::str::from_utf8(bytes).ok().and_then(|text| base64url::decode(text).ok());
    for bytes in [Some(bytes), decoded.as_deref()].into_iter().flatten() {
        let Some(link) = Link::from_bytes(bytes) else { continue };
        assert_eq!(link.to_bytes(), bytes);
        drop(link.wanted("https://store.example/fhir", Timestamp::from_secs(1_790_000_000)));
    }
});
