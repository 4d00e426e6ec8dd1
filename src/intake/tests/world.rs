//! A founded house in a folder of its own, and Bundles to bring in.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::app::{Chores, House, Means, found};
use crate::chance::SystemChance;
use crate::clock::{TestClock, Timestamp};
use crate::config::{Config, RootConfig, SignInConfig};
use crate::consent::Kept;
use crate::consent::row::ConsentSeal;
use crate::directory::{Client, Organisation, Party, Professional, Profile};
use crate::fhir::Handling;
use crate::id::{ClientId, ConsentId, DeedId, OrganisationId, PatientId, ProfessionalId, StatementId};
use crate::identity::Identifier;
use crate::intake::{Deposited, Receipt, Rejected, Task};

use crate::ledger::{Act, Change, Ground, Personal, Placed};
use crate::model::{
    Bearer, ClinicalScope, Confidentiality, DeviceKind, Grantee, Op, OrganisationKind, Period, Purpose, RecordKey,
    Statement, Subject, Terms,
};
use crate::proof::statement::{self, Evidence};
use crate::proof::{ConsentToken, PublicKey, base64url, consent_token};
use crate::release::Wanted;
use crate::secret::Secret;
use crate::store::turn::{NewRevision, Write};
use crate::vault::Place;

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
pub(super) const SYSTEM: &str = "urn:oid:1.2.250.1.213.1.4.8";
const CLIENT: ClientId = ClientId::from_bytes([3; 16]);
const HOSPITAL: OrganisationId = OrganisationId::from_bytes([4; 16]);
const PHYSICIAN: ProfessionalId = ProfessionalId::from_bytes([5; 16]);

pub(crate) struct World {
    pub(crate) house: Arc<House>,
    _chores: Chores,
    _folder: tempfile::TempDir,
}

pub(crate) async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let databases = crate::db::databases_for_a_test().await;
    let config = Config {
        base_url: "http://localhost:8750/fhir".to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        development: true,
        store: databases.as_ref().map(|[store, _]| store.clone()),
        keystore: databases.map(|[_, keys]| keys),
        root: RootConfig::File { in_production: false },
        readers: 2,
        checkpoint_secs: 3600,
        doors: crate::config::Doors::default(),
        origins: Vec::new(),
        sign_in: SignInConfig::default(),
    };
    let means = Means {
        folder: folder.path().to_owned(),
        config,
        passphrase: Secret::new("a passphrase for tests".to_owned()),
        clock: Arc::new(TestClock::at(NOW)),
        chance: Arc::new(SystemChance::new()),
    };
    let found = found(means).await.unwrap();
    World { house: found.house, _chores: found.chores, _folder: folder }
}

/// A patient with one dated laboratory result, as a transaction.
pub(crate) fn bundle(value: &str) -> String {
    format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[
{{"fullUrl":"urn:uuid:p","resource":{{"resourceType":"Patient","identifier":[{{"system":"{SYSTEM}","value":"{value}"}}],"name":[{{"family":"Dupont"}}]}},"request":{{"method":"POST","url":"Patient"}}}},
{{"fullUrl":"urn:uuid:d","resource":{{"resourceType":"Practitioner","name":[{{"family":"Martin"}}]}},"request":{{"method":"POST","url":"Practitioner"}}}},
{{"fullUrl":"urn:uuid:o","resource": {{"resourceType":"Observation" , "status":"final","code":{{"text":"glucose"}},
  "subject":{{"reference":"urn:uuid:p"}},"performer":[{{"reference":"urn:uuid:d"}}],"effectiveDateTime":"2026-03-01","valueQuantity":{{"value":1.50,"unit":"g/l"}}}},"request":{{"method":"POST","url":"Observation"}}}}
]}}"#
    )
}

/// An Observation about whoever `subject` names.
pub(super) fn observation(subject: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"glucose"}},"subject":{{"reference":"{subject}"}},"valueQuantity":{{"value":1.50}}}}"#
    )
}

/// A transaction of `resources`, each created, with `urn:uuid:0`, `urn:uuid:1` … as their fullUrls.
pub(super) fn transaction(resources: &[String]) -> String {
    let entries: Vec<String> = resources
        .iter()
        .enumerate()
        .map(|(i, resource)| {
            let limits = crate::json::Limits { depth: 200, ..crate::json::Limits::FHIR };
            let node = crate::json::parse(resource.as_bytes(), limits).unwrap();
            let kind = node.text_of("resourceType").unwrap();
            format!(
                r#"{{"fullUrl":"urn:uuid:{i}","resource":{resource},"request":{{"method":"POST","url":"{kind}"}}}}"#
            )
        })
        .collect();
    format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","))
}

