//! Makes keys, tokens and proofs, good ones and whatever an attacker would write.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::chance::SeededChance;
use crate::clock::Timestamp;
use crate::id::{ClientId, ConsentId, DeviceId, OrganisationId, PatientId, ProfessionalId, StatementId};
use crate::model::{Coding, Confidentiality, Grantee, Op, Period, Purpose, Statement, Terms};
use crate::proof::webauthn::{Assertion, challenge_of};
use crate::proof::{AccessToken, ConsentToken, Iua, PublicKey, Site, Window, access_token, base64url, consent_token};

pub(in crate::proof) const NOW: Timestamp = Timestamp::from_secs(1_790_000_100);
pub(in crate::proof) const ISSUER: &str = "https://as.example";
pub(in crate::proof) const TOKEN_URL: &str = "https://as.example/token";
pub(in crate::proof) const BASE: &str = "https://store.example/fhir";
pub(in crate::proof) const URL: &str = "https://store.example/fhir/Patient/p1";
pub(in crate::proof) const ORIGIN: &str = "https://health.example";

#[expect(clippy::disallowed_methods, reason = "ring signs with its own generator only")]
fn rng() -> SystemRandom {
    SystemRandom::new()
}

pub(in crate::proof) struct Pair {
    fixed: EcdsaKeyPair,
    asn1: EcdsaKeyPair,
}

pub(in crate::proof) fn p256() -> (Pair, PublicKey) {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng()).unwrap();
    let pair = |alg| EcdsaKeyPair::from_pkcs8(alg, pkcs8.as_ref(), &rng()).unwrap();
    let fixed = pair(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let key = PublicKey::from_bytes(fixed.public_key().as_ref()).unwrap();
    (Pair { fixed, asn1: pair(&ECDSA_P256_SHA256_ASN1_SIGNING) }, key)
}

pub(in crate::proof) fn sign_es256(pair: &Pair, message: &[u8]) -> Vec<u8> {
    pair.fixed.sign(&rng(), message).unwrap().as_ref().to_vec()
}

pub(in crate::proof) fn sign_der(pair: &Pair, message: &[u8]) -> Vec<u8> {
    pair.asn1.sign(&rng(), message).unwrap().as_ref().to_vec()
}

/// A compact JWS with exactly this header and payload, really signed.
pub(in crate::proof) fn compact(pair: &Pair, header: &str, payload: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload.as_ref()));
    let signature = base64url::encode(&sign_es256(pair, signed.as_bytes()));
    format!("{signed}.{signature}")
}

pub(in crate::proof) fn header(typ: &str) -> String {
    format!(r#"{{"typ":"{typ}","alg":"ES256","kid":"k1"}}"#)
}

pub(in crate::proof) fn client() -> ClientId {
    ClientId::from_bytes([7; 16])
}

pub(in crate::proof) fn device() -> DeviceId {
    DeviceId::from_bytes([9; 16])
}

pub(in crate::proof) fn access() -> AccessToken {
    AccessToken {
        issuer: ISSUER.into(),
        audience: BASE.into(),
        subject: client().to_string(),
        client: client(),
        issued: NOW.plus_secs(-60),
        expires: NOW.plus_secs(240),
        id: "9b1f".into(),
        scope: "system/Observation.rs system/DocumentReference.rs".into(),
        patient: Some(PatientId::from_bytes([1; 16])),
        bound_to: Some("JIFzRmtT3CQXlfja8Q4qPA3E02RNREdnkgYRt10fmSA".parse().unwrap()),
        iua: Iua {
            organisation: Some("urn:oid:1.2.250.1.71.4.2.2|1".into()),
            professional: Some("810000000001".into()),
            role: Some(Coding { system: "urn:oid:1.2.250.1.213.1.1.5.5".into(), code: "10".into() }),
            purpose: Some(Purpose::Treat),
        },
        person: Some(crate::proof::Behind {
            grant: crate::id::GrantId::from_bytes([8; 16]),
            authenticated: NOW.plus_secs(-70),
            acr: Some("eidas2".into()),
        }),
    }
}

pub(in crate::proof) fn expected_access() -> access_token::Expected<'static> {
    access_token::Expected { issuer: ISSUER, audience: BASE, window: Window::of_ours(NOW, 300), memo: None }
}

/// Verifies as `k1` under `key`.
pub(in crate::proof) fn check_access(token: &str, key: PublicKey) -> Result<AccessToken, crate::proof::Refused> {
    access_token::verify(token, &expected_access(), |kid| (kid == "k1").then_some(key))
}

