//! Another implementation (josekit over OpenSSL) makes what we verify, and verifies what we make.

use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use josekit::jwk::alg::ed::EdCurve;
use josekit::jws::alg::ecdsa::EcdsaJwsAlgorithm::Es256;
use josekit::jws::alg::eddsa::EddsaJwsAlgorithm::Eddsa;
use josekit::jws::{JwsHeader, JwsSigner, JwsVerifier, deserialize_compact, serialize_compact};

use super::client::expected;
use super::forge::{
    access, assertion_claims, check_access, check_consent, compact, consent, dpop_claims, header, p256,
};
use crate::chance::{Chance as _, SeededChance};
use crate::proof::jws::{self, Rules};
use crate::proof::key::Algorithm;
use crate::proof::{Profile, PublicKey, base64url, client_assertion};

const SEED: u64 = 20_260_302;

type Theirs = (Box<dyn JwsSigner>, Box<dyn JwsVerifier>, PublicKey, Algorithm);

fn both() -> [Theirs; 2] {
    let ec = Jwk::generate_ec_key(EcCurve::P256).unwrap();
    let ed = Jwk::generate_ed_key(EdCurve::Ed25519).unwrap();
    let ours = |jwk: &Jwk| PublicKey::from_jwk(jwk.to_public_key().unwrap().to_string().as_bytes()).unwrap();
    assert!(PublicKey::from_jwk(ec.to_string().as_bytes()).is_err(), "a private key is refused");
    [
        (
            Box::new(Es256.signer_from_jwk(&ec).unwrap()),
            Box::new(Es256.verifier_from_jwk(&ec).unwrap()),
            ours(&ec),
            Algorithm::Es256,
        ),
        (
            Box::new(Eddsa.signer_from_jwk(&ed).unwrap()),
            Box::new(Eddsa.verifier_from_jwk(&ed).unwrap()),
            ours(&ed),
            Algorithm::EdDsa,
        ),
    ]
}

fn theirs(signer: &dyn JwsSigner, typ: &str, payload: &str) -> String {
    let mut header = JwsHeader::new();
    header.set_token_type(typ);
    header.set_key_id("k1");
    serialize_compact(payload.as_bytes(), &header, signer).unwrap()
}

#[test]
fn what_josekit_signs_we_verify() {
    for (signer, _, key, algorithm) in both() {
        let signer = &*signer;
        assert_eq!(check_access(&theirs(signer, "at+jwt", &access().to_claims_json()), key), Ok(access()));
        let assertion = theirs(signer, "JWT", &assertion_claims());
        assert!(client_assertion::verify(&assertion, &expected(Profile::Fapi2), |_| Some(key)).is_ok());
        let token = theirs(signer, "consent+jwt", &consent().to_claims_json());
        assert_eq!(check_consent(&token, key).is_ok(), algorithm == Algorithm::Es256);
        let mut header = JwsHeader::new();
        header.set_token_type("dpop+jwt");
        header.set_claim("jwk", Some(serde_json::from_str(&key.to_jwk()).unwrap())).unwrap();
        let proof = serialize_compact(dpop_claims("t").as_bytes(), &header, signer).unwrap();
        assert_eq!(super::dpop::check(&proof).unwrap().key, key.thumbprint());
    }
}

#[test]
fn what_we_write_josekit_verifies() {
    let (pair, key) = p256();
    let verifier = Es256.verifier_from_jwk(&Jwk::from_bytes(key.to_jwk().as_bytes()).unwrap()).unwrap();
    let claims = access().to_claims_json();
    let input = jws::signing_input("at+jwt", Algorithm::Es256, "k1", claims.as_bytes());
    let signature = super::forge::sign_es256(&pair, input.as_bytes());
    let token = jws::with_signature(input, &signature);
    assert_eq!(check_access(&token, key), Ok(access()));
    let (payload, _) = deserialize_compact(&token, &verifier).unwrap();
    assert_eq!(payload, claims.as_bytes());
    let consents = consent().to_claims_json();
    let token = compact(&pair, &header("consent+jwt"), &consents);
    assert_eq!(deserialize_compact(&token, &verifier).unwrap().0, consents.as_bytes());
}

/// Real signatures, changed in one bit, of another message, or made up: both say the same of every one.
#[test]
fn both_agree_on_random_signatures_good_and_bad() {
    const N: usize = 2_000;
    let chance = SeededChance::new(SEED);
    let keys = both();
    let mut good = 0;
    for i in 0..N {
        let (signer, verifier, key, algorithm) = &keys[i % 2];
        let mut message = vec![0; 1 + chance.below(200)];
        chance.fill(&mut message).unwrap();
        let mut signature = signer.sign(&message).unwrap();
        match chance.below(4) {
            0 => {}
            1 => signature[chance.below(64)] ^= 1 << chance.below(8),
            2 => message[0] ^= 1,
            _ => chance.fill(&mut signature).unwrap(),
        }
        let theirs = verifier.verify(&message, &signature).is_ok();
        assert_eq!(key.verify(&message, &signature).is_ok(), theirs, "seed {SEED}, step {i}");
        let input = jws::signing_input("at+jwt", *algorithm, "k1", &message);
        let mut token_signature = signer.sign(input.as_bytes()).unwrap();
        if chance.below(2) == 0 {
            token_signature[chance.below(64)] ^= 1 << chance.below(8);
        }
        let token = jws::with_signature(input, &token_signature);
        let ours = jws::verify(&token, &Rules::of("at+jwt", &[*algorithm]), None, |_| Some(*key));
        assert_eq!(ours.is_ok(), deserialize_compact(&token, &**verifier).is_ok(), "seed {SEED}, step {i}");
        good += usize::from(theirs);
    }
    println!("seed {SEED}, {N} signatures, {good} of them good");
    assert!(good > N / 8 && good < N / 2);
}

#[test]
fn a_thumbprint_is_the_hash_of_josekits_required_members_in_order() {
    for jwk in [Jwk::generate_ec_key(EcCurve::P256).unwrap(), Jwk::generate_ed_key(EdCurve::Ed25519).unwrap()] {
        let public = jwk.to_public_key().unwrap();
        let required: std::collections::BTreeMap<_, _> =
            ["crv", "kty", "x", "y"].iter().filter_map(|n| public.parameter(n).map(|v| (*n, v))).collect();
        let hash = ring::digest::digest(&ring::digest::SHA256, serde_json::to_string(&required).unwrap().as_bytes());
        let ours = PublicKey::from_jwk(public.to_string().as_bytes()).unwrap().thumbprint();
        assert_eq!(base64url::encode(hash.as_ref()), ours.to_string());
    }
}
