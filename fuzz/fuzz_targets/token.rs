//! Any text as token, assertion or proof: never taken, never a panic.
#![no_main]

use garant::clock::Timestamp;
use garant::proof::{Window, access_token, client_assertion, dpop};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let now = Timestamp::from_secs(1_790_000_000);
    let window = Window::of_ours(now, 300);
    let expected = access_token::Expected { issuer: "i", audience: "a", window, memo: None };
    assert!(access_token::verify(text, &expected, |_| None).is_err());
    drop(client_assertion::unverified_client(text));
    let expected =
        dpop::Expected { method: "GET", url: "https://store.example/fhir", access_token: None, key: None, now };
    drop(dpop::verify(text, &expected));
});
