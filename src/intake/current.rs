//! What a change changes: the current versions of the records it names.

use std::collections::{HashMap, HashSet};

use super::errand::Target;
use super::{Intake, Reading, Rejected};
use crate::id::{PatientId, RecordId};
use crate::model::{RecordFacts, RecordKey};
use crate::vault::{PatientKeys, Place};

/// The current versions of the records that a reading replaces or ends; all of them are there.
#[derive(Debug, Default)]
pub(super) struct Current {
    live: HashMap<RecordKey, RecordFacts>,
    deleted: HashMap<RecordKey, RecordFacts>,
}

impl Current {
    /// The version of a record that is changed.
    pub(super) fn version(&self, key: RecordKey) -> Result<i64, Rejected> {
        self.facts(key).map(|facts| facts.version)
    }

    /// The facts of a record that is changed.
    pub(super) fn facts(&self, key: RecordKey) -> Result<&RecordFacts, Rejected> {
        self.live.get(&key).ok_or(Rejected::Hidden)
    }

    /// The facts of one that was deleted before.
    pub(super) fn deleted(&self, key: RecordKey) -> Option<&RecordFacts> {
        self.deleted.get(&key)
    }

    /// Whether all that `reading` changes is there, of the type named.
    pub(super) fn has_all(&self, reading: &Reading) -> bool {
        reading.targets().all(|(kind, t)| self.live.get(&t.key).is_some_and(|facts| facts.resource_type == kind))
    }

    /// Whether every version that `reading` says it rests on is the current one (FH-19).
    pub(super) fn is_expected(&self, reading: &Reading) -> bool {
        let same = |t: Target| t.if_match.is_none_or(|n| self.live.get(&t.key).is_some_and(|f| f.version == n));
        reading.targets().all(|(_, target)| same(target))
    }
}

impl Intake {
    /// Reads the facts of what `reading` changes, as the row and the patient's key prove them.
    pub(super) async fn current(
        &self,
        reading: &Reading,
        patient: PatientId,
        keys: &PatientKeys,
    ) -> Result<Current, Rejected> {
        let wanted: HashSet<RecordId> =
            reading.targets().filter(|(_, t)| t.key.patient == patient).map(|(_, t)| t.key.record).collect();
        let mut current = Current::default();
        if wanted.is_empty() {
            return Ok(current);
        }
        let wanted: Vec<RecordId> = wanted.into_iter().collect();
        for row in self.store.current(patient, &wanted).await.map_err(Rejected::unavailable)? {
            let key = RecordKey { patient, record: row.record };
            let place = Place::facts(key, row.version);
            let opened = self.reader.open(keys, &place, &row.facts).map_err(Rejected::unavailable)?;
            let facts = RecordFacts::from_bytes(key, row.version, &opened);
            let of = if row.deleted { &mut current.deleted } else { &mut current.live };
            of.extend(facts.map(|facts| (key, facts)));
        }
        Ok(current)
    }
}
