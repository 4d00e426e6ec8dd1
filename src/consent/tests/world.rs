//! A founded house with a hospital, an insurer, their people and software, and patients who sign.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::app::{Chores, House, Means, found};
use crate::chance::SystemChance;
use crate::clock::{TestClock, Timestamp};
use crate::config::{Config, RootConfig, SignInConfig};
use crate::consent::{ConsentError, ConsentReceipt, Draft, Language, Signed, Wish};
use crate::directory::{Client, Organisation, Party, Professional, Profile};
use crate::fhir::SearchValues;
use crate::id::{ClientId, DeedId, DeviceId, OrganisationId, PatientId, ProfessionalId, RecordId};
use crate::ledger::entry::Entry;
use crate::ledger::law::Law;
use crate::ledger::{Act, Personal};
use crate::model::{
    Bearer, Confidentiality, DeviceKind, Grantee, OrganisationKind, Period, Purpose, RecordClass, RecordFacts,
    RecordKey, Subject, Terms,
};
use crate::proof::webauthn::{Assertion, challenge_of};
use crate::proof::{Evidence, PublicKey, base64url};
use crate::release::Withheld;
use crate::secret::Secret;
use crate::store::turn::{NewRecord, Write};
use crate::vault::Place;

pub(crate) const START: Timestamp = Timestamp::from_secs(1_790_000_000);
pub(crate) const ORIGIN: &str = "https://sante.example";
pub(crate) const DAY: i64 = 86_400;

#[expect(clippy::disallowed_methods, reason = "ring signs with its own generator only")]
fn rng() -> SystemRandom {
    SystemRandom::new()
}

pub(crate) struct World {
    pub(crate) house: Arc<House>,
    pub(crate) clock: TestClock,
    pub(crate) hospital: OrganisationId,
    pub(crate) insurer: OrganisationId,
    pub(crate) martin: ProfessionalId,
    pub(crate) nurse: ProfessionalId,
    chores: Chores,
    _folder: tempfile::TempDir,
}

/// A patient with a key.
pub(crate) struct Me {
    pub(crate) patient: PatientId,
    pub(crate) device: DeviceId,
    pub(crate) pkcs8: Vec<u8>,
}

pub(crate) fn hospital_client() -> ClientId {
    ClientId::from_bytes([11; 16])
}

fn professional(id: ProfessionalId, name: &str, code: &str, at: &[OrganisationId]) -> Party {
    Party::Professional(Professional {
        id,
        name: name.into(),
        profession: code.parse().unwrap(),
        number: String::new(),
        organisations: at.to_vec(),
        active: true,
    })
}

