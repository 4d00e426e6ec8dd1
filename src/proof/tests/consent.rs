//! Consent tokens (CT rows) and statements signed by a device.

use super::forge::{
    NOW, check_consent, compact, consent, device, device_jws, expected_consent, header, p256, statement,
};
use crate::id::{ConsentId, DeviceId, OrganisationId, PatientId, StatementId};
use crate::model::{Grantee, Purpose, Statement};
use crate::proof::consent_token::{self, Expected};
use crate::proof::statement::{Kind, verify};
use crate::proof::{ConsentToken, EnrolledKey, Evidence, Memo, PublicKey, Refused, Window};

fn with(from: &str, to: &str) -> Result<ConsentToken, Refused> {
    let (pair, key) = p256();
    let claims = consent().to_claims_json();
    assert!(claims.contains(from), "{from} in {claims}");
    check_consent(&compact(&pair, &header("consent+jwt"), claims.replacen(from, to, 1)), key)
}

#[test]
fn a_consent_token_says_what_the_statement_says_and_is_read_back_the_same() {
    let token = with("", "").unwrap();
    assert_eq!(token, consent());
    assert_eq!(ConsentToken::of(&statement(true), "i", device(), "device"), None, "an exclusion gives no access");
}

#[test]
fn a_consent_token_agrees_with_its_own_statement_and_signer_only() {
    let bytes = statement(false);
    let read = Statement::parse(&bytes).unwrap();
    let good = consent();
    let agrees = |t: &ConsentToken| t.agrees_with(&read, &bytes, device(), "device");
    assert!(agrees(&good));
    assert!(!good.agrees_with(&read, &bytes, DeviceId::from_bytes([3; 16]), "device"));
    assert!(!good.agrees_with(&read, &bytes, device(), "passkey"));
    assert!(!good.agrees_with(&read, &statement(true), device(), "device"));
    let other = statement(true);
    assert!(!good.agrees_with(&Statement::parse(&other).unwrap(), &other, device(), "device"));
    let changed = String::from_utf8(bytes.clone()).unwrap().replace("DocumentReference.rs", "DocumentReference.r");
    assert!(!good.agrees_with(&Statement::parse(changed.as_bytes()).unwrap(), &bytes, device(), "device"));
    let spoilt: [fn(&mut ConsentToken); 13] = [
        |t| t.audience.push('x'),
        |t| t.statement = StatementId::from_bytes([2; 16]),
        |t| t.patient = PatientId::from_bytes([2; 16]),
        |t| t.issued = t.issued.plus_secs(1),
        |t| t.from = t.from.plus_secs(-1),
        |t| t.to = t.to.plus_secs(1),
        |t| t.consent = ConsentId::from_bytes([2; 16]),
        |t| t.revision += 1,
        |t| t.statement_hash[0] ^= 1,
        |t| t.grantee = Grantee::Organisation(OrganisationId::from_bytes([2; 16])),
        |t| t.scope.truncate(1),
        |t| t.purpose.push(Purpose::Hresch),
        |t| t.op = "narrow",
    ];
    for (i, change) in spoilt.into_iter().enumerate() {
        let mut token = good.clone();
        change(&mut token);
        assert!(!agrees(&token), "change {i}");
    }
    assert!(!agrees(&ConsentToken { policy: "c".repeat(64), ..good }));
}

