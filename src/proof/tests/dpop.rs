//! The D rows and the steps of the DPoP negative tests (FA-26 to FA-44).

use super::forge::{NOW, URL, compact, dpop_claims, dpop_header, p256};
use crate::proof::dpop::{self, Expected};
use crate::proof::{Dpop, Refused};

const TOKEN: &str = "t";

fn expected() -> Expected<'static> {
    Expected { method: "GET", url: URL, access_token: Some(TOKEN), key: None, now: NOW }
}

pub(super) fn check(proof: &str) -> Result<Dpop, Refused> {
    dpop::verify(proof, &expected())
}

fn with_claims(from: &str, to: &str) -> Result<Dpop, Refused> {
    let (pair, key) = p256();
    let claims = dpop_claims(TOKEN);
    assert!(claims.contains(from), "{from}");
    check(&compact(&pair, &dpop_header(&key), claims.replacen(from, to, 1)))
}

fn with_header(from: &str, to: &str) -> Result<Dpop, Refused> {
    let (pair, key) = p256();
    let header = dpop_header(&key);
    assert!(header.contains(from), "{from}");
    check(&compact(&pair, &header.replacen(from, to, 1), dpop_claims(TOKEN)))
}

fn url(htu: &str) -> bool {
    with_claims(URL, htu).is_ok()
}

#[test]
fn a_good_proof_names_its_key_and_its_jti() {
    let (pair, key) = p256();
    let proof = compact(&pair, &dpop_header(&key), dpop_claims(TOKEN));
    let held = check(&proof).unwrap();
    assert_eq!((held.key, held.id.as_str(), held.issued, held.nonce), (key.thumbprint(), "dp-1", NOW, None));
}

