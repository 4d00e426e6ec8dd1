//! Hostile bytes: nothing panics, nothing unsigned is accepted.

use super::client::expected;
use super::forge::{
    NOW, access, assertion, assertion_claims, authenticator_data, check_access, check_consent, client_data, compact,
    consent, device, device_jws, dpop_claims, dpop_header, header, p256, site, statement,
};
use crate::chance::SeededChance;
use crate::proof::statement::{Kind, verify};
use crate::proof::{EnrolledKey, Evidence, Profile, PublicKey, client_assertion};

const SEED: u64 = 20_260_301;
const N: usize = 30_000;

const PIECES: [&[u8]; 22] = [
    b".",
    b"..",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"1e300",
    b"-1",
    b"=",
    b"\xff",
    b"\0",
    b"9223372036854775808",
    b"\"crit\":[],",
    b"\"alg\":\"none\",",
    b"\xc3\xa9",
    b",",
    b":",
    b"AAAA",
];

/// Changes `bytes` a few times: a byte, a cut, a doubled stretch, or a piece put in.
fn mutate(bytes: &[u8], chance: &SeededChance) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(out.len() + 1);
        match chance.below(4) {
            0 => {
                if let Some(b) = out.get_mut(at) {
                    *b ^= u8::try_from(1 + chance.below(255)).unwrap();
                }
            }
            1 => out.truncate(at),
            2 => {
                let end = (at + chance.below(20)).min(out.len());
                let stretch = out[at..end].to_vec();
                out.splice(at..at, stretch);
            }
            _ => {
                out.splice(at..at, PIECES[chance.below(PIECES.len())].iter().copied());
            }
        }
    }
    out
}

#[test]
fn mutated_tokens_are_refused_without_panic() {
    let chance = SeededChance::new(SEED);
    let (pair, key) = p256();
    let tokens = [
        compact(&pair, &header("at+jwt"), access().to_claims_json()),
        compact(&pair, &header("JWT"), assertion_claims()),
        compact(&pair, &dpop_header(&key), dpop_claims("t")),
        compact(&pair, &header("consent+jwt"), consent().to_claims_json()),
    ];
    let mut unverified = 0;
    for i in 0..N {
        let original = &tokens[i % tokens.len()];
        let bytes = mutate(original.as_bytes(), &chance);
        let Ok(token) = std::str::from_utf8(&bytes) else { continue };
        if token == original {
            continue;
        }
        let accepted = check_access(token, key).is_ok()
            || client_assertion::verify(token, &expected(Profile::Smart), |_| Some(key)).is_ok()
            || super::dpop::check(token).is_ok()
            || check_consent(token, key).is_ok();
        assert!(!accepted, "seed {SEED}, step {i}: {token}");
        unverified += usize::from(client_assertion::unverified_client(token).is_ok());
    }
    println!("seed {SEED}, {N} mutated tokens, {unverified} of them name a client");
    assert!(unverified > 0);
}

/// What an attacker with a key of their own can make us read: really signed, with mutated header and claims.
#[test]
fn signed_rubbish_never_panics() {
    let chance = SeededChance::new(SEED + 1);
    let (pair, key) = p256();
    let count = N / 10;
    let (mut read, kinds) = (0, ["at+jwt", "JWT", "consent+jwt", "dpop+jwt"]);
    for i in 0..count {
        let kind = kinds[i % 4];
        let (head, claims) = match kind {
            "at+jwt" => (header(kind), access().to_claims_json()),
            "JWT" => (header(kind), assertion_claims()),
            "consent+jwt" => (header(kind), consent().to_claims_json()),
            _ => (dpop_header(&key), dpop_claims("t")),
        };
        let head = if i % 3 == 0 { mutate(head.as_bytes(), &chance) } else { head.into_bytes() };
        let Ok(head) = String::from_utf8(head) else { continue };
        let token = compact(&pair, &head, mutate(claims.as_bytes(), &chance));
        read += usize::from(match kind {
            "at+jwt" => check_access(&token, key).is_ok(),
            "JWT" => client_assertion::verify(&token, &expected(Profile::Smart), |_| Some(key)).is_ok(),
            "consent+jwt" => check_consent(&token, key).is_ok(),
            _ => super::dpop::check(&token).is_ok(),
        });
    }
    println!("seed {}, {count} signed by the attacker, {read} still well-formed, at {NOW}", SEED + 1);
    assert!(read < count / 2, "mutations that change nothing test nothing");
}

#[test]
fn mutated_keys_and_evidence_never_panic() {
    let chance = SeededChance::new(SEED + 2);
    let (pair, key) = p256();
    let bytes = statement(false);
    let site = site();
    let made = Evidence::Passkey(assertion(&pair, authenticator_data("health.example", 5), &client_data(&bytes)));
    let kind = Kind::Passkey { credential: b"credential-1", user_handle: Some(b"handle-1"), site: &site };
    let passkey = EnrolledKey { device: device(), key, kind };
    let own = EnrolledKey { device: device(), key, kind: Kind::Device };
    let stored = [made.to_bytes(), Evidence::Device(device_jws(&pair, &bytes)).to_bytes()];
    for i in 0..N / 3 {
        let changed = mutate(&stored[i % 2], &chance);
        if changed != stored[i % 2]
            && let Ok(evidence) = Evidence::parse(&changed)
        {
            let taken =
                verify(&bytes, &evidence, &passkey, None).is_ok() || verify(&bytes, &evidence, &own, None).is_ok();
            // Only the handle may go: it may be absent, and is not part of what is signed.
            let without = String::from_utf8_lossy(&changed).contains("userHandle");
            assert!(!taken || !without, "seed {}, step {i}", SEED + 2);
        }
        let cose = mutate(&crate::proof::key::tests::cose_of(&key), &chance);
        if let Ok(read) = PublicKey::from_cose(&cose) {
            assert_eq!(read, key, "a changed point is on the curve");
        }
        if let Ok(read) = PublicKey::from_jwk(&mutate(key.to_jwk().as_bytes(), &chance)) {
            assert_eq!(read, key);
        }
    }
    println!("seed {}, {} mutated pieces of evidence, COSE keys and JWKs", SEED + 2, N / 3);
}
