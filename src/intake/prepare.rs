//! The second reading: entry after entry is rewritten, stamped and sealed; what ends is sealed as ended.

use std::sync::Arc;

use super::current::Current;
use super::reading::{End, Part, Reading};
use super::{Admitted, Became, Intake, Rejected};
use crate::clock::Timestamp;
use crate::fhir::{ContentFacts, Edit, Envelope, FactsError, LabelError, Links, extract, strip, successor};
use crate::id::{PatientId, ProfessionalId, RecordId};
use crate::json::{self, Limits, Node};
use crate::model::{Coding, Confidentiality, RecordFacts, RecordKey, Visibility};
use crate::store::turn::{Deletion, NewRecord, Write};
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
    pub(super) writes: Vec<Write>,
    pub(super) facts: Vec<RecordFacts>,
    pub(super) entries: Vec<Admitted>,
    pub(super) at: Timestamp,
    /// Whether something in it would be less protected than it was.
    pub(super) lowered: bool,
}

impl Prepared {
    /// Whose record it joins.
    #[must_use]
    pub fn patient(&self) -> PatientId {
        self.keys.patient()
    }

    /// What becomes of each record, in the order of the facts.
    pub(super) fn entries_written(&self) -> impl Iterator<Item = Became> {
        self.writes.iter().map(|write| {
            if let Write::Replace { .. } = write {
                Became::Updated
            } else if let Write::Delete(_) = write {
                Became::Deleted
            } else {
                Became::Created
            }
        })
    }

    /// What a decision may know of the records.
    #[must_use]
    pub fn facts(&self) -> &[RecordFacts] {
        &self.facts
    }
}

/// What every entry of one reading has in common.
struct Shared<'o> {
    owner: &'o Owner,
    patient: PatientId,
    links: Links,
    at: Timestamp,
}

impl Intake {
    /// Seals what was read into the record of `owner`: ids, version, moment and labels set, references rewritten, all
    /// other bytes as they came. `current` holds what it changes.
    ///
    /// # Errors
    /// [`Rejected::OtherPatient`] when it names anyone but the owner.
    pub(super) fn prepare(&self, mut reading: Reading, owner: &Owner, current: &Current) -> Result<Prepared, Rejected> {
        let patient = owner.keys.patient();
        reading.whose.is(patient)?;
        let mut shared = Shared { owner, patient, links: Links::new(), at: self.clock.now() };
        let mut keys = Vec::with_capacity(reading.parts.len());
        for (place, part) in reading.parts.iter().enumerate() {
            let key = if reading.whose.part == Some(place) {
                RecordKey::of_patient(patient)
            } else if let Some(target) = part.replaces {
                target.key
            } else {
                let record = RecordId::ordered(&*self.clock, &*self.chance).map_err(Rejected::unavailable)?;
                RecordKey { patient, record }
            };
            if let Some(name) = part.key.as_deref().filter(|_| reading.knows_its_entries()) {
                shared.links.insert(name, format!("{}/{key}", part.kind));
            }
            keys.push(key);
        }
        let all = keys.len() + reading.ends.len();
        let mut prepared = Prepared {
            keys: Arc::clone(&owner.keys),
            writes: Vec::with_capacity(all),
            facts: Vec::with_capacity(all),
            entries: Vec::with_capacity(all),
            at: shared.at,
            lowered: false,
        };
        let mut entries = Vec::with_capacity(all);
        // From the end, so that the source goes as what is sealed comes: a large Bundle is not held twice.
        while let (Some(part), Some(key)) = (reading.parts.pop(), keys.pop()) {
            let reference = format!("{}/{key}", part.kind);
            if let (None, true, Some(version)) = (part.replaces, key.is_patient(), owner.patient_resource) {
                entries.push((part.entry, Admitted { reference, version, became: Became::Kept }));
                continue;
            }
            let before = part.replaces.map(|_| current.facts(key)).transpose()?;
            let (new, facts, lowered) = self.seal(&reading, &part, (key, before), &shared)?;
            prepared.lowered |= lowered;
            reading.cut(part.span.start);
            let version = facts.version;
            prepared.writes.push(match before {
                Some(before) => Write::Replace { replaces: before.version, new },
                None => Write::Record(new),
            });
            prepared.facts.push(facts);
            let became = if before.is_some() { Became::Updated } else { Became::Created };
            entries.push((part.entry, Admitted { reference, version, became }));
        }
        prepared.writes.reverse();
        prepared.facts.reverse();
        for end in &reading.ends {
            let (deletion, facts) = self.end(end, current, &shared)?;
            let reference = format!("{}/{}", end.kind, end.target.key);
            prepared.writes.push(Write::Delete(deletion));
            entries.push((end.entry, Admitted { reference, version: facts.version, became: Became::Deleted }));
            prepared.facts.push(facts);
        }
        // The answer lists the entries as they came, whatever is done first (FH-55).
        entries.sort_by_key(|(entry, _)| *entry);
        prepared.entries.extend(entries.into_iter().map(|(_, admitted)| admitted));
        Ok(prepared)
    }

