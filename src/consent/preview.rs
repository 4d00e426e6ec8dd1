//! What a consent would open, asked of the same policies that decide at release.

use std::collections::{BTreeMap, BTreeSet};

use super::{ConsentError, Consents};
use crate::directory::Professional;
use crate::id::{ClientId, ConsentId, DeedId, PatientId};
use crate::model::Op;
use crate::model::{
    Actor, ClinicalScope, Grantee, Interaction, OrganisationKind, Purpose, RecordFacts, RecordKey, Software, Terms,
};
use crate::policy::{Exclusion, Provision, Question, Standing};
use crate::vault::{PatientKeys, Place};

/// The most records that are named.
const MOST_LISTED: usize = 100;

/// What terms would open, were they agreed to and nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Preview {
    /// How many records of each type.
    pub counts: BTreeMap<String, u64>,
    /// The first of them, as `Type/id`.
    pub listed: Vec<String>,
    /// How many records stay hidden.
    pub hidden: u64,
}

impl Consents {
    /// What `terms` would open to their grantee, through any of their people and places and for any purpose agreed
    /// to, from the moment they begin.
    ///
    /// # Errors
    /// [`ConsentError::Refused`] when such terms cannot be agreed to at all.
    pub async fn preview(&self, patient: PatientId, terms: &Terms) -> Result<Preview, ConsentError> {
        let keys = self.keys(patient).await?;
        let who = self.known(&terms.grantee).await?;
        self.lawful(terms, &who, self.clock.now())?;
        let facts = self.shown(patient, self.facts(patient, &keys).await?)?;
        let exclusions = self.exclusions(patient, &keys).await?;
        let consent = ConsentId::random(&*self.chance)?;
        let provisions = [Provision { consent, revision: 1, patient, terms: terms.clone() }];
        let mut open: BTreeSet<RecordKey> = BTreeSet::new();
        for actor in self.askers(terms).await? {
            for interaction in [Interaction::Read, Interaction::Search] {
                let question = Question {
                    actor: &actor,
                    standing: Standing::ACTIVE,
                    interaction,
                    now: self.clock.now().max(terms.valid.from),
                    records: &facts,
                    provisions: &provisions,
                    exclusions: &exclusions,
                };
                let deed = DeedId::ordered(&*self.clock, &*self.chance)?;
                if let Ok(permit) = self.engine.decide(deed, &question) {
                    open.extend(permit.records().iter().map(|(key, _)| *key));
                }
            }
        }
        Ok(told(&facts, &open))
    }

    /// How many records of each type the patient may see.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn counts(&self, patient: PatientId) -> Result<BTreeMap<String, u64>, ConsentError> {
        let keys = self.keys(patient).await?;
        let mut counts = BTreeMap::new();
        for facts in self.shown(patient, self.facts(patient, &keys).await?)? {
            *counts.entry(facts.resource_type).or_default() += 1;
        }
        Ok(counts)
    }

    /// Those that the patient may see: a preview must not count what was not announced to them yet (FR-19).
    fn shown(&self, patient: PatientId, facts: Vec<RecordFacts>) -> Result<Vec<RecordFacts>, ConsentError> {
        let question = Question {
            actor: &Actor::Patient(patient),
            standing: Standing::ACTIVE,
            interaction: Interaction::Search,
            now: self.clock.now(),
            records: &facts,
            provisions: &[],
            exclusions: &[],
        };
        let deed = DeedId::ordered(&*self.clock, &*self.chance)?;
        let Ok(permit) = self.engine.decide(deed, &question) else { return Ok(Vec::new()) };
        let shown: BTreeSet<RecordKey> = permit.records().iter().map(|(key, _)| *key).collect();
        Ok(facts.into_iter().filter(|f| shown.contains(&f.key)).collect())
    }

    /// The facts of every record of a patient.
    async fn facts(&self, patient: PatientId, keys: &PatientKeys) -> Result<Vec<RecordFacts>, ConsentError> {
        let mut facts = Vec::new();
        for (record, version, sealed) in self.store.facts_of(patient).await? {
            let key = RecordKey { patient, record };
            let opened = self.checker.reader.open(keys, &Place::facts(key, version), &sealed)?;
            let read = RecordFacts::from_bytes(key, version, &opened);
            facts.push(read.ok_or_else(|| ConsentError::from(super::Unproved("facts malformed")))?);
        }
        Ok(facts)
    }

    /// Whom the patient has shut out.
    async fn exclusions(&self, patient: PatientId, keys: &PatientKeys) -> Result<Vec<Exclusion>, ConsentError> {
        let mut exclusions = Vec::new();
        for row in self.store.consents_of(patient).await?.iter().filter(|row| row.state == "active") {
            if let Op::Exclude(professional) = self.checker.check(patient, row, keys)?.op {
                exclusions.push(Exclusion { consent: row.consent, revision: row.revision, professional });
            }
        }
        Ok(exclusions)
    }

    /// Everybody who could ask under `terms` today: software of each place, for each person the terms reach.
    async fn askers(&self, terms: &Terms) -> Result<Vec<Actor>, ConsentError> {
        let mut askers = Vec::new();
        match &terms.grantee {
            Grantee::Organisation(id) => {
                let place = self.organisation(*id).await?;
                askers.push(Asker { place: *id, kind: place.kind, person: None });
                let staff = self.staff(*id).await?;
                askers.extend(staff.into_iter().map(|p| Asker { place: *id, kind: place.kind, person: Some(p) }));
            }
            Grantee::Role(id, profession) => {
                let place = self.organisation(*id).await?;
                let staff = self.staff(*id).await?.into_iter().filter(|p| p.profession == *profession);
                askers.extend(staff.map(|p| Asker { place: *id, kind: place.kind, person: Some(p) }));
            }
            Grantee::Professional(id) => {
                let person = self.professional(*id).await?;
                for place in self.places(&person).await? {
                    askers.push(Asker { place: place.id, kind: place.kind, person: Some(person.clone()) });
                }
            }
        }
        let every = terms.purpose.iter().flat_map(|purpose| askers.iter().map(|a| a.software(*purpose)));
        Ok(every.collect())
    }
}

struct Asker {
    place: crate::id::OrganisationId,
    kind: OrganisationKind,
    person: Option<Professional>,
}

impl Asker {
    fn software(&self, purpose: Purpose) -> Actor {
        let anything: Result<ClinicalScope, _> = "*.cruds".parse();
        Actor::Software(Software {
            // Which software it is decides nothing but its scopes; here it may ask for anything.
            client: ClientId::from_bytes([0; 16]),
            organisation: self.place,
            kind: self.kind,
            professional: self.person.as_ref().map(|p| (p.id, p.profession.clone())),
            purpose,
            scopes: anything.into_iter().collect(),
        })
    }
}

fn told(facts: &[RecordFacts], open: &BTreeSet<RecordKey>) -> Preview {
    let mut preview = Preview::default();
    for record in facts {
        if open.contains(&record.key) {
            *preview.counts.entry(record.resource_type.clone()).or_default() += 1;
            if preview.listed.len() < MOST_LISTED {
                preview.listed.push(format!("{}/{}", record.resource_type, record.key));
            }
        } else {
            preview.hidden += 1;
        }
    }
    preview
}
