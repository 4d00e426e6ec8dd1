//! Keys at enrolment: J21, D07, D08.

use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::curve::{is_on_ed25519, is_on_p256, is_small_order};
use super::*;
use crate::chance::{Chance as _, SeededChance};
use crate::proof::tests::forge::p256;

const SEED: u64 = 20_260_303;

/// The key as an authenticator would give it.
pub(in crate::proof) fn cose_of(key: &PublicKey) -> Vec<u8> {
    match key {
        PublicKey::P256(point) => {
            let (x, y) = coordinates(point);
            [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..], &x, &[0x22, 0x58, 32], &y].concat()
        }
        PublicKey::Ed25519(key) => [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32][..], key].concat(),
    }
}

fn ed25519(seed: u8) -> PublicKey {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    PublicKey::from_bytes(pair.public_key().as_ref()).unwrap()
}

/// What `ring` says of a point when it is asked to agree on a secret with it.
fn ring_takes(point: &[u8; 65]) -> bool {
    #[expect(clippy::disallowed_methods, reason = "ring agrees with its own generator only")]
    let rng = SystemRandom::new();
    let secret = EphemeralPrivateKey::generate(&ECDH_P256, &rng).unwrap();
    agree_ephemeral(secret, &UnparsedPublicKey::new(&ECDH_P256, point), |_| ()).is_ok()
}

#[test]
fn j21_points_off_the_curve_are_refused_exactly_where_ring_refuses_them() {
    let chance = SeededChance::new(SEED);
    let mut points = vec![[4; 65], point(&[0; 32], &[0; 32]), point(&[0xff; 32], &[0xff; 32])];
    for _ in 0..60 {
        let PublicKey::P256(good) = p256().1 else { unreachable!() };
        let mut bad = good;
        bad[1 + chance.below(64)] ^= 1 << chance.below(8);
        let (x, y) = coordinates(&good);
        points.extend([good, bad, point(&y, &x)]);
    }
    // x = 0 is on the curve with y = √b; one more than p is the same number in another spelling.
    let p = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ];
    let root: [u8; 32] = [
        0x66, 0x48, 0x5c, 0x78, 0x0e, 0x2f, 0x83, 0xd7, 0x24, 0x33, 0xbd, 0x5d, 0x84, 0xa0, 0x6b, 0xb6, 0x54, 0x1c,
        0x2a, 0xf3, 0x1d, 0xae, 0x87, 0x17, 0x28, 0xbf, 0x85, 0x6a, 0x17, 0x4f, 0x93, 0xf4,
    ];
    points.extend([point(&[0; 32], &root), point(&p, &root)]);
    let mut taken = 0;
    for candidate in &points {
        let ours = PublicKey::from_bytes(candidate).is_ok();
        let (x, y) = coordinates(candidate);
        assert_eq!(ours, ring_takes(candidate), "{candidate:02x?}");
        assert_eq!(ours, is_on_p256(&x, &y));
        taken += usize::from(ours);
    }
    println!("seed {SEED}, {} points, {taken} on the curve", points.len());
    assert_eq!(taken, 61);
}

