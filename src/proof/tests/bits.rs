//! P47: no single-bit change of anything valid is accepted; every bit is tried.

use super::client::expected;
use super::forge::{
    access, assertion, assertion_claims, authenticator_data, check_access, check_consent, client_data, compact,
    consent, device, device_jws, dpop_claims, dpop_header, header, p256, site, statement,
};
use crate::proof::statement::{Kind, verify};
use crate::proof::webauthn::Assertion;
use crate::proof::{EnrolledKey, Evidence, Profile, client_assertion};

/// Flips each bit of `bytes` in turn; none of the results may be accepted. The original must be.
fn every_bit(what: &str, bytes: &[u8], accepted: impl Fn(&[u8]) -> bool) {
    assert!(accepted(bytes), "{what} is not valid to begin with");
    let mut changed = bytes.to_vec();
    for i in 0..bytes.len() * 8 {
        changed[i / 8] ^= 1 << (i % 8);
        assert!(!accepted(&changed), "{what}: bit {i} may be changed");
        changed[i / 8] ^= 1 << (i % 8);
    }
    println!("{what}: {} bits", bytes.len() * 8);
}

/// The same for a token, which is text.
fn every_bit_of_text(what: &str, token: &str, accepted: impl Fn(&str) -> bool) {
    every_bit(what, token.as_bytes(), |b| std::str::from_utf8(b).is_ok_and(&accepted));
}

#[test]
fn p47_no_bit_of_an_access_token_may_change() {
    let (pair, key) = p256();
    let token = compact(&pair, &header("at+jwt"), access().to_claims_json());
    every_bit_of_text("access token", &token, |t| check_access(t, key).is_ok());
}

#[test]
fn p47_no_bit_of_a_client_assertion_may_change() {
    let (pair, key) = p256();
    let token = compact(&pair, &header("JWT"), assertion_claims());
    let keys = |kid: &str| (kid == "k1").then_some(key);
    every_bit_of_text("client assertion", &token, |t| {
        client_assertion::verify(t, &expected(Profile::Smart), keys).is_ok()
    });
}

#[test]
fn p47_no_bit_of_a_dpop_proof_may_change() {
    let (pair, key) = p256();
    let proof = compact(&pair, &dpop_header(&key), dpop_claims("t"));
    every_bit_of_text("DPoP proof", &proof, |t| super::dpop::check(t).is_ok());
}

#[test]
fn p47_no_bit_of_a_consent_token_may_change() {
    let (pair, key) = p256();
    let token = compact(&pair, &header("consent+jwt"), consent().to_claims_json());
    every_bit_of_text("consent token", &token, |t| check_consent(t, key).is_ok());
}

#[test]
fn p47_no_bit_of_a_device_statement_or_its_evidence_may_change() {
    let (pair, key) = p256();
    let bytes = statement(false);
    let enrolled = EnrolledKey { device: device(), key, kind: Kind::Device };
    let evidence = Evidence::Device(device_jws(&pair, &bytes));
    every_bit("statement", &bytes, |b| verify(b, &evidence, &enrolled, None).is_ok());
    every_bit("device evidence", &evidence.to_bytes(), |b| {
        Evidence::parse(b).is_ok_and(|e| verify(&bytes, &e, &enrolled, None).is_ok())
    });
}

#[test]
fn p47_no_bit_of_a_passkeys_assertion_or_its_evidence_may_change() {
    let (pair, key) = p256();
    let bytes = statement(false);
    let site = site();
    let kind = Kind::Passkey { credential: b"credential-1", user_handle: Some(b"handle-1"), site: &site };
    let enrolled = EnrolledKey { device: device(), key, kind };
    let good = assertion(&pair, authenticator_data("health.example", 0x1d), &client_data(&bytes));
    let ok = |a: Assertion| verify(&bytes, &Evidence::Passkey(a), &enrolled, None).is_ok();
    every_bit("authenticatorData", &good.authenticator_data, |b| {
        ok(Assertion { authenticator_data: b.to_vec(), ..good.clone() })
    });
    every_bit("clientDataJSON", &good.client_data, |b| ok(Assertion { client_data: b.to_vec(), ..good.clone() }));
    every_bit("DER signature", &good.signature, |b| ok(Assertion { signature: b.to_vec(), ..good.clone() }));
    every_bit("passkey evidence", &Evidence::Passkey(good.clone()).to_bytes(), |b| {
        Evidence::parse(b).is_ok_and(|e| verify(&bytes, &e, &enrolled, None).is_ok())
    });
}
