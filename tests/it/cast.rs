//! The people of the tests: a patient who signs, a clinic that asks, their records, consents and tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garant::app::House;
use garant::clock::Timestamp;
use garant::consent::{ConsentReceipt, Language, Signed, Wish};
use garant::directory::{Client, Organisation, Party, Professional, Profile};
use garant::fhir::Handling;
use garant::id::{ClientId, ConsentId, OrganisationId, PatientId, ProfessionalId, RecordId};
use garant::identity::{Identifier, TokenRequest};
use garant::model::{
    Bearer, Confidentiality, Device, DeviceKind, Grantee, OrganisationKind, Period, Purpose, RecordKey, Subject, Terms,
};
use garant::proof::{Evidence, PublicKey, statement};
use garant::release::{Released, Wanted, Withheld};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

/// A P-256 key that signs compact JWS.
pub struct Key {
    pair: EcdsaKeyPair,
    pub jwk: String,
}

impl Key {
    pub fn new() -> Self {
        let chance = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &chance).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &chance).unwrap();
        let jwk = PublicKey::from_bytes(pair.public_key().as_ref()).unwrap().to_jwk();
        Self { pair, jwk }
    }

    pub fn jws(&self, typ: &str, kid: &str, payload: &[u8]) -> String {
        self.compact(&serde_json::json!({ "alg": "ES256", "kid": kid, "typ": typ }), payload)
    }

    /// A compact JWS with exactly this header.
    pub fn compact(&self, header: &serde_json::Value, payload: &[u8]) -> String {
        let header = header.to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// A patient with a device of their own.
pub struct Patient {
    pub id: PatientId,
    pub device: Device,
    pub key: Key,
}

/// An organisation with one professional and one piece of software.
pub struct Clinic {
    pub organisation: OrganisationId,
    pub professional: ProfessionalId,
    pub client: ClientId,
    pub key: Key,
    pub scopes: &'static [&'static str],
}

/// Where the clinic's software takes people back.
pub const REDIRECT: &str = "https://app.example/cb";
pub const SCOPES: [&str; 2] = ["Condition.cruds", "Observation.cruds"];

/// What a client may ask of the types that the house makes itself; no consent speaks of them.
pub const OF_THE_HOUSE: [&str; 3] = ["AuditEvent.rs", "Consent.crs", "Provenance.rs"];

impl Patient {
    pub async fn enrol(house: &House) -> Self {
        let id = garant::id::StatementId::random(&*house.chance).unwrap();
        let identifier = Identifier { system: "urn:oid:1.2.250.1.213.1.4.11".to_owned(), value: id.to_string() };
        let patient = house.patients.enrol(&[identifier]).await.unwrap();
        Self::with_device(house, patient).await
    }

    pub async fn with_device(house: &House, id: PatientId) -> Self {
        let key = Key::new();
        let device = house.patients.add_device(id, DeviceKind::Device, &key.jwk).await.unwrap();
        Self { id, device, key }
    }
}

impl Clinic {
    pub async fn enrol(house: &House) -> Self {
        Self::of_kind(house, OrganisationKind::Care).await
    }

    pub async fn of_kind(house: &House, kind: OrganisationKind) -> Self {
        Self::with_scopes(house, kind, &SCOPES).await
    }

