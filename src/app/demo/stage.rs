//! Setting the stage: the guarantor enrols everybody and takes over the five records.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::keys::{OutsideKey, jti};
use crate::app::House;
use crate::clock::Timestamp;
use crate::directory::{Client, Organisation, Party, Profile};
use crate::id::{ClientId, OrganisationId, ProfessionalId};
use crate::model::{DeviceKind, Purpose};
use crate::proof::{base64url, statement};

const PERSONAS: [(&str, &str); 5] = [
    ("mireille-kervadec", include_str!("personas/mireille-kervadec.json")),
    ("karim-haddouche", include_str!("personas/karim-haddouche.json")),
    ("aminata-coulibaly-renaud", include_str!("personas/aminata-coulibaly-renaud.json")),
    ("joaquim-lourenco", include_str!("personas/joaquim-lourenco.json")),
    ("leonie-vasseur-tran", include_str!("personas/leonie-vasseur-tran.json")),
];
const GRANTEES: &str = include_str!("personas/grantees.json");
/// The file in the data folder that holds what stands outside: ids and the outsiders' private keys.
const FILE: &str = "cast.json";

/// Somebody whom the built-in identity providers know.
#[derive(Clone, Debug)]
pub struct Persona {
    /// The provider's name for them.
    pub subject: String,
    /// What they are called on its page.
    pub name: String,
    /// What else the provider says of them.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// Those whom the built-in providers know: patients, then professionals.
///
/// # Errors
/// When a file of the demonstration is broken.
pub fn personas() -> Result<[Vec<Persona>; 2], Staging> {
    let nothing = serde_json::Map::new;
    let patients = PERSONAS.iter().map(|(key, bundle)| {
        let bundle: serde_json::Value = serde_json::from_str(bundle)?;
        let text = |pointer: &str| bundle.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
        let name = "/entry/0/resource/name/0";
        let name = format!("{} {}", text(&format!("{name}/given/0")), text(&format!("{name}/family")));
        Ok(Persona { subject: (*key).to_owned(), name, claims: nothing() })
    });
    let grantees: Grantees = serde_json::from_str(GRANTEES)?;
    let professionals = grantees.professionals.iter().map(|p| {
        let numbers = grantees.organisations.iter().filter(|o| p.organisations.contains(&o.key));
        let numbers: Vec<&str> = numbers.map(|o| o.number.as_str()).collect();
        let claims = serde_json::json!({
            "SubjectNameID": p.number,
            "SubjectRole": [format!("{}^1.2.250.1.213.1.1.5.5", p.profession)],
            "SubjectOrganizationID": numbers,
        });
        let claims = claims.as_object().cloned().unwrap_or_default();
        Persona { subject: format!("f:development:{}", p.number), name: p.name.clone(), claims }
    });
    Ok([patients.collect::<Result<_, Staging>>()?, professionals.collect()])
}

/// What went wrong while setting the stage.
pub type Staging = Box<dyn std::error::Error + Send + Sync>;

/// Everybody outside the house.
#[derive(Serialize, Deserialize)]
pub struct Cast {
    /// The patients.
    pub patients: Vec<Patient>,
    /// The professionals.
    pub professionals: Vec<Professional>,
    /// Organisations: key, id.
    pub organisations: Vec<(String, String)>,
    /// Software.
    pub clients: Vec<Software>,
}

/// A patient and the device in their hand.
#[derive(Serialize, Deserialize)]
pub struct Patient {
    /// Short name for the command line.
    pub key: String,
    /// Their id.
    pub id: String,
    /// Their device's id.
    pub device: String,
    /// Its private key, PKCS#8 in base64url.
    secret: String,
}

/// A professional.
#[derive(Serialize, Deserialize)]
pub struct Professional {
    /// Short name for the command line.
    pub key: String,
    /// Public name.
    pub name: String,
    /// Their id.
    pub id: String,
    /// The software they use.
    pub client: String,
    /// What they ask for.
    pub purpose: String,
}

/// A piece of software and its private key.
#[derive(Serialize, Deserialize)]
pub struct Software {
    /// Short name.
    pub key: String,
    /// Its id.
    pub id: String,
    /// Whether its tokens are bound to its key (FAPI 2.0).
    pub bound: bool,
    /// What it may ask for, separated by blanks.
    pub scope: String,
    /// What it asks for when it names nobody.
    pub purpose: String,
    /// PKCS#8 in base64url.
    secret: String,
}

#[derive(Deserialize)]
struct Grantees {
    organisations: Vec<GranteeOrganisation>,
    professionals: Vec<GranteeProfessional>,
    clients: Vec<GranteeClient>,
}

#[derive(Deserialize)]
struct GranteeOrganisation {
    key: String,
    kind: String,
    name: String,
    number: String,
}

#[derive(Deserialize)]
struct GranteeProfessional {
    key: String,
    name: String,
    profession: String,
    number: String,
    organisations: Vec<String>,
}

#[derive(Deserialize)]
struct GranteeClient {
    key: String,
    organisation: String,
    name: String,
    profile: String,
    scopes: Vec<String>,
}

/// Enrols everybody, takes over the records, and keeps the outsiders' keys in `cast.json` of the data folder.
///
/// # Errors
/// Whatever fails first; the folder is then not fit for the demonstration.
pub async fn stage(house: &Arc<House>, mut told: impl FnMut(&str)) -> Result<Cast, Staging> {
    let grantees: Grantees = serde_json::from_str(GRANTEES)?;
    let mut cast = Cast { patients: vec![], professionals: vec![], organisations: vec![], clients: vec![] };
    for o in &grantees.organisations {
        let id = OrganisationId::random(&*house.chance)?;
        let (name, number) = (o.name.clone(), o.number.clone());
        let party = Organisation { id, kind: o.kind.parse()?, name, number, active: true };
        house.enrolments.enrol(&Party::Organisation(party)).await?;
        cast.organisations.push((o.key.clone(), id.to_string()));
    }
    for c in &grantees.clients {
        let software = enrol_client(house, c, &cast, purpose_of(&grantees, &c.organisation)).await?;
        cast.clients.push(software);
    }
    for p in &grantees.professionals {
        let professional = enrol_professional(house, p, &cast, &grantees).await?;
        cast.professionals.push(professional);
    }
    told("five organisations, six professionals, six pieces of software enrolled");
    for (key, bundle) in PERSONAS {
        let imported =
            house.intake.import(bundle.as_bytes().to_vec()).await?.ok_or("this record was imported before")?;
        let secret = OutsideKey::generate()?;
        let jwk = OutsideKey::read(&secret)?.jwk();
        // As any patient would be: by an invitation, to the account with which they sign in.
        let code = house.patients.invite(imported.patient, 1).await?;
        let invitation = house.patients.invitation_tag(code.expose());
        let issuer = format!("{}{}", house.config.issuer(), super::provider::path("patients"));
        house.patients.link(&invitation, &issuer, key).await?;
        let device = house.patients.add_device(imported.patient, DeviceKind::Device, &jwk).await?;
        cast.patients.push(Patient {
            key: key.to_owned(),
            id: imported.patient.to_string(),
            device: device.id.to_string(),
            secret: base64url::encode(&secret),
        });
        let count: usize = imported.types.values().sum();
        told(&format!("{key}: {count} resources sealed under a key of their own"));
    }
    cast.save(&house.folder)?;
    Ok(cast)
}

/// Why an organisation asks: what the law lets its kind ask for.
fn purpose_of(grantees: &Grantees, organisation: &str) -> Purpose {
    let kind = grantees.organisations.iter().find(|o| o.key == organisation).map(|o| o.kind.as_str());
    match kind {
        Some("insurer") => Purpose::Hpaymt,
        Some("social") => Purpose::Caremgt,
        _ => Purpose::Treat,
    }
}

async fn enrol_client(house: &House, c: &GranteeClient, cast: &Cast, purpose: Purpose) -> Result<Software, Staging> {
    let secret = OutsideKey::generate()?;
    let id = ClientId::random(&*house.chance)?;
    let mut scopes = c.scopes.iter().map(|s| s.parse()).collect::<Result<Vec<crate::model::ClinicalScope>, _>>()?;
    scopes.sort();
    let client = Client {
        id,
        organisation: cast.organisation(&c.organisation)?.parse()?,
        name: c.name.clone(),
        profile: if c.profile == "fapi2" { Profile::Fapi2 } else { Profile::Smart },
        keys: vec![OutsideKey::read(&secret)?.jwk()],
        redirects: Vec::new(),
        logout: String::new(),
        scopes,
        active: true,
    };
    house.enrolments.enrol(&Party::Client(client)).await?;
    Ok(Software {
        key: c.key.clone(),
        id: id.to_string(),
        bound: c.profile == "fapi2",
        scope: c.scopes.iter().map(|s| format!("system/{s}")).collect::<Vec<_>>().join(" "),
        purpose: purpose.code().to_owned(),
        secret: base64url::encode(&secret),
    })
}

async fn enrol_professional(
    house: &House,
    p: &GranteeProfessional,
    cast: &Cast,
    grantees: &Grantees,
) -> Result<Professional, Staging> {
    let id = ProfessionalId::random(&*house.chance)?;
    let mut organisations = Vec::new();
    for key in &p.organisations {
        organisations.push(cast.organisation(key)?.parse()?);
    }
    let party = crate::directory::Professional {
        id,
        name: p.name.clone(),
        profession: p.profession.parse()?,
        number: p.number.clone(),
        organisations,
        active: true,
    };
    house.enrolments.enrol(&Party::Professional(party)).await?;
    let at = p.organisations.first().ok_or("a professional works nowhere")?;
    // A pharmacist uses the pharmacy's software where there is one.
    let mut candidates = grantees.clients.iter().filter(|c| p.organisations.contains(&c.organisation));
    let own = candidates.clone().find(|c| p.key.starts_with("pharm") == c.key.starts_with("pharm"));
    let client = own.or_else(|| candidates.next()).ok_or("a professional has no software")?;
    Ok(Professional {
        key: p.key.clone(),
        name: p.name.clone(),
        id: id.to_string(),
        client: client.key.clone(),
        purpose: purpose_of(grantees, at).code().to_owned(),
    })
}

impl Cast {
    /// The id of an organisation.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn organisation(&self, key: &str) -> Result<&str, Staging> {
        let found = self.organisations.iter().find(|(k, _)| k == key);
        Ok(&found.ok_or_else(|| format!("no organisation is called {key}"))?.1)
    }