pub(super) fn patient(value: &str) -> String {
    format!(r#"{{"resourceType":"Patient","identifier":[{{"system":"{SYSTEM}","value":"{value}"}}]}}"#)
}

impl World {
    pub(super) async fn import(&self, text: &str) -> Result<Option<super::super::Imported>, super::super::Rejected> {
        self.house.intake.import(text.as_bytes().to_vec()).await
    }

    pub(super) async fn enrol(&self, value: &str) -> PatientId {
        self.house.patients.enrol(&[identifier(value)]).await.unwrap()
    }

    pub(super) async fn find(&self, value: &str) -> Option<PatientId> {
        self.house.patients.find(&identifier(value)).await.unwrap()
    }

    /// Takes in a batch that holds nothing but changes.
    pub(super) async fn batch(&self, bearer: &Bearer, bytes: Vec<u8>) -> Vec<Result<Receipt, Rejected>> {
        let Deposited::Each(tasks) = self.house.intake.deposit(bearer, bytes).await.unwrap() else { panic!("whole") };
        let mut done = Vec::new();
        for task in tasks {
            done.push(match task {
                Ok(Task::Take(reading, None)) => self.house.intake.take(bearer, reading).await,
                Ok(other) => panic!("{other:?}"),
                Err(rejected) => Err(rejected),
            });
        }
        done
    }

    /// How many leaves the log has.
    pub(crate) async fn leaves(&self) -> i64 {
        self.house.store.head().await.unwrap().unwrap().size
    }

    /// All texts of one type that the patient themself is shown.
    pub(super) async fn own(&self, patient: PatientId, kind: &str) -> Vec<String> {
        let (base, now) = (&self.house.config.base_url, self.house.clock.now());
        let wanted = Wanted::search(kind, Vec::new(), base, now, Handling::Strict).unwrap();
        let found = self.house.door.search(&themself(patient), patient, &wanted).await.unwrap();
        found.entries.iter().map(|e| String::from_utf8(e.released.as_ref().to_vec()).unwrap()).collect()
    }

    pub(super) async fn read(&self, patient: PatientId, kind: &str, reference: &str) -> String {
        let key: RecordKey = reference.strip_prefix(kind).unwrap()[1..].parse().unwrap();
        let released = self.house.door.read(&themself(patient), kind, key).await.unwrap();
        String::from_utf8(released.as_ref().to_vec()).unwrap()
    }

    /// A hospital with one physician and one piece of software.
    pub(super) async fn hospital(&self) -> Bearer {
        let profession: crate::model::Profession = "10".parse().unwrap();
        let scopes = vec!["*.cruds".parse().unwrap()];
        let parties = [
            Party::Organisation(Organisation {
                id: HOSPITAL,
                kind: OrganisationKind::Care,
                name: "Hospital".into(),
                number: String::new(),
                active: true,
            }),
            Party::Professional(Professional {
                id: PHYSICIAN,
                name: "Physician".into(),
                profession: profession.clone(),
                number: String::new(),
                organisations: vec![HOSPITAL],
                active: true,
            }),
            Party::Client(Client {
                id: CLIENT,
                organisation: HOSPITAL,
                name: "Software".into(),
                profile: Profile::Smart,
                keys: vec![signer().1],
                redirects: Vec::new(),
                logout: String::new(),
                scopes: scopes.clone(),
                active: true,
            }),
        ];
        for party in &parties {
            self.house.enrolments.enrol(party).await.unwrap();
        }
        let professional = Some((PHYSICIAN, profession));
        let subject = Subject::Client { client: CLIENT, organisation: HOSPITAL, professional };
        Bearer { subject, purpose: Purpose::Treat, scopes, only: None }
    }

    /// A consent of `patient` for the hospital, signed, countersigned and recorded as a grant is.
    pub(super) async fn grant(&self, patient: PatientId, scope: &str) -> ConsentId {
        let house = &self.house;
        let (pair, jwk) = signer();
        let device = house.patients.add_device(patient, DeviceKind::Device, &jwk).await.unwrap();
        let consent = ConsentId::random(&*house.chance).unwrap();
        let said = Statement {
            id: StatementId::random(&*house.chance).unwrap(),
            consent,
            revision: 1,
            patient,
            audience: house.config.base_url.clone(),
            issued: NOW,
            language: "en".into(),
            text_hash: "0".repeat(64),
            policy: house.engine.digest_hex(),
            nonce: "AAAAAAAAAAAAAAAAAAAAAAAA".into(),
            op: Op::Grant(terms(scope)),
        }
        .to_bytes();
        let header = format!(r#"{{"typ":"{}","alg":"ES256","kid":"{}"}}"#, statement::TYP, device.id);
        let jws = compact(&pair, &header, &said);
        let token = ConsentToken::of(&said, house.config.issuer(), device.id, "device").unwrap();
        let token = house.keyring.consent_signer().sign(consent_token::TYP, token.to_claims_json().as_bytes()).unwrap();
        let row = house.store.devices(patient).await.unwrap().into_iter().find(|d| d.device == device.id).unwrap();
        let kept = Kept {
            statement: said.clone(),
            evidence: Evidence::Device(jws).to_bytes(),
            enrolment: row.body.into_bytes(),
            enrolment_signature: row.signature,
            token: token.into_bytes(),
        };
        let statement = Statement::parse(&said).unwrap().id;
        self.change(patient, (consent, 1), "active", statement, &kept.to_bytes()).await;
        consent
    }

    /// Ends a consent, as a revocation does.
    pub(super) async fn revoke(&self, patient: PatientId, consent: ConsentId) {
        let statement = StatementId::random(&*self.house.chance).unwrap();
        self.change(patient, (consent, 2), "ended", statement, b"revoked").await;
    }

    async fn change(
        &self,
        patient: PatientId,
        (consent, revision): (ConsentId, i64),
        state: &'static str,
        statement: StatementId,
        evidence: &[u8],
    ) {
        let house = &self.house;
        let keys = house.keyring.unwrapper().keys(patient).await.unwrap();
        let place = Place::evidence(patient, consent, revision);
        let evidence = house.keyring.sealer().seal(&keys, &place, evidence).unwrap();
        let grantee = house.keyring.indexer().grantee(patient, &Grantee::Organisation(HOSPITAL));
        let seal = ConsentSeal { patient, consent, revision, state, grantee: &grantee, evidence: &evidence }
            .make(&house.keyring.row_mac())
            .to_vec();
        let id = DeedId::ordered(&*house.clock, &*house.chance).unwrap();
        let ends = state == "ended";
        let about = Personal { patient: Some(patient), route: "test".into(), ..Personal::default() };
        let act = if ends { Act::Revoke } else { Act::Grant };
        let mut deed = house.ledger.prepare(id, act, about, Some(&keys)).await.unwrap();
        deed.ground = Ground::Oneself;
        deed.basis = vec![crate::ledger::entry::Basis { consent, revision }];
        deed.change = Some(Change { consent, makes: revision, ends });
        let new = NewRevision { patient, consent, revision, state, grantee, seal, statement, evidence };
        deed.writes = vec![Write::Consent(new)];
        assert!(matches!(house.ledger.record(deed).await.unwrap(), Placed::Done { .. }));
    }
}

pub(super) fn identifier(value: &str) -> Identifier {
    Identifier { system: SYSTEM.into(), value: value.into() }
}

pub(super) fn themself(patient: PatientId) -> Bearer {
    Bearer {
        subject: Subject::Patient(patient),
        purpose: Purpose::Patrqt,
        scopes: vec!["*.rs".parse::<ClinicalScope>().unwrap()],
        only: None,
    }
}

fn terms(scope: &str) -> Terms {
    let mut scope: Vec<ClinicalScope> = scope.split(' ').map(|s| s.parse().unwrap()).collect();
    scope.sort();
    Terms {
        grantee: Grantee::Organisation(HOSPITAL),
        scope,
        purpose: vec![Purpose::Treat],
        confidentiality: Confidentiality::N,
        sensitivity: Vec::new(),
        authored: Period::ALWAYS,
        valid: Period { from: NOW, to: NOW.plus_secs(3600) },
    }
}

#[expect(clippy::disallowed_methods, reason = "ring signs with its own generator only")]
fn rng() -> SystemRandom {
    SystemRandom::new()
}

fn signer() -> (EcdsaKeyPair, String) {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &rng()).unwrap();
    let jwk = PublicKey::from_bytes(pair.public_key().as_ref()).unwrap().to_jwk();
    (pair, jwk)
}

fn compact(pair: &EcdsaKeyPair, header: &str, payload: &[u8]) -> String {
    let signed = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload));
    let signature = pair.sign(&rng(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", base64url::encode(signature.as_ref()))
}
