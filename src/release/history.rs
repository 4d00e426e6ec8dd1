//! The history of one record: each version is decided on by its own labels, and all that are shown are on record.

use std::collections::HashMap;

use super::ask::denied;
use super::open::Released;
use super::{Door, Withheld};
use crate::asking::Unasked;
use crate::clock::Timestamp;
use crate::id::RecordId;
use crate::model::{Bearer, Period, RecordFacts, RecordKey};
use crate::policy::Reason;
use crate::store::rows::VersionRow;

/// The most versions that are looked at, the newest; older ones are read one by one.
const MOST: i64 = 1000;

/// The stretch of a history that is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stretch {
    /// Made then or later (`_since`).
    pub since: Option<Timestamp>,
    /// Current at some moment of it (`_at`).
    pub at: Option<Period>,
    /// Older than this version: where the page before ended.
    pub before: Option<i64>,
    /// How many at most (`_count`).
    pub count: Option<usize>,
}

/// One version that may be shown.
#[derive(Debug)]
pub struct Version {
    /// Which, from 1.
    pub version: i64,
    /// When it was made.
    pub at: Timestamp,
    /// Its text; none when it is the record's deletion.
    pub text: Option<Released>,
}

/// Versions of a record, the newest first.
#[derive(Debug, Default)]
pub struct History {
    /// Those of this page.
    pub versions: Vec<Version>,
    /// How many there are that fit and may be seen.
    pub total: usize,
    /// Whether there are older ones.
    pub more: bool,
    /// The leaf under which it stands in the log; none when nothing was shown.
    pub leaf: Option<u64>,
}

impl Stretch {
    /// Whether a version fits that was made at `at` and replaced at `until`.
    fn fits(&self, at: Timestamp, until: Option<Timestamp>) -> bool {
        self.since.is_none_or(|since| at >= since)
            && self.at.is_none_or(|p| at <= p.to && until.is_none_or(|until| until > p.from))
    }
}

impl Door {
    /// Releases those versions of one record that `bearer` may see and that are wanted.
    ///
    /// # Errors
    /// As [`Door::read`], but a deleted record has a history.
    pub async fn history(
        &self,
        bearer: &Bearer,
        resource_type: &str,
        key: RecordKey,
        wanted: Stretch,
    ) -> Result<History, Withheld> {
        let case = self.case(bearer, resource_type, key, "history").await?;
        let rows = self.store.versions(key, MOST).await.map_err(Withheld::unavailable)?;
        let mut versions: Vec<RecordFacts> = Vec::with_capacity(rows.len());
        let mut fits: HashMap<i64, &VersionRow> = HashMap::new();
        let mut until = None;
        for row in &rows {
            // Versions made since the record was gathered are left to the next who asks.
            if row.version > case.row.version {
                continue;
            }
            if row.version == case.row.version {
                versions.push(case.facts.clone());
            } else if let Some(sealed) = &row.facts {
                let then = self.facts_of(&case.keys, key, row.version, sealed)?;
                versions.extend(then.map(|then| then.protected_as(&case.facts)));
            }
            if wanted.fits(row.at, until) {
                fits.insert(row.version, row);
            }
            until = Some(row.at);
        }
        let permit = match self.decide_versions(&case, &versions, |_| true) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.refuse(denied(&denial), case.about, Some(&case.keys)).await),
        };
        let visible: Vec<i64> = permit.records().iter().map(|(_, v)| *v).filter(|v| fits.contains_key(v)).collect();
        let total = visible.len();
        let left: Vec<i64> = visible.into_iter().filter(|v| wanted.before.is_none_or(|before| *v < before)).collect();
        let page: Vec<i64> = left.iter().copied().take(wanted.count.unwrap_or(usize::MAX)).collect();
        let more = page.len() < left.len();
        let permit = match permit.narrow_to(|_, version| page.contains(&version)) {
            Ok(permit) => permit,
            // Theirs to see, and nothing in it fits: that is told, and on record as all that was told.
            Err(denial) if denial.reason == Reason::NoRecord => {
                return match self.asking.refuse(denied(&denial), case.about, Some(&case.keys)).await {
                    Unasked::Hidden => Ok(History { total, ..History::default() }),
                    unrecorded @ Unasked::Unavailable(_) => Err(unrecorded.into()),
                };
            }
            Err(denial) => return Err(self.refuse(denied(&denial), case.about, Some(&case.keys)).await),
        };
        let of: Vec<(RecordId, i64)> = page.iter().map(|version| (key.record, *version)).collect();
        let texts = self.store.contents(key.patient, &of).await.map_err(Withheld::unavailable)?;
        let texts = texts.into_iter().map(|(record, version, sealed)| (RecordKey { record, ..key }, version, sealed));
        let receipt = self.disclose(&case, &permit).await?;
        let leaf = Some(receipt.leaf());
        let released = self.open(permit, receipt, &case.keys, texts.collect())?;
        let shown = released.into_iter().filter_map(|text| {
            let row = fits.get(&text.version())?;
            // A deletion has an empty text, which is not a resource.
            Some(Version { version: row.version, at: row.at, text: if row.deleted { None } else { Some(text) } })
        });
        Ok(History { versions: shown.collect(), total, more, leaf })
    }
}
