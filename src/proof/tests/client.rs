//! Client assertions: D14 to D16, OA-26, FA-15, FA-16, IU-03.

use super::forge::{ISSUER, NOW, TOKEN_URL, assertion_claims, client, compact, header, p256};
use crate::id::ClientId;
use crate::model::Purpose;
use crate::proof::client_assertion::{self, Expected, Profile};
use crate::proof::{ClientAssertion, Refused};

pub(super) fn expected(profile: Profile) -> Expected<'static> {
    Expected { client: client(), profile, issuer: ISSUER, token_url: TOKEN_URL, now: NOW }
}

fn with(profile: Profile, from: &str, to: &str) -> Result<ClientAssertion, Refused> {
    let (pair, key) = p256();
    let claims = assertion_claims();
    assert!(claims.contains(from), "{from}");
    let token = compact(&pair, &header("JWT"), claims.replacen(from, to, 1));
    client_assertion::verify(&token, &expected(profile), |kid| (kid == "k1").then_some(key))
}

#[test]
fn a_good_assertion_names_its_client_purpose_and_professional() {
    let held = with(Profile::Fapi2, "", "").unwrap();
    assert_eq!((held.client, held.id.as_str(), held.expires), (client(), "a-001", NOW.plus_secs(60)));
    assert_eq!(held.iua.purpose, Some(Purpose::Treat));
    assert_eq!(held.iua.professional.as_deref(), Some("810000000001"));
    let (pair, key) = p256();
    for typ in [r#"{"alg":"ES256","kid":"k1"}"#.to_owned(), header("client-authentication+jwt")] {
        let token = compact(&pair, &typ, assertion_claims());
        assert_eq!(client_assertion::unverified_client(&token), Ok(client()));
        assert!(client_assertion::verify(&token, &expected(Profile::Smart), |_| Some(key)).is_ok());
    }
    for typ in ["at+jwt", "dpop+jwt", "consent+jwt"] {
        let token = compact(&pair, &header(typ), assertion_claims());
        assert!(client_assertion::verify(&token, &expected(Profile::Smart), |_| Some(key)).is_err());
    }
}

#[test]
fn d14_the_jti_must_be_there_and_is_handed_out_for_single_use() {
    for to in ["", r#","jti":"""#, r#","jti":1"#, r#","jti":null"#] {
        assert!(with(Profile::Smart, r#","jti":"a-001""#, to).is_err(), "{to}");
    }
    assert!(with(Profile::Smart, "a-001", &"a".repeat(257)).is_err());
}

#[test]
fn d15_the_audience_is_what_the_profile_says_in_one_string() {
    let aud = format!(r#""aud":"{ISSUER}""#);
    let to = |v: &str| format!(r#""aud":{v}"#);
    let url = format!("\"{TOKEN_URL}\"");
    assert!(with(Profile::Smart, &aud, &to(&url)).is_ok());
    assert!(with(Profile::Fapi2, &aud, &to(&url)).is_err());
    for v in [
        format!("[\"{ISSUER}\"]"),
        format!("[\"{TOKEN_URL}\"]"),
        format!("[\"{ISSUER}\",\"{TOKEN_URL}\"]"),
        "\"https://as.example/par\"".into(),
        "\"https://other/\"".into(),
        "\"https://as.example/\"".into(),
        "null".into(),
    ] {
        assert!(with(Profile::Smart, &aud, &to(&v)).is_err() && with(Profile::Fapi2, &aud, &to(&v)).is_err(), "{v}");
    }
}

#[test]
fn d16_an_assertion_names_one_client_in_iss_and_sub() {
    let other = ClientId::from_bytes([8; 16]).to_string();
    let own = client().to_string();
    for name in ["iss", "sub"] {
        let from = format!(r#""{name}":"{own}""#);
        assert!(with(Profile::Smart, &from, &format!(r#""{name}":"{other}""#)).is_err());
        assert!(with(Profile::Smart, &format!("{from},"), "").is_err());
    }
}

#[test]
fn oa26_fa16_an_assertion_lives_five_minutes_at_most() {
    let now = NOW.secs();
    let exp = |s: i64| with(Profile::Fapi2, &format!(r#""exp":{}"#, now + 60), &format!(r#""exp":{}"#, now + s));
    assert!(exp(300).is_ok() && exp(301).is_err() && exp(0).is_err() && exp(-300).is_err() && exp(3600).is_err());
    let nbf = |s: i64| with(Profile::Fapi2, &format!(r#""nbf":{now}"#), &format!(r#""nbf":{}"#, now + s));
    assert!(nbf(8).is_ok() && nbf(61).is_err());
    let iat = |s: i64| with(Profile::Fapi2, &format!(r#""iat":{now}"#), &format!(r#""iat":{}"#, now + s));
    assert!(iat(10).is_ok() && iat(61).is_err() && iat(-315_360_000).is_err());
    assert!(with(Profile::Smart, &format!(r#""iat":{now},"nbf":{now},"#), "").is_ok(), "SMART requires neither");
    assert!(with(Profile::Smart, &format!(r#""exp":{},"#, now + 60), "").is_err());
}

#[test]
fn iu03_members_of_the_wrong_type_are_refused() {
    for to in [
        r#""subject_name":1"#,
        r#""subject_organization_id":["a"]"#,
        r#""subject_role":"10""#,
        r#""subject_role":[{"code":"10"}]"#,
        r#""person_id":null"#,
    ] {
        let to = format!(r#"{to},"national_provider_identifier""#);
        assert!(with(Profile::Smart, r#""national_provider_identifier""#, &to).is_err(), "{to}");
    }
    for to in [r#""ihe_iua":[]"#, r#""ihe_iua":null"#] {
        let (pair, key) = p256();
        let claims = assertion_claims();
        let start = claims.find(r#""ihe_iua""#).unwrap();
        let token = compact(&pair, &header("JWT"), format!("{}{to}}}}}", &claims[..start]));
        assert!(client_assertion::verify(&token, &expected(Profile::Smart), |_| Some(key)).is_err());
    }
    assert!(with(Profile::Smart, r#""code":"TREAT""#, r#""code":"treat""#).is_err());
    assert!(with(Profile::Smart, Purpose::SYSTEM, "urn:oid:1.2.3").is_err());
}