#[test]
fn ct02_keys_come_from_the_registry_and_only_es256_signs_consents() {
    let (pair, key) = p256();
    for extra in ["jwk", "jku", "x5c"] {
        let header = format!(r#"{{"typ":"consent+jwt","alg":"ES256","kid":"k1","{extra}":{}}}"#, key.to_jwk());
        assert!(check_consent(&compact(&pair, &header, consent().to_claims_json()), key).is_err(), "{extra}");
    }
    let header = r#"{"typ":"consent+jwt","alg":"EdDSA","kid":"k1"}"#;
    let token = compact(&pair, header, consent().to_claims_json());
    assert_eq!(check_consent(&token, key).unwrap_err().reason(), "alg");
}

#[test]
fn ct05_a_consent_ends_within_the_policys_maximum() {
    let (pair, key) = p256();
    let token = compact(&pair, &header("consent+jwt"), consent().to_claims_json());
    let short = Expected { window: Window::of_others(NOW, 7_775_999), ..expected_consent() };
    assert!(check_consent(&token, key).is_ok());
    assert!(consent_token::verify(&token, &short, |_| Some(key)).is_err());
    assert!(with(&format!(r#""exp":{},"#, consent().to.secs()), "").is_err());
}

#[test]
fn ct09_a_consent_begins_no_more_than_ten_seconds_from_now() {
    let nbf = format!(r#""nbf":{}"#, consent().from.secs());
    let at = |s: i64| with(&nbf, &format!(r#""nbf":{}"#, NOW.secs() + s)).is_ok();
    assert!(at(5) && !at(60));
}

#[test]
fn ct13_ct14_whatever_is_unknown_missing_or_doubled_is_refused() {
    for (from, to) in [
        (r#""TREAT""#, r#""FooBar""#),
        (r#"["TREAT"]"#, "[]"),
        (r#"["TREAT"]"#, r#""TREAT""#),
        (r#"["TREAT"]"#, r#"["TREAT","TREAT"]"#),
        ("DocumentReference.rs", "Zebra.rs"),
        ("Observation.rs", "Observation.x"),
        (r#""op":"grant""#, r#""op":"revoke""#),
        (r#""op":"grant""#, r#""op":"grant","residual":[]"#),
        (r#""kind":"device""#, r#""kind":"paper""#),
        (r#""kind":"device""#, r#""kind":"device","x":1"#),
        (r#""revision":1"#, r#""revision":1,"x":2"#),
        (r#""revision":1"#, r#""revision":0"#),
        (r#""revision":1"#, r#""revision":1.0"#),
        (r#""sub":"Patient/"#, r#""sub":"Group/"#),
        (r#""sub":"#, r#""sub":"Patient/x","sub":"#),
        (r#""grantee":"role/"#, r#""grantee":"all/"#),
        (r#""hash":"#, r#""nohash":"#),
        (r#""stmt":{"#, r#""stmt":[{"#),
    ] {
        assert!(with(from, to).is_err(), "{to}");
    }
    // The two spellings of the hash must be of one hash.
    let hash = crate::proof::base64url::encode(&consent().statement_hash);
    assert_eq!(with(&hash, &"A".repeat(43)).unwrap_err().reason(), "hashes differ");
}

#[test]
fn a_consent_token_is_of_our_guarantor_and_for_us() {
    assert_eq!(with(r#""iss":"https://as.example""#, r#""iss":"https://as2.example""#).unwrap_err().reason(), "iss");
    for aud in [r#""aud":"https://other.example/fhir""#, r#""aud":["https://store.example/fhir"]"#] {
        assert_eq!(with(r#""aud":"https://store.example/fhir""#, aud).unwrap_err().reason(), "aud");
    }
}

fn enrolled(key: PublicKey) -> EnrolledKey<'static> {
    EnrolledKey { device: device(), key, kind: Kind::Device }
}

#[test]
fn a_statement_signed_by_a_device_verifies_over_exactly_its_bytes() {
    let (pair, key) = p256();
    let bytes = statement(false);
    let evidence = Evidence::Device(device_jws(&pair, &bytes));
    let memo = Memo::with_capacity(64);
    for _ in 0..2 {
        assert_eq!(verify(&bytes, &evidence, &enrolled(key), Some(&memo)), Ok(()));
        let mut spaced = bytes.clone();
        spaced.push(b' ');
        assert!(verify(&spaced, &evidence, &enrolled(key), Some(&memo)).is_err());
        assert!(verify(&statement(true), &evidence, &enrolled(key), Some(&memo)).is_err());
        assert!(verify(&bytes, &evidence, &enrolled(p256().1), Some(&memo)).is_err());
        let other = EnrolledKey { device: DeviceId::from_bytes([10; 16]), ..enrolled(key) };
        assert_eq!(verify(&bytes, &evidence, &other, Some(&memo)).unwrap_err().reason(), "kid unknown");
    }
    for typ in ["consent+jwt", "JWT", "dpop+jwt", "at+jwt"] {
        let header = format!(r#"{{"alg":"ES256","kid":"{}","typ":"{typ}"}}"#, device());
        let evidence = Evidence::Device(compact(&pair, &header, &bytes));
        assert_eq!(verify(&bytes, &evidence, &enrolled(key), None).unwrap_err().reason(), "typ");
    }
}

#[test]
fn a_long_statement_can_still_be_signed_by_a_device() {
    let (pair, key) = p256();
    let bytes = vec![b'x'; 8 * 1024];
    let evidence = Evidence::Device(device_jws(&pair, &bytes));
    assert_eq!(verify(&bytes, &evidence, &enrolled(key), None), Ok(()));
    assert_eq!(Evidence::parse(&evidence.to_bytes()), Ok(evidence));
}

#[test]
fn evidence_has_one_spelling() {
    let (pair, _) = p256();
    let device = Evidence::Device(device_jws(&pair, &statement(false)));
    let text = String::from_utf8(device.to_bytes()).unwrap();
    let tree = crate::json::parse(text.as_bytes(), crate::json::Limits::TOKEN).unwrap();
    assert_eq!(crate::json::canonical(&tree).unwrap(), text);
    assert_eq!(Evidence::parse(text.as_bytes()), Ok(device));
    for (from, to) in [
        (r#""kind":"device""#, r#""kind":"passkey""#),
        (r#""kind":"device""#, r#""kind":"device","x":1"#),
        ("{", "{ "),
        (r#""kind":"device""#, r#""kind":"\u0064evice""#),
        (r#""kind""#, r#""kin""#),
    ] {
        assert!(Evidence::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
    assert!(Evidence::parse(b"").is_err() && Evidence::parse(b"[]").is_err());
}