#[test]
fn d03_the_method_is_exact() {
    for other in ["get", "POST", "GET ", ""] {
        assert!(with_claims(r#""htm":"GET""#, &format!(r#""htm":"{other}""#)).is_err(), "{other}");
    }
}

#[test]
fn d04_fa27_fa28_urls_are_equal_after_scheme_host_port_query_and_fragment_only() {
    for same in [
        "https://store.example/fhir/Patient/p1?x=1",
        "https://store.example/fhir/Patient/p1#frag",
        "https://store.example/fhir/Patient/p1?a#b",
        "HTTPS://STORE.Example/fhir/Patient/p1",
        "https://store.example:443/fhir/Patient/p1",
    ] {
        assert!(url(same), "{same}");
    }
    for other in [
        "https://evil.example/fhir/Patient/p1",
        "https://store.example/fhir/Patient/p2",
        "https://store.example/fhir/Patient/p1/",
        "https://store.example/FHIR/Patient/p1",
        "https://store.example:8443/fhir/Patient/p1",
        "http://store.example/fhir/Patient/p1",
        "https://store.example/fhir/x/%2e%2e/Patient/p1",
        "https://store.example/fhir/x/../Patient/p1",
        "https://store.example/fhir/Patient/%701",
        "https://a@store.example/fhir/Patient/p1",
        "https://store.example.evil/fhir/Patient/p1",
        "//store.example/fhir/Patient/p1",
        "/fhir/Patient/p1",
        "https://store.example\\\\fhir/Patient/p1",
        "https://",
        "https:///fhir/Patient/p1",
        "",
        "ftp://store.example/fhir/Patient/p1",
        "https://store.example:80/fhir/Patient/p1",
    ] {
        assert!(!url(other), "{other}");
    }
    let root = Expected { url: "https://store.example", ..expected() };
    let (pair, key) = p256();
    let proof = compact(&pair, &dpop_header(&key), dpop_claims(TOKEN).replacen(URL, "https://store.example/", 1));
    assert!(dpop::verify(&proof, &root).is_ok());
}

#[test]
fn d05_fa43_the_proof_is_for_this_access_token() {
    assert_eq!(with_claims(&dpop::token_hash(TOKEN), &dpop::token_hash("u")).unwrap_err().reason(), "ath");
    let (pair, key) = p256();
    let bare = format!(r#"{{"jti":"1","htm":"GET","htu":"{URL}","iat":{}}}"#, NOW.secs());
    let proof = compact(&pair, &dpop_header(&key), bare);
    assert_eq!(check(&proof).unwrap_err().reason(), "ath");
    assert!(dpop::verify(&proof, &Expected { access_token: None, ..expected() }).is_ok());
}

#[test]
fn d06_fa44_a_proof_by_another_key_is_refused() {
    let (pair, key) = p256();
    let proof = compact(&pair, &dpop_header(&key), dpop_claims(TOKEN));
    assert!(dpop::verify(&proof, &Expected { key: Some(key.thumbprint()), ..expected() }).is_ok());
    let other = Expected { key: Some(p256().1.thumbprint()), ..expected() };
    assert_eq!(dpop::verify(&proof, &other).unwrap_err().reason(), "proof by another key");
    // Signed by one key, showing the other.
    let shown = compact(&p256().0, &dpop_header(&key), dpop_claims(TOKEN));
    assert_eq!(check(&shown).unwrap_err().reason(), "signature");
}

#[test]
fn d07_fa38_private_and_symmetric_keys_are_refused() {
    assert_eq!(with_header(r#""kty":"#, r#""d":"AAAA","kty":"#).unwrap_err().reason(), "jwk not public");
    assert!(with_header(r#""kty":"EC""#, r#""kty":"oct","k":"AAAA""#).is_err());
    assert!(with_header(r#""kty":"EC""#, r#""kty":"oct""#).is_err());
    assert!(with_header(r#""kty":"EC""#, r#""kty":"RSA""#).is_err());
    assert!(with_header(r#""crv":"P-256""#, r#""crv":"P-384""#).is_err());
}

#[test]
fn d08_order_and_extra_members_do_not_change_the_thumbprint() {
    let (pair, key) = p256();
    let jwk = key.to_jwk();
    let x = jwk.split(r#""x":"#).nth(1).unwrap().trim_end_matches('}');
    let turned = format!(r#"{{"x":{x},"kty":"EC","kid":"any","crv":"P-256","use":"sig"}}"#);
    let header = format!(r#"{{"alg":"ES256","jwk":{turned},"typ":"dpop+jwt"}}"#);
    assert_eq!(check(&compact(&pair, &header, dpop_claims(TOKEN))).unwrap().key, key.thumbprint());
}

#[test]
fn d09_fa35_fa36_only_our_asymmetric_algorithms() {
    for alg in ["HS256", "none", "RS256", "PS256", "es256", "EdDSA"] {
        assert!(with_header("ES256", alg).is_err(), "{alg}");
    }
}

#[test]
fn fa29_members_nobody_knows_are_ignored() {
    assert!(with_header(r#""alg":"#, r#""foo":{"a":1},"alg":"#).is_ok());
    assert!(with_claims(r#""htm":"#, r#""foo":[1],"htm":"#).is_ok());
}

#[test]
fn fa30_fa41_a_proof_is_fresh() {
    let at = |s: i64| with_claims(&NOW.secs().to_string(), &(NOW.secs() + s).to_string()).is_ok();
    assert!(at(-10) && at(10) && at(-dpop::OLDEST_SECONDS));
    assert!(!at(11) && !at(-61) && !at(3600) && !at(-3600) && !at(i64::MAX - NOW.secs()));
    assert!(with_claims(&NOW.secs().to_string(), "1e300").is_err());
    assert!(with_claims(&NOW.secs().to_string(), &format!("\"{}\"", NOW.secs())).is_err());
}

#[test]
fn fa49_a_proof_may_state_limits_and_is_held_to_them() {
    let with = |nbf: i64, exp: i64| {
        let claims = format!(r#""nbf":{},"exp":{},"htm":"#, NOW.secs() + nbf, NOW.secs() + exp);
        with_claims(r#""htm":"#, &claims).is_ok()
    };
    assert!(with(0, 300) && !with(60, 300) && !with(0, 0));
    assert!(with_claims(r#""htm":"#, r#""exp":1e300,"htm":"#).is_err());
}

#[test]
fn fa32_fa33_fa34_nothing_may_be_missing() {
    assert!(check("not a token").is_err());
    let (pair, key) = p256();
    let jwk = key.to_jwk();
    for header in [
        format!(r#"{{"alg":"ES256","jwk":{jwk}}}"#),
        format!(r#"{{"typ":"dpop+jwt","jwk":{jwk}}}"#),
        r#"{"typ":"dpop+jwt","alg":"ES256"}"#.into(),
        format!(r#"{{"typ":"JWT","alg":"ES256","jwk":{jwk}}}"#),
        format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":[{jwk}]}}"#),
        r#"{"typ":"dpop+jwt","alg":"ES256","jwk":null}"#.into(),
    ] {
        assert!(check(&compact(&pair, &header, dpop_claims(TOKEN))).is_err(), "{header}");
    }
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        let claims = dpop_claims(TOKEN).replacen(&format!("\"{name}\""), "\"gone\"", 1);
        assert!(check(&compact(&pair, &dpop_header(&key), claims)).is_err(), "{name}");
    }
    assert!(with_claims(r#""jti":"dp-1""#, &format!(r#""jti":"{}""#, "j".repeat(257))).is_err());
}

#[test]
fn a_server_nonce_is_handed_to_whoever_asked_for_it() {
    assert_eq!(with_claims(r#""htm":"#, r#""nonce":"n-1","htm":"#).unwrap().nonce.as_deref(), Some("n-1"));
    assert!(with_claims(r#""htm":"#, r#""nonce":1,"htm":"#).is_err());
}
