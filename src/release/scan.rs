//! Going through one patient's records, in pieces: the decision first, then their search values, never their content.

use std::collections::HashSet;

use super::{Door, Withheld};
use crate::asking::Asked;
use crate::clock::Timestamp;
use crate::fhir::SearchValues;
use crate::id::{DeedId, PatientId, RecordId};
use crate::model::{Interaction, RecordFacts, RecordKey};
use crate::policy::Denial;
use crate::store::gather::CHUNK;
use crate::store::rows::RecordRow;
use crate::vault::{PatientKeys, Place};

/// A record that the asker may see, and the values by which it can be found.
pub(super) struct Seen {
    pub(super) facts: RecordFacts,
    pub(super) values: SearchValues,
}

/// One asker going through one patient's record at one moment.
pub(super) struct Scan<'r> {
    pub(super) door: &'r Door,
    pub(super) deed: DeedId,
    pub(super) patient: PatientId,
    pub(super) keys: &'r PatientKeys,
    pub(super) asked: &'r Asked,
    /// One moment for all decisions, so that they agree.
    pub(super) now: Timestamp,
    /// The most telling no so far.
    pub(super) denial: Option<Denial>,
    /// Whether anything could be seen at all.
    pub(super) sees: bool,
}

impl Scan<'_> {
    /// Shows `each` every visible record of `kind` (`None` is every kind) after `from`, in the order of their ids, until
    /// it has enough; `first` are the rows that were gathered already.
    pub(super) async fn go(
        &mut self,
        kind: Option<&str>,
        from: RecordId,
        first: Option<Vec<RecordRow>>,
        mut each: impl FnMut(Seen) -> bool + Send,
    ) -> Result<(), Withheld> {
        let tag = kind.map(|kind| self.door.indexer.kind(self.patient, kind));
        let (mut after, mut first) = (from, first);
        loop {
            let rows = if let Some(rows) = first.take() {
                rows
            } else {
                let rows = self.door.store.records_after(self.patient, tag.as_ref(), after).await;
                rows.map_err(Withheld::unavailable)?
            };
            let Some(last) = rows.last().map(|row| row.record) else { return Ok(()) };
            let whole = i64::try_from(rows.len()).is_ok_and(|n| n >= CHUNK);
            // The tag is truncated: another type may collide with it and is left out.
            for seen in self.see(rows, |facts| kind.is_none_or(|kind| facts.resource_type == kind))? {
                if !each(seen) {
                    return Ok(());
                }
            }
            if !whole {
                return Ok(());
            }
            after = last;
            // A long scan must not hold up what others wait for on this thread.
            tokio::task::yield_now().await;
        }
    }

    /// Those of `rows` that may be seen: decided on by what `keep` keeps of their facts, only then looked into.
    pub(super) fn see(
        &mut self,
        rows: Vec<RecordRow>,
        keep: impl Fn(&RecordFacts) -> bool,
    ) -> Result<Vec<Seen>, Withheld> {
        let mut known = Vec::with_capacity(rows.len());
        let mut facts = Vec::with_capacity(rows.len());
        for row in rows {
            let key = RecordKey { patient: self.patient, record: row.record };
            let place = Place::facts(key, row.version);
            let opened = self.door.reader.open(self.keys, &place, &row.facts).map_err(Withheld::unavailable)?;
            if let Some(read) = RecordFacts::from_bytes(key, row.version, &opened).filter(&keep) {
                facts.push(read);
                known.push(row.body);
            }
        }
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        let question = self.asked.question(Interaction::Search, self.now, &facts);
        let admitted: HashSet<RecordKey> = match self.door.engine.decide(self.deed, &question) {
            Ok(permit) => {
                let keys = permit.records().iter().map(|(key, _)| *key).collect();
                // This permit opens nothing: what leaves is asked for once more, exactly.
                self.refused(permit.narrow_to(|_| false).err());
                keys
            }
            Err(denial) => {
                self.refused(Some(denial));
                return Ok(Vec::new());
            }
        };
        self.sees = true;
        let mut seen = Vec::with_capacity(admitted.len());
        for (facts, sealed) in facts.into_iter().zip(known).filter(|(facts, _)| admitted.contains(&facts.key)) {
            let place = Place::found(facts.key, facts.version);
            let opened = self.door.reader.open(self.keys, &place, &sealed).map_err(Withheld::unavailable)?;
            let values = SearchValues::from_bytes(&opened).map_err(Withheld::unavailable)?;
            seen.push(Seen { facts, values });
        }
        Ok(seen)
    }

    fn refused(&mut self, denial: Option<Denial>) {
        let Some(denial) = denial else { return };
        if self.denial.as_ref().is_none_or(|known| known.reason < denial.reason) {
            self.denial = Some(denial);
        }
    }
}
