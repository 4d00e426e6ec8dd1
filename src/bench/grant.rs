//! A consent as a patient gives it: prepared by the house, signed by a device, taken by the house.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::Trouble;
use crate::app::House;
use crate::clock::Timestamp;
use crate::consent::{Signed, Wish};
use crate::id::{ConsentId, PatientId, ProfessionalId};
use crate::model::{Confidentiality, DeviceKind, Grantee, Language, Period, Purpose, Terms};
use crate::proof::key::Algorithm;
use crate::proof::statement::{Evidence, TYP};
use crate::proof::{PublicKey, jws};

/// How long the consents of this room hold.
const SECONDS: i64 = 30 * 86_400;

/// Gives `professional` the reading of Observations.
pub(super) async fn grant(
    house: &House,
    patient: PatientId,
    professional: ProfessionalId,
) -> Result<ConsentId, Trouble> {
    let (pair, key) = key_pair()?;
    let kind = DeviceKind::Device;
    let device = house.patients.add_device(patient, kind, &key.to_jwk()).await.map_err(Trouble::filling)?;
    let from = Timestamp::from_secs(house.clock.now().secs());
    let terms = Terms {
        grantee: Grantee::Professional(professional),
        scope: vec!["Observation.rs".parse().map_err(Trouble::filling)?],
        purpose: vec![Purpose::Treat],
        confidentiality: Confidentiality::N,
        sensitivity: Vec::new(),
        authored: Period::ALWAYS,
        valid: Period { from, to: from.plus_secs(SECONDS) },
    };
    let draft = house.consents.prepare(patient, Wish::Grant(terms), Language::Fr).await.map_err(Trouble::filling)?;
    let input = jws::signing_input(TYP, Algorithm::Es256, &device.id.to_string(), &draft.statement);
    let signature = pair.sign(&generator(), input.as_bytes()).map_err(Trouble::filling)?;
    let evidence = Evidence::Device(jws::with_signature(input, signature.as_ref()));
    let signed = Signed { statement: draft.statement, evidence, answers: None };
    Ok(house.consents.sign(patient, &signed).await.map_err(Trouble::filling)?.consent)
}

#[expect(clippy::disallowed_methods, reason = "ring signs with its own generator only")]
fn generator() -> SystemRandom {
    SystemRandom::new()
}

fn key_pair() -> Result<(EcdsaKeyPair, PublicKey), Trouble> {
    let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(alg, &generator()).map_err(Trouble::filling)?;
    let pair = EcdsaKeyPair::from_pkcs8(alg, pkcs8.as_ref(), &generator()).map_err(Trouble::filling)?;
    let key = PublicKey::from_bytes(pair.public_key().as_ref()).map_err(Trouble::filling)?;
    Ok((pair, key))
}
