//! Searching one type within one patient: decide on every record, then match, record exactly what matched, open.

use std::collections::{HashMap, HashSet};

use super::ask::{about, denied, unasked};
use super::open::Released;
use super::{Door, Withheld};
use crate::asking::Unasked;
use crate::fhir::{Query, SearchValues};
use crate::id::{DeedId, PatientId, RecordId};
use crate::ledger::personal::{Records, Touched};
use crate::ledger::{NOBODY, Personal};
use crate::model::{Bearer, Interaction, RecordFacts, RecordKey, Sealed};
use crate::policy::Permit;
use crate::store::rows::RecordRow;
use crate::vault::{PatientKeys, Place};

/// The most records one search releases.
const MOST: usize = 1000;

/// What a search found, in the order asked for, else that of the records' ids (which is that of admission).
#[derive(Debug, Default)]
pub struct Found {
    /// The matches this bearer may see.
    pub matches: Vec<Released>,
}

impl Door {
    /// Releases the records of one type of one patient that match `query` and that `bearer` may see.
    ///
    /// Nothing found and nothing visible are the same answer, recorded as a refusal.
    ///
    /// # Errors
    /// [`Withheld::TooMany`], [`Withheld::Unavailable`].
    pub async fn search(
        &self,
        bearer: &Bearer,
        patient: PatientId,
        resource_type: &str,
        query: &Query,
    ) -> Result<Found, Withheld> {
        match self.search_or_refuse(bearer, patient, resource_type, query).await {
            Err(Withheld::Hidden) => Ok(Found::default()),
            other => other,
        }
    }

    /// Records that a search named nobody who is known here, as a search for someone hidden is recorded: were it
    /// answered at once, the time it takes would tell who is enrolled (P43).
    ///
    /// # Errors
    /// [`Withheld::Unavailable`].
    pub async fn search_for_nobody(&self, bearer: &Bearer, resource_type: &str) -> Result<Found, Withheld> {
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Withheld::unavailable)?;
        let about = Personal { patient: None, ..about(bearer, NOBODY, "search", resource_type) };
        let withheld = self.refuse(unasked(deed, "absent", bearer), about, None).await;
        if matches!(withheld, Withheld::Hidden) { Ok(Found::default()) } else { Err(withheld) }
    }

    async fn search_or_refuse(
        &self,
        bearer: &Bearer,
        patient: PatientId,
        resource_type: &str,
        query: &Query,
    ) -> Result<Found, Withheld> {
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Withheld::unavailable)?;
        let mut about = about(bearer, patient, "search", resource_type);
        let kind = self.indexer.kind(patient, resource_type);
        let asker = self.asking.asker(bearer, patient);
        let gathered = self.store.gather_search(patient, &kind, &asker).await.map_err(Withheld::unavailable)?;
        let Some(keys) = self.asking.keys(gathered.patient.as_ref()).await? else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, None).await);
        };
        let asked = match self.asking.resolve(bearer, patient, &gathered, &keys) {
            Ok(asked) => asked,
            Err(Unasked::NotEnrolled) => {
                return Err(self.refuse(unasked(deed, "not-enrolled", bearer), about, Some(&keys)).await);
            }
            Err(other @ Unasked::Unavailable(_)) => return Err(other.into()),
        };
        let facts = self.facts(patient, resource_type, &gathered.records, &keys)?;
        if facts.is_empty() {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, Some(&keys)).await);
        }
        let permit = match self.engine.decide(deed, &asked.question(Interaction::Search, self.clock.now(), &facts)) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.refuse(denied(&denial), about, Some(&keys)).await),
        };
        let matching = self.matching(&permit, &gathered.records, &keys, query)?;
        let permit = match permit.narrow_to(|key| matching.contains_key(&key.record)) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.refuse(denied(&denial), about, Some(&keys)).await),
        };
        if permit.records().len() > MOST {
            return Err(Withheld::TooMany);
        }
        let touched: Vec<Touched> =
            permit.records().iter().map(|(key, version)| Touched { record: key.record, version: *version }).collect();
        about.records = Records::of(&touched);
        // Ciphertext is fetched before the turn, opened only after it.
        let rows = self.bodies(patient, &touched).await?;
        let footing = asked.footing(&permit);
        let Some(receipt) =
            self.ledger.disclose(&permit, about, &keys, footing).await.map_err(Withheld::unavailable)?
        else {
            return Err(Withheld::Hidden);
        };
        let mut matches = self.open(permit, receipt, &keys, rows)?;
        if !query.sort.is_empty() {
            let values = |r: &Released| matching.get(&r.key().record);
            matches.sort_by(|a, b| match (values(a), values(b)) {
                (Some(a), Some(b)) => query.compare(a, b),
                _ => std::cmp::Ordering::Equal,
            });
        }
        Ok(Found { matches })
    }

    fn facts(
        &self,
        patient: PatientId,
        resource_type: &str,
        rows: &[RecordRow],
        keys: &PatientKeys,
    ) -> Result<Vec<RecordFacts>, Withheld> {
        let mut facts = Vec::with_capacity(rows.len());
        for row in rows {
            let key = RecordKey { patient, record: row.record };
            let place = Place::facts(key, row.version);
            let opened = self.reader.open(keys, &place, &row.facts).map_err(Withheld::unavailable)?;
            let read = RecordFacts::from_bytes(key, row.version, &opened);
            // The tag is truncated: another type may collide with it and is left out.
            facts.extend(read.filter(|f| f.resource_type == resource_type));
        }
        Ok(facts)
    }

    fn matching(
        &self,
        permit: &Permit,
        rows: &[RecordRow],
        keys: &PatientKeys,
        query: &Query,
    ) -> Result<HashMap<RecordId, SearchValues>, Withheld> {
        let mut matching = HashMap::new();
        let admitted: HashSet<RecordId> = permit.records().iter().map(|(k, _)| k.record).collect();
        for row in rows.iter().filter(|row| admitted.contains(&row.record)) {
            let key = RecordKey { patient: permit.patient(), record: row.record };
            let place = Place::found(key, row.version);
            let opened = self.reader.open(keys, &place, &row.body).map_err(Withheld::unavailable)?;
            let values = SearchValues::from_bytes(&opened).map_err(Withheld::unavailable)?;
            if query.matches(&values) {
                matching.insert(row.record, values);
            }
        }
        Ok(matching)
    }

    async fn bodies(&self, patient: PatientId, touched: &[Touched]) -> Result<Vec<(RecordKey, i64, Sealed)>, Withheld> {
        let wanted: Vec<(RecordId, i64)> = touched.iter().map(|t| (t.record, t.version)).collect();
        let rows = self.store.contents(patient, &wanted).await.map_err(Withheld::unavailable)?;
        Ok(rows.into_iter().map(|(record, version, sealed)| (RecordKey { patient, record }, version, sealed)).collect())
    }
}
