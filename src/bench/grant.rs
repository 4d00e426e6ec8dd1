//! A consent as a patient gives and ends it, with every signature that the house verifies.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::{BASE_URL, Trouble};
use crate::app::House;
use crate::chance;
use crate::clock::Timestamp;
use crate::consent::Kept;
use crate::consent::row::ConsentSeal;
use crate::id::{ConsentId, DeedId, DeviceId, PatientId, ProfessionalId, StatementId};
use crate::ledger::{Act, Basis, Change, Ground, Personal, Placed};
use crate::model::{Confidentiality, Device, DeviceKind, Grantee, Op, Period, Purpose, Statement, Terms};
use crate::proof::key::Algorithm;
use crate::proof::statement::{Evidence, TYP};
use crate::proof::{ConsentToken, PublicKey, base64url, consent_token, jws};
use crate::store::turn::{NewRevision, Write};
use crate::vault::{PatientKeys, Place};

/// How long the consents of this room hold.
const SECONDS: i64 = 30 * 86_400;

/// Gives `professional` the reading of Observations.
pub(super) async fn grant(
    house: &House,
    patient: PatientId,
    keys: &PatientKeys,
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
    let consent = ConsentId::random(&*house.chance).map_err(Trouble::filling)?;
    let said = statement(house, patient, (consent, 1), Op::Grant(terms))?;
    let kept = evidence(house, &said, &device, &pair)?;
    let tag = house.keyring.indexer().grantee(patient, &Grantee::Professional(professional));
    write(house, &said, &kept, keys, (Act::Grant, tag)).await?;
    Ok(consent)
}

/// Ends a consent that [`grant`] gave.
pub(super) async fn revoke(
    house: &House,
    patient: PatientId,
    consent: ConsentId,
    professional: ProfessionalId,
) -> Result<(), Trouble> {
    let keys = house.keyring.keys(patient).await.map_err(Trouble::filling)?;
    let said = statement(house, patient, (consent, 2), Op::Revoke)?;
    let kept = Kept { statement: said.to_bytes(), ..Kept::default() };
    let tag = house.keyring.indexer().grantee(patient, &Grantee::Professional(professional));
    write(house, &said, &kept, &keys, (Act::Revoke, tag)).await
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

fn statement(
    house: &House,
    patient: PatientId,
    (consent, revision): (ConsentId, i64),
    op: Op,
) -> Result<Statement, Trouble> {
    let nonce = chance::bytes::<32>(&*house.chance).map_err(Trouble::filling)?;
    Ok(Statement {
        id: StatementId::random(&*house.chance).map_err(Trouble::filling)?,
        consent,
        revision,
        patient,
        audience: BASE_URL.to_owned(),
        issued: Timestamp::from_secs(house.clock.now().secs()),
        language: "fr".to_owned(),
        text_hash: "0".repeat(64),
        policy: house.engine.digest_hex(),
        nonce: base64url::encode(&nonce),
        op,
    })
}

fn evidence(house: &House, said: &Statement, device: &Device, pair: &EcdsaKeyPair) -> Result<Kept, Trouble> {
    let statement = said.to_bytes();
    let input = jws::signing_input(TYP, Algorithm::Es256, &device.id.to_string(), &statement);
    let signature = pair.sign(&generator(), input.as_bytes()).map_err(Trouble::filling)?;
    let evidence = Evidence::Device(jws::with_signature(input, signature.as_ref()));
    let enrolment = device.to_body().into_bytes();
    let token = token(house, &statement, device.id)?;
    Ok(Kept {
        evidence: evidence.to_bytes(),
        enrolment_signature: house.keyring.registry_signer().sign(&enrolment).map_err(Trouble::filling)?.to_vec(),
        enrolment,
        token: token.into_bytes(),
        statement,
    })
}

fn token(house: &House, statement: &[u8], device: DeviceId) -> Result<String, Trouble> {
    let token = ConsentToken::of(statement, house.config.issuer(), device, "device")
        .ok_or_else(|| Trouble::filling("the statement gives no access"))?;
    let signer = house.keyring.consent_signer();
    signer.sign(consent_token::TYP, token.to_claims_json().as_bytes()).map_err(Trouble::filling)
}

async fn write(
    house: &House,
    said: &Statement,
    kept: &Kept,
    keys: &PatientKeys,
    (act, grantee): (Act, [u8; 16]),
) -> Result<(), Trouble> {
    let (patient, consent, revision) = (said.patient, said.consent, said.revision);
    let ends = act == Act::Revoke;
    let state = if ends { "ended" } else { "active" };
    let place = Place::evidence(patient, consent, revision);
    let evidence = house.keyring.sealer().seal(keys, &place, &kept.to_bytes()).map_err(Trouble::filling)?;
    let seal = ConsentSeal { patient, consent, revision, state, grantee: &grantee, evidence: &evidence };
    let seal = seal.make(&house.keyring.row_mac()).to_vec();
    let id = DeedId::ordered(&*house.clock, &*house.chance).map_err(Trouble::filling)?;
    let about = Personal { patient: Some(patient), route: "bench/consent".to_owned(), ..Personal::default() };
    let mut deed = house.ledger.prepare(id, act, about, Some(keys)).await.map_err(Trouble::filling)?;
    deed.ground = Ground::Oneself;
    deed.basis = vec![Basis { consent, revision }];
    deed.change = Some(Change { consent, makes: revision, ends });
    let statement = said.id;
    deed.writes =
        vec![Write::Consent(NewRevision { patient, consent, revision, state, grantee, seal, statement, evidence })];
    match house.ledger.record(deed).await.map_err(Trouble::filling)? {
        Placed::Done { .. } => Ok(()),
        Placed::Stale => Err(Trouble::filling("the consent had changed")),
    }
}
