//! WA-01 to WA-07 and WA-12.

use super::forge::{ORIGIN, assertion, authenticator_data, client_data, device, device_jws, p256, site, statement};
use crate::proof::statement::{Kind, verify};
use crate::proof::webauthn::{Assertion, NewPasskey, Registration, Seen, counter_advances};
use crate::proof::{EnrolledKey, Evidence, Memo, PublicKey, Refused, Site};

fn check(assertion: Assertion, key: PublicKey, site: &Site) -> Result<(), Refused> {
    let kind = Kind::Passkey { credential: b"credential-1", user_handle: Some(b"handle-1"), site };
    verify(&statement(false), &Evidence::Passkey(assertion), &EnrolledKey { device: device(), key, kind }, None)
}

fn with_data(data: Vec<u8>) -> Result<(), Refused> {
    let (pair, key) = p256();
    check(assertion(&pair, data, &client_data(&statement(false))), key, &site())
}

fn with_client(from: &str, to: &str) -> Result<(), Refused> {
    let (pair, key) = p256();
    let client = client_data(&statement(false));
    assert!(client.contains(from), "{from}");
    let client = client.replacen(from, to, 1);
    check(assertion(&pair, authenticator_data("health.example", 0x05), &client), key, &site())
}

#[test]
fn a_good_assertion_verifies_and_tells_counter_and_backup() {
    assert_eq!(with_client("", ""), Ok(()));
    let (pair, key) = p256();
    let made = assertion(&pair, authenticator_data("health.example", 0x1d), &client_data(&statement(false)));
    let site = site();
    let passkey = crate::proof::webauthn::Passkey {
        key,
        credential: b"credential-1",
        user_handle: Some(b"handle-1"),
        site: &site,
    };
    let challenge = crate::proof::webauthn::challenge_of(&statement(false));
    let memo = Memo::with_capacity(64);
    for _ in 0..2 {
        assert_eq!(made.verify(&challenge, &passkey, Some(&memo)), Ok(Seen { counter: 7, backed_up: true }));
        assert!(made.verify(&[0; 32], &passkey, Some(&memo)).is_err());
    }
}

