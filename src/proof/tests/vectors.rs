//! Published vectors, and our own computed with other implementations.

use crate::clock::Timestamp;
use crate::proof::dpop::{self, Expected};
use crate::proof::webauthn::{Assertion, Passkey, challenge_of};
use crate::proof::{PublicKey, Site, base64url};

const STATEMENT: &str = r#"{"aud":"https://store.example/fhir","grantee":"urn:oid:1.2.250.1.71.4.2.1|810000000001","iat":1790000000,"id":"urn:uuid:6f0c1a52-7a0e-4b5e-9a55-0f5b7a1c3d10","notAfter":1797776000,"op":"grant","patient":"Patient/p1","purpose":["TREAT"],"scope":["Observation.rs","DocumentReference.rs"],"v":1}"#;
const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7ImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ4IjoibkZHNEpCNWx4WDRYUWJlbnhPa0dfc1dzZHNYcjFEdVFpMWZQSFp6Y1AtUSIsInkiOiIyXzhkZ2lyMFJOWlNpNnlrdzdnVG84aXA1MURxMXpkOFUwUXl4a3huYUFZIn19.eyJqdGkiOiJkcC0wMDAxIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9zdG9yZS5leGFtcGxlL2ZoaXIvUGF0aWVudC9wMSIsImlhdCI6MTc5MDAwMDEwMCwiYXRoIjoiSE5qRHBQVnBxOThYMHVmb0MwcHIwMVAxMHBQQl9obkNPTjV3XzU1WHNZMCJ9.tcGJR_HLh8qlxir4DakPuOHOIcQOYbdSNM1QrxMMdCcQL5MQEVONNwgE_WrhKoV8_5xmN_7L8bHEpal1HuEbVw";

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

#[test]
fn the_access_token_hash_of_rfc_9449_is_ours() {
    let ath = dpop::token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
    assert_eq!(ath, "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

#[test]
fn the_thumbprint_of_rfc_9449_is_ours() {
    let jwk = br#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;
    let key = PublicKey::from_jwk(jwk).unwrap();
    assert_eq!(key.thumbprint().to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

#[test]
fn a_whole_dpop_proof_verifies() {
    let expected = Expected {
        method: "GET",
        url: "https://store.example/fhir/Patient/p1",
        access_token: Some("at.example.token-1"),
        key: Some("JIFzRmtT3CQXlfja8Q4qPA3E02RNREdnkgYRt10fmSA".parse().unwrap()),
        now: Timestamp::from_secs(1_790_000_100),
    };
    assert_eq!(dpop::verify(PROOF, &expected).unwrap().id, "dp-0001");
}

#[test]
fn the_statements_hash_and_ed25519_signature_are_as_computed_elsewhere() {
    let hash = challenge_of(STATEMENT.as_bytes());
    assert_eq!(base64url::encode(&hash), "-dMMarwaaZd4VbDc4OPbflvomy0VkpE6ei319r9oFSY");
    let key =
        PublicKey::from_bytes(&unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")).unwrap();
    let signature = "C_nhYXeq9vJvPgtmoCrVE8CozqEMksO6BzNEePJkkHzlfvIEjHPcTJrT3qqlmpyBRrkSlXj-ny7ifsUDM25EDQ";
    let signature = base64url::decode(signature).unwrap();
    assert!(key.verify(STATEMENT.as_bytes(), &signature).is_ok());
    assert!(key.verify(&STATEMENT.as_bytes()[1..], &signature).is_err());
}

#[test]
fn j20_an_ed25519_signature_with_s_plus_the_order_is_refused() {
    let key =
        PublicKey::from_bytes(&unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")).unwrap();
    let mut signature =
        base64url::decode("C_nhYXeq9vJvPgtmoCrVE8CozqEMksO6BzNEePJkkHzlfvIEjHPcTJrT3qqlmpyBRrkSlXj-ny7ifsUDM25EDQ")
            .unwrap();
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = ((sum & 0xff) as u8, sum >> 8);
    }
    assert!(key.verify(STATEMENT.as_bytes(), &signature).is_err());
}

#[test]
fn the_webauthn_assertion_verifies_and_its_five_corruptions_do_not() {
    let jwk = br#"{"kty":"EC","crv":"P-256","x":"ZG83oaZVMIRBKr3jQEnZAq63ImbFYA0B2WUTBTVpCnE","y":"Xjd66wRzkkb7ylg3O9kVuJyOETR_kpGLXIS-ONrFero"}"#;
    let site = Site { rp_id: "health.example".into(), origins: vec!["https://health.example".into()] };
    let passkey = Passkey { key: PublicKey::from_jwk(jwk).unwrap(), credential: b"id", user_handle: None, site: &site };
    let good = Assertion {
        credential: b"id".to_vec(),
        authenticator_data: unhex("5c8e34a35221720c69761764a761e39044bf076ca4eaae4d555745a59165cb710500000007"),
        client_data: br#"{"type":"webauthn.get","challenge":"-dMMarwaaZd4VbDc4OPbflvomy0VkpE6ei319r9oFSY","origin":"https://health.example","crossOrigin":false}"#.to_vec(),
        signature: base64url::decode("MEUCICsYszz-iUXmz1Sr-4tSpnsO65hp7YXymwhsOv8x-JXoAiEApPmULHOloi2hKThVTnpIted8UnBYvWdS5VTfYmH5QTU").unwrap(),
        user_handle: None,
    };
    let challenge = challenge_of(STATEMENT.as_bytes());
    assert_eq!(good.verify(&challenge, &passkey, None).unwrap().counter, 7);
    let reason = |a: &Assertion| a.verify(&challenge, &passkey, None).unwrap_err().reason();
    let mut bad = good.clone();
    bad.authenticator_data[32] = 0x01;
    assert_eq!(reason(&bad), "user not verified");
    bad = good.clone();
    bad.authenticator_data[0] ^= 1;
    assert_eq!(reason(&bad), "rp id");
    for (from, to, why) in [
        ("-dMM", "-dMN", "challenge"),
        ("webauthn.get", "webauthn.create", "client data type"),
        ("https://health.example", "https://health.example.evil", "origin"),
    ] {
        let text = String::from_utf8(good.client_data.clone()).unwrap().replacen(from, to, 1);
        assert_eq!(reason(&Assertion { client_data: text.into_bytes(), ..good.clone() }), why);
    }
}
