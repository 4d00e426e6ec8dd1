//! One synthetic patient: keys, a device, a signed consent, and Observations.

use super::{RECORD_BYTES, Trouble, grant};
use crate::app::House;
use crate::fhir::{ContentFacts, extract};
use crate::id::{ConsentId, DeedId, PatientId, ProfessionalId, RecordId};
use crate::identity::Identifier;
use crate::json::{self, Limits};
use crate::ledger::personal::{Records, Touched};
use crate::ledger::{Act, Personal, Placed};
use crate::model::RecordKey;
use crate::store::turn::{NewRecord, Write};
use crate::vault::{PatientKeys, Place};

/// What was made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) patient: PatientId,
    pub(super) consent: ConsentId,
    pub(super) records: Vec<String>,
}

/// Makes a patient who lets `professional` read Observations, and has `records` of them.
pub(super) async fn make(house: &House, professional: ProfessionalId, records: usize) -> Result<Made, Trouble> {
    let value = RecordId::random(&*house.chance).map_err(Trouble::filling)?.to_string();
    let identifier = Identifier { system: "urn:garant:bench".to_owned(), value };
    let patient = house.patients.enrol(&[identifier]).await.map_err(Trouble::filling)?;
    let keys = house.keyring.keys(patient).await.map_err(Trouble::filling)?;
    let consent = grant::grant(house, patient, professional).await?;
    let records = admit(house, patient, &keys, 0..records).await?;
    Ok(Made { patient, consent, records })
}

/// Makes a patient with a large record, in which one Observation in 200 has another code than the rest.
pub(super) async fn make_large(house: &House, professional: ProfessionalId, records: usize) -> Result<Made, Trouble> {
    const AT_ONCE: usize = 500;
    let mut made = make(house, professional, 0).await?;
    let keys = house.keyring.keys(made.patient).await.map_err(Trouble::filling)?;
    for first in (0..records).step_by(AT_ONCE) {
        let some = first..(first + AT_ONCE).min(records);
        made.records.extend(admit(house, made.patient, &keys, some).await?);
    }
    Ok(made)
}

async fn admit(
    house: &House,
    patient: PatientId,
    keys: &PatientKeys,
    places: std::ops::Range<usize>,
) -> Result<Vec<String>, Trouble> {
    let count = places.len();
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut touched = Vec::with_capacity(count);
    let mut writes = Vec::with_capacity(count);
    let mut names = Vec::with_capacity(count);
    for place in places {
        let record = RecordId::ordered(&*house.clock, &*house.chance).map_err(Trouble::filling)?;
        let key = RecordKey { patient, record };
        writes.push(Write::Record(sealed(house, keys, key, if place % 200 == 100 { "9999-9" } else { "4548-4" })?));
        touched.push(Touched { record, version: 1 });
        names.push(key.to_string());
    }
    let about = Personal {
        patient: Some(patient),
        route: "bench/admit".to_owned(),
        records: Records::of(&touched),
        ..Personal::default()
    };
    let deed = DeedId::ordered(&*house.clock, &*house.chance).map_err(Trouble::filling)?;
    let mut deed = house.ledger.prepare(deed, Act::Admit, about, Some(keys)).await.map_err(Trouble::filling)?;
    deed.records = u32::try_from(count).unwrap_or(u32::MAX);
    deed.writes = writes;
    match house.ledger.record(deed).await.map_err(Trouble::filling)? {
        Placed::Done { .. } => Ok(names),
        Placed::Stale => Err(Trouble::filling("a record was not admitted")),
    }
}

fn sealed(house: &House, keys: &PatientKeys, key: RecordKey, code: &str) -> Result<NewRecord, Trouble> {
    let text = observation(key, code);
    let node = json::parse(text.as_bytes(), Limits::FHIR).map_err(Trouble::filling)?;
    let facts = ContentFacts::read(&node).map_err(Trouble::filling)?.of(key, 1).to_bytes();
    let found = extract(&node).to_bytes();
    let sealer = house.keyring.sealer();
    let seal = |place: &Place, bytes: &[u8]| sealer.seal(keys, place, bytes).map_err(Trouble::filling);
    Ok(NewRecord {
        patient: key.patient,
        record: key.record,
        kind: house.keyring.indexer().kind(key.patient, "Observation"),
        facts: seal(&Place::facts(key, 1), &facts)?,
        found: seal(&Place::found(key, 1), &found)?,
        sealed: seal(&Place::content(key, 1), text.as_bytes())?,
    })
}

/// A laboratory result of exactly [`RECORD_BYTES`] bytes.
fn observation(key: RecordKey, code: &str) -> String {
    let head = format!(
        "{{\"resourceType\":\"Observation\",\"id\":\"{key}\",\"meta\":{{\"versionId\":\"1\"}},\"status\":\"final\",\
         \"category\":[{{\"coding\":[{{\"system\":\"http://terminology.hl7.org/CodeSystem/observation-category\",\
         \"code\":\"laboratory\"}}]}}],\"code\":{{\"coding\":[{{\"system\":\"http://loinc.org\",\"code\":\"{code}\",\
         \"display\":\"Hemoglobin A1c\"}}]}},\"subject\":{{\"reference\":\"Patient/{}\"}},\
         \"effectiveDateTime\":\"2026-03-02T08:30:00+01:00\",\"valueQuantity\":{{\"value\":6.30,\"unit\":\"%\",\
         \"system\":\"http://unitsofmeasure.org\",\"code\":\"%\"}},\"note\":[{{\"text\":\"",
        key.patient
    );
    let tail = "\"}]}";
    let words = "Résultat stable par rapport au contrôle précédent. ";
    let mut text = head;
    while text.len() + words.len() + tail.len() <= RECORD_BYTES {
        text.push_str(words);
    }
    while text.len() + tail.len() < RECORD_BYTES {
        text.push('.');
    }
    text.push_str(tail);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::validate;

    #[test]
    fn every_observation_is_valid_and_of_the_promised_size() {
        for n in 0..50 {
            let key = RecordKey { patient: PatientId::from_bytes([n; 16]), record: RecordId::from_bytes([n + 1; 16]) };
            let text = observation(key, "4548-4");
            assert_eq!(text.len(), RECORD_BYTES);
            assert!(validate(&json::parse(text.as_bytes(), Limits::FHIR).unwrap()).is_empty());
        }
    }
}
