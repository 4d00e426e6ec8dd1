//! Section 0.3 and the J rows of the attack catalogue.

use super::forge::{
    ISSUER, NOW, access, check_access, check_consent, compact, consent, dpop_claims, dpop_header, header, p256,
    sign_der, sign_es256,
};
use crate::proof::jws::{self, Rules};
use crate::proof::key::Algorithm;
use crate::proof::{Memo, PublicKey, Refused, Window, access_token, base64url};

const TYP: &str = "at+jwt";

/// Signs the claims of a good access token after replacing `from` by `to`, and verifies.
fn with_claims(from: &str, to: &str) -> Result<crate::proof::AccessToken, Refused> {
    let (pair, key) = p256();
    let claims = access().to_claims_json();
    assert!(claims.contains(from), "{from} in {claims}");
    check_access(&compact(&pair, &header(TYP), claims.replacen(from, to, 1)), key)
}

/// Signs a good access token under another header, and verifies.
fn with_header(header: &str) -> &'static str {
    let (pair, key) = p256();
    check_access(&compact(&pair, header, access().to_claims_json()), key).unwrap_err().reason()
}

#[test]
fn a_good_access_token_is_read_back_as_it_was_written() {
    let (pair, key) = p256();
    let token = compact(&pair, &header(TYP), access().to_claims_json());
    assert_eq!(check_access(&token, key), Ok(access()));
    assert!(check_access(&compact(&pair, &header("application/AT+JWT"), access().to_claims_json()), key).is_ok());
    let mut plain = access();
    (plain.patient, plain.bound_to, plain.iua) = (None, None, crate::proof::Iua::default());
    assert_eq!(check_access(&compact(&pair, &header(TYP), plain.to_claims_json()), key), Ok(plain));
}

