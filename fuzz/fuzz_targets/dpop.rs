//! Any text as proof of possession, and any claims or header under a good signature: a proof that holds is for the
//! one request it was made for, and for no other.
#![no_main]

use std::sync::LazyLock;

use garant::clock::Timestamp;
use garant::proof::base64url::encode;
use garant::proof::dpop::{AHEAD_SECONDS, Dpop, Expected, OLDEST_SECONDS, verify};
use libfuzzer_sys::fuzz_target;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const URL: &str = "https://store.example/fhir/Observation";
const TOKEN: &str = "token";
const CLAIMS: &str = r#"{"jti":"a","htm":"GET","htu":"https://store.example/fhir/Observation","iat":1790000000,"ath":"PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A"}"#;

/// A key, the same in every run.
static KEY: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key"));

fn jwk() -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, encode(KEY.public_key().as_ref()))
}

/// `KEY` in a header stands for the public key, which no input could guess.
fn signed(header: &str, claims: &str) -> String {
    let header = header.replace("\"KEY\"", &jwk());
    let input = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let signature = KEY.sign(input.as_bytes());
    format!("{input}.{}", encode(signature.as_ref()))
}

fn expected(method: &'static str, url: &'static str, token: &'static str) -> Expected<'static> {
    Expected { method, url, access_token: Some(token), key: None, now: NOW }
}

fn holds(proof: &str) -> Option<Dpop> {
    verify(proof, &expected("GET", URL, TOKEN)).ok()
}

fuzz_target!(|text: &str| {
    let header = r#"{"alg":"EdDSA","typ":"dpop+jwt","jwk":"KEY"}"#;
    let proof = match text.split_at_checked(1) {
        Some(("c", claims)) => signed(header, claims),
        Some(("h", header)) => signed(header, CLAIMS),
        Some(_) | None => text.to_owned(),
    };
    let Some(dpop) = holds(&proof) else { return };
    assert!(dpop.id.len() <= 256);
    assert!(NOW.secs() - OLDEST_SECONDS <= dpop.issued.secs() && dpop.issued.secs() <= NOW.secs() + AHEAD_SECONDS);
    for other in [
        expected("get", URL, TOKEN),
        expected("GET", "https://store.example/fhir/observation", TOKEN),
        expected("GET", URL, "another"),
    ] {
        assert!(verify(&proof, &other).is_err(), "also for {other:?}");
    }
    let bound = Expected { key: Some(dpop.key), ..expected("GET", URL, TOKEN) };
    assert_eq!(verify(&proof, &bound).as_ref(), Ok(&dpop));
});