    fn seal(
        &self,
        reading: &Reading,
        part: &Part,
        (key, before): (RecordKey, Option<&RecordFacts>),
        shared: &Shared<'_>,
    ) -> Result<(NewRecord, RecordFacts, bool), Rejected> {
        let version = before.map_or(1, |facts| facts.version.saturating_add(1));
        let Rewritten { text: rewritten, visibility, lowered } = rewrite(reading, part, (key, before), shared)?;
        let facts_of = |why| Rejected::Facts { entry: part.entry, why };
        let node = json::parse(rewritten.as_bytes(), Limits::FHIR)?;
        let mut facts = ContentFacts::read(&node).map_err(facts_of)?.of(key, version);
        if let Some(before) = before {
            facts = facts.masked_as(before);
        } else {
            let hidden = visibility.contains(&Visibility::InvisiblePatient);
            facts.announced = hidden.then(|| shared.at.plus_secs(ANNOUNCED_AFTER_SECS));
            (facts.visibility, facts.author) = (visibility, shared.owner.author);
        }
        let values = extract(&node).to_bytes();
        drop(node);
        let seal = |place: &Place, bytes: &[u8]| {
            self.sealer.seal(&shared.owner.keys, place, bytes).map_err(Rejected::unavailable)
        };
        let record = NewRecord {
            patient: shared.patient,
            record: key.record,
            kind: self.indexer.kind(shared.patient, &facts.resource_type),
            facts: seal(&Place::facts(key, version), &facts.to_bytes())?,
            found: seal(&Place::found(key, version), &values)?,
            sealed: seal(&Place::content(key, version), rewritten.as_bytes())?,
            at: shared.at,
        };
        // FR-04: what is medical stays out of an insurer's reach, whatever is left out of its next version.
        let lowered = lowered || before.is_some_and(|before| facts.class > before.class);
        Ok((record, facts, lowered))
    }

    /// The last version of a record: the labels of the one before it, so that who may learn of the deletion is who
    /// might see the record, and no text.
    fn end(&self, end: &End, current: &Current, shared: &Shared<'_>) -> Result<(Deletion, RecordFacts), Rejected> {
        let key = end.target.key;
        let ends = current.version(key)?;
        let version = ends.saturating_add(1);
        let facts = RecordFacts { version, ..current.facts(key)?.clone() };
        let seal = |place: &Place, bytes: &[u8]| {
            self.sealer.seal(&shared.owner.keys, place, bytes).map_err(Rejected::unavailable)
        };
        let deletion = Deletion {
            patient: shared.patient,
            record: key.record,
            ends,
            facts: seal(&Place::facts(key, version), &facts.to_bytes())?,
            sealed: seal(&Place::content(key, version), b"")?,
            at: shared.at,
        };
        Ok((deletion, facts))
    }
}

/// A text to be stored.
struct Rewritten {
    text: String,
    /// The visibility codes it had.
    visibility: Vec<Visibility>,
    /// Whether it says less of its protection than the version before it, and may not.
    lowered: bool,
}

/// The text to be stored: the server's envelope, the new links, no visibility codes, and every other byte as it came.
fn rewrite(
    reading: &Reading,
    part: &Part,
    (key, before): (RecordKey, Option<&RecordFacts>),
    shared: &Shared<'_>,
) -> Result<Rewritten, Rejected> {
    let entry = part.entry;
    let whole = reading.text.get(part.span.start..part.span.end).unwrap_or_default();
    let node = json::parse(whole.as_bytes(), Limits::FHIR)?;
    let own = ContentFacts::read(&node).map_err(|why: FactsError| Rejected::Facts { entry, why })?;
    let stripped = strip(whole).map_err(|why| Rejected::Link { entry, why })?;
    let slice = stripped.as_deref().unwrap_or(whole);
    let node = json::parse(slice.as_bytes(), Limits::FHIR)?;
    let (level, mut labels, lowered) = match before {
        None => (own.confidentiality, Vec::new(), false),
        Some(before) if own.visibility.is_empty() => kept(&node, before, shared.owner)?,
        // Masks belong to the record: one that came with a text would be lost with the next.
        Some(_) => return Err(Rejected::NotSupported { entry, what: "an update does not change who is masked" }),
    };
    labels.extend(reading.labels.iter().cloned());
    let id = key.to_string();
    let envelope = Envelope {
        id: &id,
        version: before.map_or(1, |facts| facts.version.saturating_add(1)),
        last_updated: shared.at,
        confidentiality: level.max(reading.level),
        labels: &labels,
    };
    let mut edit = Edit::new();
    edit.stamp(&node, &envelope).map_err(|why| Rejected::Link { entry, why })?;
    edit.rewrite(&node, &shared.links, part.full_url.as_deref())
        .map_err(|why| Rejected::Link { entry, why: why.into() })?;
    let text = edit.apply(slice, node.span).map_err(|why| Rejected::Link { entry, why })?;
    Ok(Rewritten { text, visibility: own.visibility, lowered })
}

/// The labels that the next version of a record is stamped with (SL-07), and whether it says less than it must.
///
/// That it does is not an error yet: it would tell whoever may not change the record how it is labelled.
fn kept(
    node: &Node<'_>,
    before: &RecordFacts,
    owner: &Owner,
) -> Result<(Confidentiality, Vec<Coding>, bool), Rejected> {
    let by_author = before.author.is_some() && before.author == owner.author;
    match successor(node, before, by_author) {
        Ok((level, labels)) => Ok((level, labels, false)),
        Err(LabelError::Lowered) => Ok((before.confidentiality, Vec::new(), true)),
        Err(other) => Err(Rejected::Facts { entry: None, why: other.into() }),
    }
}