    /// The patient whose name begins with `key`.
    #[must_use]
    pub fn patient(&self, key: &str) -> Option<&Patient> {
        self.patients.iter().find(|p| p.key.starts_with(key))
    }

    /// The professional called `key`, or whose name contains it.
    #[must_use]
    pub fn professional(&self, key: &str) -> Option<&Professional> {
        self.professionals.iter().find(|p| p.key == key || p.key.ends_with(key))
    }

    /// The software called `key`.
    #[must_use]
    pub fn software(&self, key: &str) -> Option<&Software> {
        self.clients.iter().find(|c| c.key == key)
    }

    /// Reads the cast of a demonstration's data folder.
    ///
    /// # Errors
    /// When the folder is not a demonstration's.
    pub fn load(folder: &Path) -> Result<Self, Staging> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path)
            .map_err(|e| format!("{}: {e}: this is not the data folder of `garant demo`", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    fn save(&self, folder: &Path) -> Result<(), Staging> {
        let path = folder.join(FILE);
        fs::write(&path, serde_json::to_string_pretty(self)?)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(())
    }
}

impl Patient {
    /// What the patient's device makes of a statement: a signature over exactly these bytes.
    ///
    /// # Errors
    /// When the key in the cast is broken.
    pub fn sign(&self, said: &[u8]) -> Result<String, Staging> {
        let key = OutsideKey::read(&base64url::decode(&self.secret)?)?;
        Ok(key.jws(statement::TYP, &self.device, said)?)
    }
}

impl Software {
    /// Its key.
    ///
    /// # Errors
    /// When the key in the cast is broken.
    pub fn key(&self) -> Result<OutsideKey, Staging> {
        Ok(OutsideKey::read(&base64url::decode(&self.secret)?)?)
    }

    /// The assertion with which it asks for a token (RFC 7523), in the name of a professional or of nobody.
    ///
    /// # Errors
    /// When the key in the cast is broken.
    pub fn assertion(&self, who: Option<&Professional>, issuer: &str, now: Timestamp) -> Result<String, Staging> {
        let purpose = who.map_or(self.purpose.as_str(), |p| p.purpose.as_str());
        let mut iua = serde_json::json!({
            "purpose_of_use": [{ "system": Purpose::SYSTEM, "code": purpose }],
        });
        if let (Some(who), Some(iua)) = (who, iua.as_object_mut()) {
            iua.insert("national_provider_identifier".to_owned(), who.id.clone().into());
            iua.insert("subject_name".to_owned(), who.name.clone().into());
        }
        let claims = serde_json::json!({
            "iss": self.id, "sub": self.id, "aud": issuer, "iat": now.secs(), "exp": now.secs() + 120,
            "jti": jti()?, "extensions": { "ihe_iua": iua },
        });
        Ok(self.key()?.jws("JWT", &self.key, claims.to_string().as_bytes())?)
    }
}