    pub async fn with_scopes(house: &House, kind: OrganisationKind, scopes: &'static [&'static str]) -> Self {
        let clinic = Self {
            organisation: OrganisationId::random(&*house.chance).unwrap(),
            professional: ProfessionalId::random(&*house.chance).unwrap(),
            client: ClientId::random(&*house.chance).unwrap(),
            key: Key::new(),
            scopes,
        };
        let organisation = Party::Organisation(Organisation {
            id: clinic.organisation,
            kind,
            name: "Clinique du Port".to_owned(),
            number: String::new(),
            active: true,
        });
        let professional = Party::Professional(Professional {
            id: clinic.professional,
            name: "Dr Anne Lebrun".to_owned(),
            profession: "10".parse().unwrap(),
            number: String::new(),
            organisations: vec![clinic.organisation],
            active: true,
        });
        let client = Party::Client(Client {
            id: clinic.client,
            organisation: clinic.organisation,
            name: "Logiciel".to_owned(),
            profile: Profile::Smart,
            keys: vec![clinic.key.jwk.clone()],
            redirects: vec![REDIRECT.to_owned()],
            logout: String::new(),
            scopes: scopes.iter().chain(&OF_THE_HOUSE).map(|s| s.parse().unwrap()).collect(),
            active: true,
        });
        for party in [organisation, professional, client] {
            house.enrolments.enrol(&party).await.unwrap();
        }
        clinic
    }

    /// The same with software that may ask for `scope`.
    pub async fn with_software(self, house: &House, scope: &str) -> Self {
        let client = ClientId::random(&*house.chance).unwrap();
        let party = Party::Client(Client {
            id: client,
            organisation: self.organisation,
            name: "Logiciel".to_owned(),
            profile: Profile::Smart,
            keys: vec![self.key.jwk.clone()],
            redirects: Vec::new(),
            logout: String::new(),
            scopes: vec![scope.parse().unwrap()],
            active: true,
        });
        house.enrolments.enrol(&party).await.unwrap();
        Self { client, ..self }
    }

    /// A token for `scope`, without HTTP.
    pub async fn token_for(&self, house: &House, scope: &str) -> String {
        let assertion = self.assertion(house.config.issuer(), house.clock.now());
        let scope = format!("system/{scope}");
        let request = TokenRequest {
            grant_type: "client_credentials",
            assertion_type: Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            assertion: Some(&assertion),
            scope: &scope,
            ..TokenRequest::default()
        };
        house.issuer.issue(request).await.unwrap().token
    }

    /// Who asks, as a good token would say it.
    pub fn bearer(&self) -> Bearer {
        Bearer {
            subject: Subject::Client {
                client: self.client,
                organisation: self.organisation,
                professional: Some((self.professional, "10".parse().unwrap())),
            },
            purpose: Purpose::Treat,
            scopes: self.scopes.iter().chain(&OF_THE_HOUSE).map(|s| s.parse().unwrap()).collect(),
            only: None,
        }
    }

    /// A fresh client assertion for the token endpoint of `issuer`.
    pub fn assertion(&self, issuer: &str, now: Timestamp) -> String {
        let id = ClientId::random(&garant::chance::SystemChance::new()).unwrap();
        let claims = serde_json::json!({
            "iss": self.client.to_string(), "sub": self.client.to_string(), "aud": issuer,
            "iat": now.secs(), "nbf": now.secs(), "exp": now.secs() + 120, "jti": id.to_string(),
            "extensions": { "ihe_iua": {
                "national_provider_identifier": self.professional.to_string(),
                "purpose_of_use": [{ "system": Purpose::SYSTEM, "code": "TREAT" }],
            }},
        });
        self.key.jws("JWT", "k1", claims.to_string().as_bytes())
    }

    /// The form that asks for a token.
    pub fn token_form(&self, issuer: &str, now: Timestamp) -> String {
        format!(
            "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
             client-assertion-type%3Ajwt-bearer&scope=system%2FObservation.cruds+system%2FCondition.cruds&client_assertion={}",
            self.assertion(issuer, now)
        )
    }

    /// A token straight from the issuer, without HTTP.
    pub async fn token(&self, house: &House) -> String {
        let assertion = self.assertion(house.config.issuer(), house.clock.now());
        let scope: Vec<String> = self.scopes.iter().chain(&OF_THE_HOUSE).map(|s| format!("system/{s}")).collect();
        let request = TokenRequest {
            grant_type: "client_credentials",
            assertion_type: Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            assertion: Some(&assertion),
            scope: &scope.join(" "),
            ..TokenRequest::default()
        };
        house.issuer.issue(request).await.unwrap().token
    }

    /// What a patient would allow this clinic: everything it can ask for, for a month.
    pub fn terms(&self, now: Timestamp) -> Terms {
        let from = Timestamp::from_secs(now.secs());
        Terms {
            grantee: Grantee::Organisation(self.organisation),
            scope: self.scopes.iter().map(|s| s.parse().unwrap()).collect(),
            purpose: vec![Purpose::Treat],
            confidentiality: Confidentiality::N,
            sensitivity: Vec::new(),
            authored: Period::ALWAYS,
            valid: Period { from, to: from.plus_secs(30 * 86_400) },
        }
    }
}

/// An Observation of `patient` that says `text`.
pub fn observation(patient: PatientId, text: &str) -> String {
    labelled("Observation", patient, text, "N")
}

/// A resource of `patient` under a confidentiality label.
pub fn labelled(kind: &str, patient: PatientId, text: &str, label: &str) -> String {
    let security = serde_json::json!([{ "system": Confidentiality::SYSTEM, "code": label }]);
    let subject = serde_json::json!({ "reference": format!("Patient/{patient}") });
    let code = serde_json::json!({ "coding": [{ "system": "http://loinc.org", "code": "4548-4" }], "text": text });
    let mut resource = serde_json::json!({
        "resourceType": kind, "meta": { "security": security }, "code": code, "subject": subject,
        "note": [{ "text": text }],
    });
    if kind == "Observation" {
        resource["status"] = "final".into();
        resource["effectiveDateTime"] = "2026-01-05".into();
    }
    resource.to_string()
}

/// The resource under the id of `key`.
pub fn with_id(resource: &str, key: RecordKey) -> String {
    let mut resource: serde_json::Value = serde_json::from_str(resource).unwrap();
    resource["id"] = key.to_string().into();
    resource.to_string()
}