#[test]
fn j21_other_forms_and_lengths_are_refused() {
    let PublicKey::P256(good) = p256().1 else { unreachable!() };
    let mut compressed = good;
    compressed[0] = 2;
    assert!(PublicKey::from_bytes(&compressed).is_err());
    for length in [0, 1, 31, 33, 64] {
        assert!(PublicKey::from_bytes(&good[..length]).is_err(), "{length}");
    }
    assert!(PublicKey::from_bytes(&[good.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn j21_every_spelling_of_the_eight_points_of_small_order_is_refused() {
    let order_8 = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    let unhex =
        |t: &str| -> [u8; 32] { std::array::from_fn(|i| u8::from_str_radix(&t[2 * i..2 * i + 2], 16).unwrap()) };
    let low = |first: u8, rest: u8, last: u8| {
        let mut y = [rest; 32];
        (y[0], y[31]) = (first, last);
        y
    };
    // 0, 1, p − 1, and 0 and 1 again as p and p + 1.
    let mut all = vec![low(0, 0, 0), low(1, 0, 0), low(0xec, 0xff, 0x7f), low(0xed, 0xff, 0x7f), low(0xee, 0xff, 0x7f)];
    all.extend(order_8.map(unhex));
    let mut accepts_anything = 0;
    for y in all {
        for sign in [0, 0x80] {
            let mut key = y;
            key[31] |= sign;
            assert!(is_small_order(&key));
            assert!(PublicKey::from_bytes(&key).is_err() && PublicKey::from_enrolled(&key).is_err());
            let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, base64url::encode(&key));
            assert!(PublicKey::from_jwk(jwk.as_bytes()).is_err());
            assert!(PublicKey::from_cose(&cose_of(&PublicKey::Ed25519(key))).is_err());
            // Why: R = identity, s = 0 verifies with the identity as key, whatever was said.
            let mut forged = [0; 64];
            forged[0] = 1;
            accepts_anything += usize::from(PublicKey::Ed25519(key).verify(b"anything", &forged).is_ok());
        }
    }
    assert!(accepts_anything > 0, "the danger is gone from ring; this check may be simplified");
}

#[test]
fn j21_ed25519_keys_that_are_no_points_or_not_reduced_are_refused() {
    let chance = SeededChance::new(SEED);
    let mut on = 0;
    for seed in 0..20 {
        let PublicKey::Ed25519(good) = ed25519(seed) else { unreachable!() };
        assert!(is_on_ed25519(&good));
        let mut random = [0; 32];
        chance.fill(&mut random).unwrap();
        on += usize::from(PublicKey::from_bytes(&random).is_ok());
    }
    println!("seed {SEED}, {on} of 20 random encodings are points");
    assert!((3..=17).contains(&on), "about half of them are");
    let mut unreduced = [0xff; 32];
    (unreduced[0], unreduced[31]) = (0xf0, 0x7f);
    assert!(PublicKey::from_bytes(&unreduced).is_err());
}

#[test]
fn a_key_survives_every_form_it_is_kept_in() {
    for key in [p256().1, ed25519(3)] {
        assert_eq!(PublicKey::from_jwk(key.to_jwk().as_bytes()), Ok(key));
        assert_eq!(PublicKey::from_cose(&cose_of(&key)), Ok(key));
        assert_eq!(PublicKey::from_bytes(key.as_bytes()), Ok(key));
        assert_eq!(PublicKey::from_enrolled(key.as_bytes()), Ok(key));
        assert_eq!(key.thumbprint().to_string().parse(), Ok(key.thumbprint()));
    }
}

#[test]
fn d07_keys_that_are_not_public_or_for_something_else_are_refused() {
    let jwk = p256().1.to_jwk();
    let with = |member: &str| PublicKey::from_jwk(jwk.replacen('{', &format!("{{{member},"), 1).as_bytes());
    for member in [
        r#""d":"AA""#,
        r#""d":null"#,
        r#""\u0064":"AA""#,
        r#""k":"AA""#,
        r#""p":1"#,
        r#""use":"enc""#,
        r#""alg":"HS256""#,
        r#""alg":"ECDH-ES""#,
        r#""key_ops":["sign"]"#,
        r#""key_ops":"verify""#,
        r#""kty":"EC""#,
    ] {
        assert!(with(member).is_err(), "{member}");
    }
    for member in [r#""use":"sig""#, r#""alg":"ES256""#, r#""key_ops":["verify"]"#, r#""kid":"a""#, r#""n":1"#] {
        assert!(with(member).is_ok(), "{member}");
    }
    assert!(PublicKey::from_jwk(br#"{"kty":"oct","k":"AAAA"}"#).is_err());
    assert!(PublicKey::from_jwk(b"[]").is_err() && PublicKey::from_jwk(b"").is_err());
    for (from, to) in [("\"x\":\"", "\"x\":\"AA"), ("\"}", "=\"}"), ("P-256", "P-521"), ("P-256", "Ed25519")] {
        assert!(PublicKey::from_jwk(jwk.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
}

#[test]
fn a_cose_key_is_canonical_public_and_complete() {
    let good = cose_of(&p256().1);
    let put = |at: usize, byte: u8| {
        let mut changed = good.clone();
        changed[at] = byte;
        PublicKey::from_cose(&changed)
    };
    // Map of 4 or 6, key type, algorithm ES384 / RS256-like, curve P-384, the private part's label, a doubled label.
    for (at, byte) in [(0, 0xa4), (0, 0xa6), (2, 1), (2, 3), (4, 0x38), (4, 0x27), (6, 2), (7, 0x23), (5, 3), (8, 0x18)]
    {
        assert!(put(at, byte).is_err(), "{at} {byte:#x}");
    }
    assert!(PublicKey::from_cose(&[good.as_slice(), &[0]].concat()).is_err());
    // One member more: the private part, a doubled y, an unknown label; and a length written longer than needed.
    let more = |member: &[u8]| PublicKey::from_cose(&[&[0xa6], &good[1..], member].concat());
    let doubled = good[good.len() - 35..].to_vec();
    for member in [&[0x23, 0x41, 1][..], &doubled, &[4, 1], &[1, 2], &[3, 0x26]] {
        assert!(more(member).is_err(), "{member:02x?}");
    }
    let long = [&good[..1], &[0x18, 1], &good[2..]].concat();
    assert!(PublicKey::from_cose(&long).is_err());
    for length in 0..good.len() {
        assert!(PublicKey::from_cose(&good[..length]).is_err(), "{length}");
    }
}