#[test]
fn j01_j05_algorithms_are_named_exactly_or_refused() {
    for alg in [r#""none""#, r#""HS256""#, r#""RS256""#, r#""es256""#, r#""ES384""#, "1", r#"["ES256"]"#, "null"] {
        let reason = with_header(&format!(r#"{{"typ":"at+jwt","alg":{alg},"kid":"k1"}}"#));
        assert!(matches!(reason, "alg" | "alg missing"), "{alg}: {reason}");
    }
    assert_eq!(with_header(r#"{"typ":"at+jwt","kid":"k1"}"#), "alg missing");
    let (_, key) = p256();
    let none = base64url::encode(br#"{"typ":"at+jwt","alg":"none","kid":"k1"}"#);
    let token = format!("{none}.{}.", base64url::encode(access().to_claims_json().as_bytes()));
    assert_eq!(check_access(&token, key).unwrap_err().reason(), "alg");
}

#[test]
fn a_key_is_never_used_with_another_algorithm_than_its_own() {
    assert_eq!(with_header(r#"{"typ":"at+jwt","alg":"EdDSA","kid":"k1"}"#), "key of another algorithm");
    let (pair, key) = p256();
    let rules = Rules::of(TYP, &[Algorithm::EdDsa]);
    let token = compact(&pair, &header(TYP), "{}");
    assert_eq!(jws::verify(&token, &rules, None, |_| Some(key)).unwrap_err().reason(), "alg");
}

#[test]
fn j06_a_header_with_two_algorithms_is_refused() {
    assert_eq!(with_header(r#"{"typ":"at+jwt","alg":"none","alg":"ES256","kid":"k1"}"#), "header");
    assert_eq!(with_header(r#"{"typ":"at+jwt","alg":"ES256","\u0061lg":"none","kid":"k1"}"#), "header");
}

#[test]
fn j07_duplicate_claims_are_refused() {
    for twice in [r#""sub":"x","#, r#""\u0073ub":"x","#, r#""s\u0075b":"x","#] {
        assert_eq!(with_claims(r#""sub":"#, &format!(r#"{twice}"sub":"#)).unwrap_err().reason(), "claims", "{twice}");
    }
    assert!(with_claims(r#""patient":"#, r#""patient":"other","patient":"#).is_err());
    assert!(with_claims(r#""scope":"#, r#""scope":"system/*.cruds","scope":"#).is_err());
    assert_eq!(with_claims(r#""sub":"#, r#""new":1,"sub":"#).unwrap_err().reason(), "claim unknown");
}

#[test]
fn j08_a_kid_is_looked_up_exactly_and_never_followed() {
    let long = "k".repeat(5000);
    for kid in ["../../dev/null", "' OR 1=1", "https://evil.example/k1", "K1", "k1 ", "", &long] {
        let reason = with_header(&format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#));
        assert!(matches!(reason, "kid" | "kid unknown"), "{reason}");
    }
    assert_eq!(with_header(r#"{"typ":"at+jwt","alg":"ES256","kid":"k1\u0000"}"#), "header");
    assert_eq!(with_header(r#"{"typ":"at+jwt","alg":"ES256"}"#), "kid");
    assert_eq!(with_header(r#"{"typ":"at+jwt","alg":"ES256","kid":1}"#), "kid");
}

#[test]
fn j10_j11_a_key_that_comes_with_the_token_is_refused() {
    let (pair, key) = p256();
    let own = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"k1","jwk":{}}}"#, key.to_jwk());
    assert!(check_access(&compact(&pair, &own, access().to_claims_json()), key).is_err());
    let rules = Rules { ignore_unknown: true, ..Rules::of(TYP, &[Algorithm::Es256]) };
    let reason = jws::verify(&compact(&pair, &own, "{}"), &rules, None, |_| Some(key)).unwrap_err().reason();
    assert_eq!(reason, "header jwk");
    for name in ["jku", "x5u", "x5c", "x5t", "x5t#S256"] {
        let with = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"k1","{name}":"http://169.254.169.254/"}}"#);
        assert_eq!(with_header(&with), "header member never followed");
    }
}

#[test]
fn j15_j16_j35_members_that_change_the_reading_are_refused_in_every_form() {
    for member in [
        r#""crit":[]"#,
        r#""crit":["alg"]"#,
        r#""crit":["exp"]"#,
        r#""crit":null"#,
        r#""cr\u0069t":[]"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""crit":["b64"],"b64":false"#,
        r#""zip":"DEF""#,
        r#""p2c":1000000"#,
    ] {
        let with = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"k1",{member}}}"#);
        assert_eq!(with_header(&with), "header member never followed", "{member}");
        // Also where unknown members are otherwise ignored.
        let (pair, key) = p256();
        let proof = dpop_header(&key).replacen('{', &format!("{{{member},"), 1);
        let proof = compact(&pair, &proof, dpop_claims("t"));
        assert_eq!(super::dpop::check(&proof).unwrap_err().reason(), "header member never followed", "{member}");
    }
    assert_eq!(with_header(r#"{"typ":"at+jwt","alg":"ES256","kid":"k1","other":1}"#), "header member unknown");
    assert_eq!(with_header(r#"{"typ":"at+jwt","alg":"ES256","kid":"k1","critical":[]}"#), "header member unknown");
}

#[test]
fn j17_other_serialisations_are_refused() {
    let (pair, key) = p256();
    let token = compact(&pair, &header(TYP), access().to_claims_json());
    let parts: Vec<_> = token.split('.').collect();
    let json = format!(r#"{{"protected":"{}","payload":"{}","signature":"{}"}}"#, parts[0], parts[1], parts[2]);
    let [h, p, s] = [parts[0], parts[1], parts[2]];
    let others = [
        json,
        format!("{h}.{p}"),
        format!("{h}.{p}.{s}.{s}"),
        format!("{h}..{s}"),
        format!(".{p}.{s}"),
        format!("{h}.{p}."),
        format!("{h}.{p}.{s}="),
        format!("{h}.{p}.{s}\n"),
        format!(" {h}.{p}.{s}"),
        format!("{h}=.{p}.{s}"),
        format!("{h}.{p}=.{s}"),
        String::new(),
        "..".into(),
        "...".into(),
    ];
    for other in others {
        assert!(check_access(&other, key).is_err(), "{other}");
    }
}

#[test]
fn j18_the_twin_of_a_signature_is_the_same_token_not_a_new_one() {
    let (pair, key) = p256();
    let token = compact(&pair, &header(TYP), access().to_claims_json());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut twin = base64url::decode(signature).unwrap();
    let s = negated(&twin[32..]);
    twin[32..].copy_from_slice(&s);
    let twin = format!("{signed}.{}", base64url::encode(&twin));
    assert_ne!(twin, token);
    assert_eq!(check_access(&twin, key).unwrap().id, check_access(&token, key).unwrap().id);
}

/// n − s, for the order n of P-256.
fn negated(s: &[u8]) -> Vec<u8> {
    const N: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut borrow = 0;
    let mut out: Vec<u8> = N
        .iter()
        .zip(s)
        .rev()
        .map(|(n, s)| {
            let difference = 256 + i32::from(*n) - i32::from(*s) - borrow;
            borrow = i32::from(difference < 256);
            u8::try_from(difference % 256).unwrap()
        })
        .collect();
    out.reverse();
    out
}

#[test]
fn j19_zero_der_and_odd_lengths_are_no_signatures() {
    let (pair, key) = p256();
    let token = compact(&pair, &header(TYP), access().to_claims_json());
    let signed = token.rsplit_once('.').unwrap().0;
    let good = sign_es256(&pair, signed.as_bytes());
    let mut long = good.clone();
    long.push(0);
    let (zero_r, zero_s) = ([vec![0; 32], good[32..].to_vec()].concat(), [good[..32].to_vec(), vec![0; 32]].concat());
    let bad = [vec![0; 64], sign_der(&pair, signed.as_bytes()), good[..63].to_vec(), long, zero_r, zero_s, vec![]];
    assert!(key.verify(signed.as_bytes(), &good).is_ok());
    for bad in bad {
        assert!(key.verify(signed.as_bytes(), &bad).is_err());
        assert!(check_access(&format!("{signed}.{}", base64url::encode(&bad)), key).is_err());
    }
}

#[test]
fn j25_there_is_exactly_one_audience_and_it_is_us() {
    let aud = r#""aud":"https://store.example/fhir","#;
    let us = "https://store.example/fhir";
    for to in [
        String::new(),
        r#""aud":null,"#.into(),
        r#""aud":[],"#.into(),
        r#""aud":"","#.into(),
        format!(r#""aud":["https://other.example","{us}"],"#),
        format!(r#""aud":["{us}"],"#),
        format!(r#""aud":"{us}/","#),
        format!(r#""aud":{{"{us}":1}},"#),
    ] {
        assert!(matches!(with_claims(aud, &to).unwrap_err().reason(), "aud" | "aud missing"), "{to}");
    }
    let (pair, key) = p256();
    let read = |aud: &str, array: bool| {
        let token = compact(&pair, &header(TYP), format!(r#"{{"aud":{aud}}}"#));
        let rules = Rules::of(TYP, &[Algorithm::Es256]);
        jws::verify(&token, &rules, None, |_| Some(key)).unwrap().claims().unwrap().audience(&["us"], array)
    };
    assert!(read(r#"["us"]"#, true).is_ok() && read(r#""us""#, true).is_ok());
    assert!(read(r#"["us"]"#, false).is_err() && read(r#"["us","us"]"#, true).is_err());
    assert!(read(r#"[["us"]]"#, true).is_err());
}

#[test]
fn j26_j27_moments_are_whole_seconds_of_this_era_or_refused_without_panic() {
    for name in ["exp", "iat"] {
        let good = format!(r#""{name}":{}"#, if name == "exp" { NOW.secs() + 240 } else { NOW.secs() - 60 });
        for value in [
            "1e300",
            "18446744073709551615",
            "9223372036854775808",
            "9223372036854775807",
            "-1",
            "\"1\"",
            "1.5",
            "1790000340.0",
            "179e7",
            "253402300800",
            "1000000000000000",
            "null",
            "[1790000340]",
            "true",
        ] {
            let reason = with_claims(&good, &format!(r#""{name}":{value}"#)).unwrap_err().reason();
            assert_eq!(reason, "time", "{name} {value}");
        }
        assert_eq!(with_claims(&format!("{good},"), "").unwrap_err().reason(), "time missing");
    }
    let (pair, key) = p256();
    let huge = consent().to_claims_json().replacen(r#""nbf":"#, r#""nbf":1000000000000000,"x":"#, 1);
    assert!(check_consent(&compact(&pair, &header("consent+jwt"), huge), key).is_err());
}

#[test]
fn j28_clocks_may_differ_by_ten_seconds_for_others_and_not_at_all_for_us() {
    let at = |s: i64| NOW.plus_secs(s);
    let others = Window::of_others(NOW, 300);
    assert!(others.holds(Some(at(10)), Some(at(10)), at(300)).is_ok());
    assert!(others.holds(Some(at(11)), None, at(300)).is_err() && others.holds(None, Some(at(11)), at(300)).is_err());
    assert!(others.holds(Some(at(3600)), None, at(3700)).is_err());
    assert!(others.holds(Some(at(-315_360_000)), None, at(60)).is_err());
    assert!(others.holds(Some(at(0)), None, at(301)).is_err() && others.holds(None, None, at(311)).is_err());
    assert!(others.holds(Some(at(-301)), None, at(1)).is_err());
    assert!(others.holds(Some(at(5)), None, at(5)).is_err(), "never valid");
    let brief = Window { oldest: 20, ..others };
    assert!(brief.holds(Some(at(-20)), None, at(200)).is_ok() && brief.holds(Some(at(-21)), None, at(200)).is_err());
    let ours = Window::of_ours(NOW, 300);
    assert!(ours.holds(Some(NOW), Some(NOW), at(1)).is_ok());
    assert!(ours.holds(Some(at(1)), None, at(2)).is_err() && ours.holds(None, Some(at(1)), at(2)).is_err());
    // Dead at its second of expiry.
    assert!(ours.holds(Some(at(-300)), None, NOW).is_err() && others.holds(None, None, NOW).is_err());
    let extreme =
        Window { now: crate::clock::Timestamp(i64::MAX), ahead: i64::MAX, oldest: i64::MIN, longest: i64::MAX };
    assert!(extreme.holds(Some(NOW), None, NOW).is_err());
}

#[test]
fn j29_j30_one_kind_of_token_is_never_taken_for_another() {
    let (pair, key) = p256();
    for typ in ["dpop+jwt", "JWT", "client-authentication+jwt", "consent+jwt", "consent-statement+jws", "", "at+jwt "] {
        assert_eq!(with_header(&header(typ)), "typ", "{typ}");
    }
    assert_eq!(with_header(r#"{"alg":"ES256","kid":"k1"}"#), "typ missing");
    assert_eq!(with_header(r#"{"typ":["at+jwt"],"alg":"ES256","kid":"k1"}"#), "typ");
    for typ in ["dpop+jwt", "JWT", "at+jwt"] {
        let token = compact(&pair, &header(typ), consent().to_claims_json());
        assert_eq!(check_consent(&token, key).unwrap_err().reason(), "typ");
    }
    // Even with the right `typ`, by whatever mistake it came to be signed.
    let token = compact(&pair, &header("consent+jwt"), access().to_claims_json());
    assert!(check_consent(&token, key).is_err());
    assert!(check_access(&compact(&pair, &header(TYP), consent().to_claims_json()), key).is_err());
}

#[test]
fn j31_a_token_of_another_issuer_is_refused() {
    for other in ["https://as.staging.example", "https://as.example/", "https://AS.example", "http://as.example"] {
        let reason = with_claims(&format!(r#""iss":"{ISSUER}""#), &format!(r#""iss":"{other}""#)).unwrap_err();
        assert_eq!(reason.reason(), "iss");
    }
    assert!(with_claims(&format!(r#""iss":"{ISSUER}","#), "").is_err());
}

#[test]
fn every_required_claim_is_required_and_typed() {
    let claims = access().to_claims_json();
    let (pair, key) = p256();
    for name in ["sub", "client_id", "jti", "scope", "extensions"] {
        for value in ["1", "null", "[]", "\"\""] {
            let at = claims.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
            let end =
                if name == "extensions" { claims.len() - 1 } else { at + claims[at + 1..].find('"').unwrap() + 2 };
            let with = format!("{}{value}{}", &claims[..at], &claims[end..]);
            let taken = check_access(&compact(&pair, &header(TYP), &with), key);
            // A token may carry no scope at all.
            assert!(taken.is_err() || (name == "scope" && value == "\"\""), "{with}");
        }
    }
    assert!(with_claims(r#""cnf":{"#, r#""cnf":{"x5t":"a","#).is_err());
    assert!(with_claims(r#""jkt":"J"#, r#""jkt":"JJ"#).is_err());
    assert!(with_claims(r#""code":"TREAT""#, r#""code":"FooBar""#).is_err());
    assert!(with_claims(r#""code":"TREAT"}"#, r#""code":"TREAT"},{"system":"a","code":"b"}"#).is_err());
}

#[test]
fn j36_a_long_token_is_refused_before_it_is_read() {
    let reason = with_claims(r#""scope":""#, &format!(r#""scope":"{}"#, "a.r ".repeat(10_000))).unwrap_err();
    assert_eq!(reason.reason(), "too long");
    let (_, key) = p256();
    assert_eq!(check_access(&"a".repeat(1_000_000), key).unwrap_err().reason(), "too long");
    assert!(with_claims(r#""scope":""#, &format!(r#""scope":"{}"#, "a.r ".repeat(1100))).is_err());
}

#[test]
fn j37_a_key_that_is_no_longer_given_verifies_nothing_even_when_remembered() {
    let (pair, key) = p256();
    let token = compact(&pair, &header(TYP), access().to_claims_json());
    let memo = Memo::with_capacity(100);
    let expected = access_token::Expected { memo: Some(&memo), ..super::forge::expected_access() };
    assert!(access_token::verify(&token, &expected, |_| Some(key)).is_ok());
    assert_eq!(memo.len(), 1);
    assert_eq!(access_token::verify(&token, &expected, |_| None).unwrap_err().reason(), "kid unknown");
    let (_, other) = p256();
    assert_eq!(access_token::verify(&token, &expected, |_| Some(other)).unwrap_err().reason(), "signature");
    // Nor is time remembered.
    let later = access_token::Expected { window: Window::of_ours(NOW.plus_secs(240), 300), ..expected };
    assert_eq!(access_token::verify(&token, &later, |_| Some(key)).unwrap_err().reason(), "exp past");
}

#[test]
fn d13_a_bound_token_is_no_bearer_token() {
    let bound = access();
    assert!(bound.comes_with(bound.bound_to).is_ok());
    assert!(bound.comes_with(None).is_err());
    assert!(bound.comes_with(Some(p256().1.thumbprint())).is_err());
    let plain = crate::proof::AccessToken { bound_to: None, ..access() };
    assert!(plain.comes_with(None).is_ok() && plain.comes_with(bound.bound_to).is_err());
}

#[test]
fn outside_every_refusal_reads_the_same() {
    let said = |r: Refused| r.to_string();
    assert_eq!(said(Refused::because("aud")), said(Refused::because("signature")));
    let key = PublicKey::from_bytes(&[0; 3]).unwrap_err();
    assert_eq!(format!("{key} {key:?}"), "not verified Refused(key length)");
}