#[test]
fn wa01_the_challenge_is_the_hash_of_the_statement() {
    let (pair, key) = p256();
    let other = assertion(&pair, authenticator_data("health.example", 0x05), &client_data(&statement(true)));
    assert_eq!(check(other, key, &site()).unwrap_err().reason(), "challenge");
    assert!(with_client(r#"","origin""#, r#"=","origin""#).is_err(), "padded");
}

#[test]
fn wa02_the_type_is_get() {
    assert!(with_client("webauthn.get", "webauthn.create").is_err());
    assert!(with_client(r#""webauthn.get""#, "null").is_err());
}

#[test]
fn wa03_origin_is_exact_and_never_embedded() {
    for other in [
        "https://health.example.evil",
        "http://health.example",
        "https://health.example:8443",
        "https://HEALTH.example",
        "https://health.example/",
        "https://sub.health.example",
        "",
    ] {
        assert!(with_client(ORIGIN, other).is_err(), "{other}");
    }
    for to in [r#""crossOrigin":true"#, r#""crossOrigin":"false""#, r#""crossOrigin":null"#] {
        assert!(with_client(r#""crossOrigin":false"#, to).is_err(), "{to}");
    }
    assert!(with_client(r#""crossOrigin":false"#, r#""crossOrigin":false,"topOrigin":"https://a""#).is_err());
    assert!(with_client(r#""crossOrigin":false"#, r#""crossOrigin":false,"topOrigin":null"#).is_err());
    assert!(with_client(r#","crossOrigin":false"#, "").is_ok());
    assert!(with_client(r#""crossOrigin":false"#, r#""crossOrigin":false,"other_keys_can_be_added_here":"x""#).is_ok());
    assert!(with_client(r#""type":"#, r#""type":"webauthn.create","type":"#).is_err());
}

#[test]
fn wa04_the_relying_party_is_ours() {
    assert_eq!(with_data(authenticator_data("evil.example", 0x05)).unwrap_err().reason(), "rp id");
}

#[test]
fn wa05_the_person_was_present_and_verified() {
    for (flags, good) in [
        (0x05, true),
        (0x0d, true),
        (0x1d, true),
        (0x01, false),
        (0x04, false),
        (0x00, false),
        (0x15, false),
        (0x45, false),
        (0x85, false),
    ] {
        assert_eq!(with_data(authenticator_data("health.example", flags)).is_ok(), good, "{flags:#04x}");
    }
    let mut with_extension = authenticator_data("health.example", 0x85);
    with_extension.push(0xa0);
    assert!(with_data(with_extension.clone()).is_ok());
    with_extension[32] = 0x05;
    assert!(with_data(with_extension).is_err(), "bytes nobody announced");
    for length in [0, 31, 32, 33, 36] {
        assert!(with_data(authenticator_data("health.example", 0x05)[..length].to_vec()).is_err());
    }
}

#[test]
fn wa06_the_signature_is_der_by_the_enrolled_key_of_that_credential() {
    let (pair, key) = p256();
    let good = assertion(&pair, authenticator_data("health.example", 0x05), &client_data(&statement(false)));
    assert!(check(good.clone(), p256().1, &site()).is_err());
    assert!(check(Assertion { credential: b"credential-2".to_vec(), ..good.clone() }, key, &site()).is_err());
    let mut signed = good.authenticator_data.clone();
    signed.extend_from_slice(ring::digest::digest(&ring::digest::SHA256, &good.client_data).as_ref());
    let fixed = super::forge::sign_es256(&pair, &signed);
    assert!(check(Assertion { signature: fixed, ..good.clone() }, key, &site()).is_err());
    let mut long = good.signature.clone();
    long.push(0);
    assert!(check(Assertion { signature: long, ..good.clone() }, key, &site()).is_err());
    // A passkey's key does not sign as a device, nor the reverse.
    let site = site();
    let passkey = Kind::Passkey { credential: b"credential-1", user_handle: None, site: &site };
    let bytes = statement(false);
    let device_evidence = Evidence::Device(device_jws(&pair, &bytes));
    let as_passkey = EnrolledKey { device: device(), key, kind: passkey };
    assert!(verify(&bytes, &device_evidence, &as_passkey, None).is_err());
    let as_device = EnrolledKey { device: device(), key, kind: Kind::Device };
    assert!(verify(&bytes, &Evidence::Passkey(good), &as_device, None).is_err());
}

#[test]
fn wa07_a_counter_only_goes_up() {
    assert!(counter_advances(0, 0).is_ok() && counter_advances(0, 1).is_ok() && counter_advances(6, 7).is_ok());
    assert!(counter_advances(7, 7).is_err() && counter_advances(7, 6).is_err() && counter_advances(7, 0).is_err());
}

#[test]
fn wa12_a_user_handle_is_the_patients_or_absent() {
    let (pair, key) = p256();
    let good = assertion(&pair, authenticator_data("health.example", 0x05), &client_data(&statement(false)));
    assert!(check(Assertion { user_handle: None, ..good.clone() }, key, &site()).is_ok());
    assert!(check(Assertion { user_handle: Some(b"handle-2".to_vec()), ..good.clone() }, key, &site()).is_err());
    assert!(check(Assertion { user_handle: Some(vec![]), ..good }, key, &site()).is_err());
}

#[test]
fn passkey_evidence_is_stored_and_read_back() {
    let (pair, _) = p256();
    let good = assertion(&pair, authenticator_data("health.example", 0x05), &client_data(&statement(false)));
    for user_handle in [None, Some(vec![1, 2])] {
        let evidence = Evidence::Passkey(Assertion { user_handle, ..good.clone() });
        let bytes = evidence.to_bytes();
        let tree = crate::json::parse(&bytes, crate::json::Limits::TOKEN).unwrap();
        assert_eq!(crate::json::canonical(&tree).unwrap().into_bytes(), bytes);
        assert_eq!(Evidence::parse(&bytes), Ok(evidence));
    }
}

/// authenticatorData of a registration: flags, then AAGUID, credential id of `length` announced, COSE key, rest.
fn registration(flags: u8, length: u8, key: &PublicKey, rest: &[u8]) -> Registration {
    let mut data = authenticator_data("health.example", flags);
    data.extend([[0; 16].as_slice(), &[0, length], b"new-1", &crate::proof::key::tests::cose_of(key), rest].concat());
    let client = client_data(&statement(false)).replacen("webauthn.get", "webauthn.create", 1);
    Registration { authenticator_data: data, client_data: client.into_bytes() }
}

#[test]
fn a_new_passkey_is_read_exactly_or_not_at_all() {
    let (_, key) = p256();
    let challenge = crate::proof::webauthn::challenge_of(&statement(false));
    let good = registration(0x45, 5, &key, &[]);
    let seen = Seen { counter: 7, backed_up: false };
    let made = NewPasskey { credential: b"new-1".to_vec(), key, seen };
    assert_eq!(good.verify(&challenge, &site()), Ok(made.clone()));
    assert_eq!(registration(0xc5, 5, &key, &[0xa0]).verify(&challenge, &site()), Ok(made));
    for bad in [
        registration(0x05, 5, &key, &[]),
        registration(0x41, 5, &key, &[]),
        registration(0x44, 5, &key, &[]),
        registration(0x55, 5, &key, &[]),
        registration(0x45, 4, &key, &[]),
        registration(0x45, 6, &key, &[]),
        registration(0x45, 0, &key, &[]),
        registration(0x45, 5, &key, &[0xa0]),
        registration(0xc5, 5, &key, &[]),
        registration(0x45, 5, &PublicKey::Ed25519([0; 32]), &[]),
    ] {
        assert!(bad.verify(&challenge, &site()).is_err(), "{bad:?}");
    }
    assert!(good.verify(&[0; 32], &site()).is_err());
    let other = Site { rp_id: "evil.example".into(), ..site() };
    assert_eq!(good.verify(&challenge, &other).unwrap_err().reason(), "rp id");
    let login = Registration { client_data: client_data(&statement(false)).into_bytes(), ..good.clone() };
    assert_eq!(login.verify(&challenge, &site()).unwrap_err().reason(), "client data type");
    for length in 0..good.authenticator_data.len() {
        let cut = Registration { authenticator_data: good.authenticator_data[..length].to_vec(), ..good.clone() };
        assert!(cut.verify(&challenge, &site()).is_err(), "{length}");
    }
}
