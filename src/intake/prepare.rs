//! The second reading: entry after entry is rewritten, stamped and sealed.

use std::sync::Arc;

use super::reading::{Part, Reading};
use super::{Admitted, Intake, Rejected};
use crate::clock::Timestamp;
use crate::fhir::{ContentFacts, Edit, Envelope, FactsError, Links, extract, strip};
use crate::id::{PatientId, ProfessionalId, RecordId};
use crate::json::{self, Limits};
use crate::model::{RecordFacts, RecordKey, Visibility};
use crate::store::turn::NewRecord;
use crate::vault::{PatientKeys, Place};

/// Into whose record it goes.
#[derive(Clone)]
pub struct Owner {
    /// The patient's keys, which say whose they are.
    pub keys: Arc<PatientKeys>,
    /// The version of the patient's own Patient resource, when it is there already.
    pub patient_resource: Option<i64>,
    /// The professional who deposits, when one is named.
    pub author: Option<ProfessionalId>,
}

/// How long a document may be kept from the patient whom it concerns; then it is announced by itself (FR-20). The law
/// names no number (L.1111-2 and L.1111-7 CSP, EHDS art. 3): two months is the longest term that L.1111-7 knows.
const ANNOUNCED_AFTER_SECS: i64 = 61 * 86_400;

/// Records sealed and ready for their turn.
pub struct Prepared {
    pub(super) keys: Arc<PatientKeys>,
    pub(super) records: Vec<NewRecord>,
    pub(super) facts: Vec<RecordFacts>,
    pub(super) entries: Vec<Admitted>,
    pub(super) at: Timestamp,
}

impl Prepared {
    /// Whose record it joins.
    #[must_use]
    pub fn patient(&self) -> PatientId {
        self.keys.patient()
    }

    /// What a decision may know of the records.
    #[must_use]
    pub fn facts(&self) -> &[RecordFacts] {
        &self.facts
    }
}

/// What every entry of one reading has in common.
struct Shared {
    patient: PatientId,
    links: Links,
    at: Timestamp,
}

impl Intake {
    /// Seals what was read into the record of `owner`: ids, version, moment and labels set, references rewritten, all
    /// other bytes as they came.
    ///
    /// # Errors
    /// [`Rejected::OtherPatient`] when it names anyone but the owner.
    pub fn prepare(&self, mut reading: Reading, owner: &Owner) -> Result<Prepared, Rejected> {
        let patient = owner.keys.patient();
        reading.whose.is(patient)?;
        let mut shared = Shared { patient, links: Links::new(), at: self.clock.now() };
        let mut keys = Vec::with_capacity(reading.parts.len());
        for (place, part) in reading.parts.iter().enumerate() {
            let key = if reading.whose.part == Some(place) {
                RecordKey::of_patient(patient)
            } else {
                let record = RecordId::ordered(&*self.clock, &*self.chance).map_err(Rejected::unavailable)?;
                RecordKey { patient, record }
            };
            if let Some(name) = part.key.as_deref().filter(|_| reading.knows_its_entries()) {
                shared.links.insert(name, format!("{}/{key}", part.kind));
            }
            keys.push(key);
        }
        let mut prepared = Prepared {
            keys: Arc::clone(&owner.keys),
            records: Vec::with_capacity(keys.len()),
            facts: Vec::with_capacity(keys.len()),
            entries: Vec::with_capacity(keys.len()),
            at: shared.at,
        };
        // From the end, so that the source goes as what is sealed comes: a large Bundle is not held twice.
        while let (Some(part), Some(key)) = (reading.parts.pop(), keys.pop()) {
            let reference = format!("{}/{key}", part.kind);
            if let (true, Some(version)) = (key.is_patient(), owner.patient_resource) {
                prepared.entries.push(Admitted { reference, version, created: false });
                continue;
            }
            let (record, facts) = self.seal(&reading, &part, key, &shared, owner)?;
            reading.cut(part.span.start);
            prepared.records.push(record);
            prepared.facts.push(facts);
            prepared.entries.push(Admitted { reference, version: 1, created: true });
        }
        prepared.records.reverse();
        prepared.facts.reverse();
        prepared.entries.reverse();
        Ok(prepared)
    }

    fn seal(
        &self,
        reading: &Reading,
        part: &Part,
        key: RecordKey,
        shared: &Shared,
        owner: &Owner,
    ) -> Result<(NewRecord, RecordFacts), Rejected> {
        let (rewritten, visibility) = rewrite(reading, part, key, shared)?;
        let facts_of = |why| Rejected::Facts { entry: part.entry, why };
        let node = json::parse(rewritten.as_bytes(), Limits::FHIR)?;
        let mut facts = ContentFacts::read(&node).map_err(facts_of)?.of(key, 1);
        let hidden = visibility.contains(&Visibility::InvisiblePatient);
        facts.announced = hidden.then(|| shared.at.plus_secs(ANNOUNCED_AFTER_SECS));
        (facts.visibility, facts.author) = (visibility, owner.author);
        let values = extract(&node).to_bytes();
        drop(node);
        let seal =
            |place: &Place, bytes: &[u8]| self.sealer.seal(&owner.keys, place, bytes).map_err(Rejected::unavailable);
        let record = NewRecord {
            patient: shared.patient,
            record: key.record,
            kind: self.indexer.kind(shared.patient, &facts.resource_type),
            facts: seal(&Place::facts(key, 1), &facts.to_bytes())?,
            found: seal(&Place::found(key, 1), &values)?,
            sealed: seal(&Place::content(key, 1), rewritten.as_bytes())?,
        };
        Ok((record, facts))
    }
}

/// The text to be stored: the server's envelope, the new links, no visibility codes, and every other byte as it came;
/// and the visibility codes it had.
fn rewrite(
    reading: &Reading,
    part: &Part,
    key: RecordKey,
    shared: &Shared,
) -> Result<(String, Vec<Visibility>), Rejected> {
    let entry = part.entry;
    let whole = reading.text.get(part.span.start..part.span.end).unwrap_or_default();
    let node = json::parse(whole.as_bytes(), Limits::FHIR)?;
    let own = ContentFacts::read(&node).map_err(|why: FactsError| Rejected::Facts { entry, why })?;
    let stripped = strip(whole).map_err(|why| Rejected::Link { entry, why })?;
    let slice = stripped.as_deref().unwrap_or(whole);
    let node = json::parse(slice.as_bytes(), Limits::FHIR)?;
    let id = key.to_string();
    let envelope = Envelope {
        id: &id,
        version: 1,
        last_updated: shared.at,
        confidentiality: own.confidentiality.max(reading.level),
        labels: &reading.labels,
    };
    let mut edit = Edit::new();
    edit.stamp(&node, &envelope).map_err(|why| Rejected::Link { entry, why })?;
    edit.rewrite(&node, &shared.links, part.full_url.as_deref())
        .map_err(|why| Rejected::Link { entry, why: why.into() })?;
    let text = edit.apply(slice, node.span).map_err(|why| Rejected::Link { entry, why })?;
    Ok((text, own.visibility))
}