/// A Consent in the shape of IHE PCF, of `patient`, with this `provision`.
pub fn pcf_consent(patient: PatientId, provision: &serde_json::Value) -> serde_json::Value {
    let patient = serde_json::json!({ "reference": format!("Patient/{patient}") });
    let coding = |system: &str, code: &str| serde_json::json!([{ "system": system, "code": code }]);
    serde_json::json!({
        "resourceType": "Consent", "status": "active",
        "scope": { "coding": coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy") },
        "category": [{ "coding": coding("http://loinc.org", "59284-0") }],
        "patient": patient, "dateTime": "2026-03-01T09:00:00+01:00", "performer": [patient],
        "organization": [{ "display": "store" }], "sourceReference": { "reference": "DocumentReference/x" },
        "policy": [{ "uri": "urn:x" }], "provision": provision,
    })
}

/// The `actor` of a provision.
pub fn pcf_actor(reference: &str) -> serde_json::Value {
    let role = serde_json::json!({
        "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP",
    });
    serde_json::json!([{ "role": { "coding": [role] }, "reference": { "reference": reference } }])
}

/// Takes in a resource of a known patient as the guarantor does and gives its key.
pub async fn import(house: &House, resource: String) -> RecordKey {
    let read: serde_json::Value = serde_json::from_str(&resource).unwrap();
    let kind = read["resourceType"].as_str().unwrap();
    let patient = read["subject"]["reference"].as_str().unwrap().strip_prefix("Patient/").unwrap().parse().unwrap();
    // Ids tell no order within a millisecond: the new one is the one that was not there.
    let before = records(house, patient, kind).await;
    house.intake.import(resource.into_bytes()).await.unwrap().expect("each import is another text");
    let after = records(house, patient, kind).await;
    after.into_iter().find(|key| !before.contains(key)).unwrap()
}

/// The keys of a patient's records of one type, found without asking the door.
pub async fn records(house: &House, patient: PatientId, kind: &str) -> Vec<RecordKey> {
    let tag = house.keyring.indexer().kind(patient, kind);
    let mut all = Vec::new();
    let mut after = RecordId::from_bytes([0; 16]);
    loop {
        let rows = house.store.records_after(patient, Some(&tag), after).await.unwrap();
        let Some(last) = rows.last() else { return all };
        after = last.record;
        all.extend(rows.iter().map(|row| RecordKey { patient, record: row.record }));
    }
}

/// Reads an Observation through the door.
pub async fn read(house: &House, bearer: &Bearer, key: RecordKey) -> Result<Released, Withheld> {
    house.door.read(bearer, "Observation", key).await
}

/// Searches a patient's Observations through the door; how many were released.
pub async fn search(house: &House, bearer: &Bearer, patient: PatientId) -> Result<usize, Withheld> {
    let reference = format!("Patient/{patient}");
    let base = &house.config.base_url;
    let pairs = vec![("patient".to_owned(), reference)];
    let wanted = Wanted::search("Observation", pairs, base, house.clock.now(), Handling::Strict).unwrap();
    Ok(house.door.search(bearer, patient, &wanted).await?.entries.len())
}

/// One patient, one clinic, one Observation, and the text in it.
pub struct Scene {
    pub patient: Patient,
    pub clinic: Clinic,
    pub record: RecordKey,
}

impl Scene {
    pub async fn set(house: &House, text: &str) -> Self {
        let patient = Patient::enrol(house).await;
        let clinic = Clinic::enrol(house).await;
        let record = import(house, observation(patient.id, text)).await;
        Self { patient, clinic, record }
    }

    /// The patient allows the clinic everything.
    pub async fn grant(&self, house: &House) -> ConsentId {
        grant(house, &self.patient, self.clinic.terms(house.clock.now())).await
    }
}

/// The patient is shown a draft, signs it with their device, and sends it back.
async fn agree(house: &House, patient: &Patient, wish: Wish) -> ConsentReceipt {
    let draft = house.consents.prepare(patient.id, wish, Language::Fr).await.unwrap();
    let jws = patient.key.jws(statement::TYP, &patient.device.id.to_string(), &draft.statement);
    let signed = Signed { statement: draft.statement, evidence: Evidence::Device(jws), answers: None };
    house.consents.sign(patient.id, &signed).await.unwrap()
}

pub async fn grant(house: &House, patient: &Patient, terms: Terms) -> ConsentId {
    agree(house, patient, Wish::Grant(terms)).await.consent
}

pub async fn narrow(house: &House, patient: &Patient, consent: ConsentId, terms: Terms) -> ConsentReceipt {
    agree(house, patient, Wish::Narrow(consent, terms)).await
}

/// Ends a consent; the leaf under which that stands, `None` when it had ended before or could not be done.
pub async fn revoke(house: &House, patient: PatientId, consent: ConsentId) -> Option<u64> {
    house.consents.revoke(patient, consent).await.ok().flatten()
}

/// A token that a patient would have after logging in.
pub fn patient_token(house: &House, patient: PatientId) -> String {
    let app = ClientId::random(&*house.chance).unwrap();
    house.issuer.issue_to_patient(patient, app).unwrap().token
}