pub(in crate::proof) fn assertion_claims() -> String {
    let client = client();
    let now = NOW.secs();
    format!(
        r#"{{"iss":"{client}","sub":"{client}","aud":"{ISSUER}","iat":{now},"nbf":{now},"exp":{},"jti":"a-001","extensions":{{"ihe_iua":{{"national_provider_identifier":"810000000001","purpose_of_use":[{{"system":"{}","code":"TREAT"}}]}}}}}}"#,
        now + 60,
        Purpose::SYSTEM
    )
}

pub(in crate::proof) fn dpop_header(key: &PublicKey) -> String {
    format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{}}}"#, key.to_jwk())
}

pub(in crate::proof) fn dpop_claims(access_token: &str) -> String {
    let ath = crate::proof::dpop::token_hash(access_token);
    format!(r#"{{"jti":"dp-1","htm":"GET","htu":"{URL}","iat":{},"ath":"{ath}"}}"#, NOW.secs())
}

pub(in crate::proof) fn statement(op_revokes: bool) -> Vec<u8> {
    let chance = SeededChance::new(5);
    let from = NOW.plus_secs(-100);
    let grant = Op::Grant(Terms {
        grantee: Grantee::Role(OrganisationId::random(&chance).unwrap(), "10".parse().unwrap()),
        scope: vec!["DocumentReference.rs".parse().unwrap(), "Observation.rs".parse().unwrap()],
        purpose: vec![Purpose::Treat],
        confidentiality: Confidentiality::N,
        sensitivity: vec![],
        authored: Period::ALWAYS,
        valid: Period { from, to: from.plus_secs(7_776_000) },
    });
    Statement {
        id: StatementId::random(&chance).unwrap(),
        consent: ConsentId::random(&chance).unwrap(),
        revision: 1,
        patient: PatientId::from_bytes([1; 16]),
        audience: BASE.into(),
        issued: from,
        language: "fr".into(),
        text_hash: "a".repeat(64),
        policy: "b".repeat(64),
        nonce: "n".repeat(22),
        op: if op_revokes { Op::Exclude(ProfessionalId::random(&chance).unwrap()) } else { grant },
    }
    .to_bytes()
}

pub(in crate::proof) fn consent() -> ConsentToken {
    ConsentToken::of(&statement(false), ISSUER, device(), "device").unwrap()
}

pub(in crate::proof) fn expected_consent() -> consent_token::Expected<'static> {
    consent_token::Expected { issuer: ISSUER, audience: BASE, window: Window::of_others(NOW, 7_776_000), memo: None }
}

pub(in crate::proof) fn check_consent(token: &str, key: PublicKey) -> Result<ConsentToken, crate::proof::Refused> {
    consent_token::verify(token, &expected_consent(), |kid| (kid == "k1").then_some(key))
}

pub(in crate::proof) fn device_jws(pair: &Pair, statement: &[u8]) -> String {
    compact(pair, &format!(r#"{{"alg":"ES256","kid":"{}","typ":"consent-statement+jws"}}"#, device()), statement)
}

pub(in crate::proof) fn site() -> Site {
    Site { rp_id: "health.example".into(), origins: vec![ORIGIN.into()] }
}

/// authenticatorData for `rp_id` with these flags and a counter of 7.
pub(in crate::proof) fn authenticator_data(rp_id: &str, flags: u8) -> Vec<u8> {
    let mut data = ring::digest::digest(&ring::digest::SHA256, rp_id.as_bytes()).as_ref().to_vec();
    data.extend([flags, 0, 0, 0, 7]);
    data
}

pub(in crate::proof) fn client_data(statement: &[u8]) -> String {
    let challenge = base64url::encode(&challenge_of(statement));
    format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{ORIGIN}","crossOrigin":false}}"#)
}

/// An assertion over exactly these parts, really signed.
pub(in crate::proof) fn assertion(pair: &Pair, authenticator_data: Vec<u8>, client_data: &str) -> Assertion {
    let mut signed = authenticator_data.clone();
    signed.extend_from_slice(ring::digest::digest(&ring::digest::SHA256, client_data.as_bytes()).as_ref());
    Assertion {
        credential: b"credential-1".to_vec(),
        authenticator_data,
        client_data: client_data.as_bytes().to_vec(),
        signature: sign_der(pair, &signed),
        user_handle: Some(b"handle-1".to_vec()),
    }
}