fn client(id: ClientId, organisation: OrganisationId) -> Party {
    Party::Client(Client {
        id,
        organisation,
        name: "Logiciel".into(),
        profile: Profile::Smart,
        keys: vec![r#"{"kty":"EC"}"#.into()],
        redirects: Vec::new(),
        logout: String::new(),
        scopes: vec!["*.cruds".parse().unwrap()],
        active: true,
    })
}

fn organisation(id: OrganisationId, name: &str, kind: OrganisationKind) -> Party {
    Party::Organisation(Organisation { id, kind, name: name.into(), number: String::new(), active: true })
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let databases = crate::db::databases_for_a_test().await;
        let clock = TestClock::at(START);
        let config = Config {
            base_url: "https://garant.example/fhir".into(),
            listen: ([127, 0, 0, 1], 0).into(),
            development: false,
            store: databases.as_ref().map(|[store, _]| store.clone()),
            keystore: databases.map(|[_, keys]| keys),
            root: RootConfig::File { in_production: true },
            readers: 4,
            checkpoint_secs: 3600,
            doors: crate::config::Doors::default(),
            origins: vec![ORIGIN.into()],
            sign_in: SignInConfig::default(),
        };
        let found = found(Means {
            folder: folder.path().to_owned(),
            config,
            passphrase: Secret::new("correct horse battery staple".to_owned()),
            clock: Arc::new(clock.clone()),
            chance: Arc::new(SystemChance::new()),
        });
        let found = found.await.unwrap();
        let world = Self {
            house: found.house,
            clock,
            hospital: OrganisationId::from_bytes([1; 16]),
            insurer: OrganisationId::from_bytes([2; 16]),
            martin: ProfessionalId::from_bytes([3; 16]),
            nurse: ProfessionalId::from_bytes([4; 16]),
            chores: found.chores,
            _folder: folder,
        };
        for party in [
            organisation(world.hospital, "Hôpital Nord", OrganisationKind::Care),
            organisation(world.insurer, "Mutuelle Sud", OrganisationKind::Insurer),
            professional(world.martin, "Dr Martin", "10", &[world.hospital]),
            professional(world.nurse, "Jeanne Petit", "60", &[world.hospital]),
            client(hospital_client(), world.hospital),
            client(ClientId::from_bytes([12; 16]), world.insurer),
        ] {
            world.house.enrolments.enrol(&party).await.unwrap();
        }
        world
    }

    /// The registry gives Dr Martin another name.
    pub(crate) async fn rename_martin(&self, name: &str) {
        const SQL: &str = "UPDATE party SET revision = 2, body = $1, signature = $2 WHERE party = $3";
        let party = professional(self.martin, name, "10", &[self.hospital]);
        let body = party.to_body(2);
        let signature = self.house.keyring.registry_signer().sign(body.as_bytes()).unwrap().to_vec();
        let args = vec![body.into(), signature.into(), self.martin.as_bytes().to_vec().into()];
        self.house.store.db().transact("test", vec![(SQL, args)]).await.unwrap();
    }

    /// A new patient with a device.
    pub(crate) async fn patient(&self) -> Me {
        let patient = self.house.patients.enrol(&[]).await.unwrap();
        self.device_of(patient, DeviceKind::Device).await
    }

    /// Another key for `patient`.
    pub(crate) async fn device_of(&self, patient: PatientId, kind: DeviceKind) -> Me {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng()).unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &rng()).unwrap();
        let key = PublicKey::from_bytes(pair.public_key().as_ref()).unwrap().to_jwk();
        let device = self.house.patients.add_device(patient, kind, &key).await.unwrap().id;
        Me { patient, device, pkcs8 }
    }

    pub(crate) fn passkey() -> DeviceKind {
        DeviceKind::Passkey {
            credential: base64url::encode(b"credential-1"),
            rp_id: "sante.example".into(),
            origins: vec![ORIGIN.into()],
        }
    }

    /// One year of these scopes for Dr Martin's treatment.
    pub(crate) fn terms(&self, scope: &[&str]) -> Terms {
        self.terms_for(Grantee::Professional(self.martin), Purpose::Treat, scope)
    }

    pub(crate) fn terms_for(&self, grantee: Grantee, purpose: Purpose, scope: &[&str]) -> Terms {
        let from = Timestamp::from_secs(self.house.clock.now().secs());
        Terms {
            grantee,
            scope: scope.iter().map(|s| s.parse().unwrap()).collect(),
            purpose: vec![purpose],
            confidentiality: Confidentiality::N,
            sensitivity: vec![],
            authored: Period::ALWAYS,
            valid: Period { from, to: from.plus_secs(365 * DAY) },
        }
    }

    pub(crate) async fn draft(&self, me: &Me, wish: Wish) -> Result<Draft, ConsentError> {
        self.house.consents.prepare(me.patient, wish, Language::Fr).await
    }

    /// Prepares, signs with the patient's device, and hands it in.
    pub(crate) async fn done(&self, me: &Me, wish: Wish) -> Result<ConsentReceipt, ConsentError> {
        let draft = self.draft(me, wish).await?;
        self.house.consents.sign(me.patient, &me.signed(&draft.statement)).await
    }

    pub(crate) async fn granted(&self, me: &Me, scope: &[&str]) -> ConsentReceipt {
        self.done(me, Wish::Grant(self.terms(scope))).await.unwrap()
    }

    /// Admits a record of `me`, as `change` makes its facts.
    pub(crate) async fn admit(&self, me: &Me, kind: &str, change: impl FnOnce(&mut RecordFacts)) -> RecordKey {
        let house = &self.house;
        let key = RecordKey { patient: me.patient, record: RecordId::random(&*house.chance).unwrap() };
        let mut facts = RecordFacts {
            key,
            version: 1,
            resource_type: kind.into(),
            class: RecordClass::Medical,
            confidentiality: Confidentiality::N,
            sensitivities: vec![],
            categories: vec![],
            document_types: vec![],
            authored: None,
            visibility: vec![],
            announced: None,
            author: None,
        };
        change(&mut facts);
        let keys = house.keyring.unwrapper().keys(me.patient).await.unwrap();
        let seal = |place, bytes: &[u8]| house.keyring.sealer().seal(&keys, &place, bytes).unwrap();
        let record = NewRecord {
            patient: me.patient,
            record: key.record,
            kind: house.keyring.indexer().kind(me.patient, kind),
            facts: seal(Place::facts(key, 1), &facts.to_bytes()),
            found: seal(Place::found(key, 1), &SearchValues::default().to_bytes()),
            sealed: seal(Place::content(key, 1), b"{}"),
            at: house.clock.now(),
        };
        let about = Personal { patient: Some(me.patient), route: "test/admit".into(), ..Personal::default() };
        let id = DeedId::ordered(&*house.clock, &*house.chance).unwrap();
        let mut deed = house.ledger.prepare(id, Act::Admit, about, Some(&keys)).await.unwrap();
        deed.writes.push(Write::Record(record));
        house.ledger.record(deed).await.unwrap();
        key
    }

    /// A good token of the hospital's software for one of its people.
    pub(crate) fn bearer(&self, who: ProfessionalId) -> Bearer {
        let profession = if who == self.nurse { "60" } else { "10" };
        Bearer {
            subject: Subject::Client {
                client: hospital_client(),
                organisation: self.hospital,
                professional: Some((who, profession.parse().unwrap())),
            },
            purpose: Purpose::Treat,
            scopes: vec!["*.cruds".parse().unwrap()],
            only: None,
        }
    }

    pub(crate) fn insurers(&self) -> Bearer {
        Bearer {
            subject: Subject::Client {
                client: ClientId::from_bytes([12; 16]),
                organisation: self.insurer,
                professional: None,
            },
            purpose: Purpose::Hpaymt,
            scopes: vec!["*.cruds".parse().unwrap()],
            only: None,
        }
    }

    /// Whether a read is let through; anything but a yes or a plain no is a failure of the test.
    pub(crate) async fn reads(&self, bearer: &Bearer, kind: &str, key: RecordKey) -> bool {
        match self.house.door.read(bearer, kind, key).await {
            Ok(_) => true,
            Err(Withheld::Hidden) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    pub(crate) async fn leaves(&self) -> Vec<Entry> {
        let rows = self.house.store.leaves(0, i64::MAX).await.unwrap();
        rows.iter().map(|row| Entry::parse(&row.entry).unwrap()).collect()
    }

    /// Replays the house law over the whole log; every test ends here.
    pub(crate) async fn end(self) {
        let mut law = Law::new();
        for entry in self.leaves().await {
            law.take(&entry).unwrap();
        }
        drop(self.house);
        self.chores.end().await;
    }
}

impl Me {
    pub(crate) fn signed(&self, statement: &[u8]) -> Signed {
        Signed {
            statement: statement.to_vec(),
            evidence: Evidence::Device(self.jws(self.device, statement)),
            answers: None,
        }
    }

    pub(crate) fn jws(&self, kid: DeviceId, statement: &[u8]) -> String {
        let header = format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"consent-statement+jws"}}"#);
        let said = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(statement));
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8, &rng()).unwrap();
        format!("{said}.{}", base64url::encode(pair.sign(&rng(), said.as_bytes()).unwrap().as_ref()))
    }

    /// What a passkey answers on `origin`, with these flags.
    pub(crate) fn assertion(&self, statement: &[u8], origin: &str, flags: u8) -> Signed {
        self.counted(statement, (origin, flags), 0)
    }

    /// The same with a signature counter.
    pub(crate) fn counted(&self, statement: &[u8], (origin, flags): (&str, u8), counter: u32) -> Signed {
        let challenge = base64url::encode(&challenge_of(statement));
        let client_data = format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{origin}"}}"#);
        let sha256 = |bytes: &[u8]| ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().to_vec();
        let mut data = sha256(b"sante.example");
        data.push(flags);
        data.extend(counter.to_be_bytes());
        let said = [data.clone(), sha256(client_data.as_bytes())].concat();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8, &rng()).unwrap();
        let assertion = Assertion {
            credential: b"credential-1".to_vec(),
            authenticator_data: data,
            client_data: client_data.into_bytes(),
            signature: pair.sign(&rng(), &said).unwrap().as_ref().to_vec(),
            user_handle: Some(self.patient.as_bytes().to_vec()),
        };
        Signed { statement: statement.to_vec(), evidence: Evidence::Passkey(assertion), answers: None }
    }
}
