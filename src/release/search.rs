//! Searching one patient's record: decide on every record, then match, record exactly what is told, open.

use std::collections::{BTreeMap, HashSet};

use super::ask::{denied, unasked};
use super::link::{Link, Position};
use super::open::Released;
use super::scan::{Scan, Seen};
use super::wanted::Wanted;
use super::{Door, Withheld};
use crate::asking::Asked;
use crate::asking::about;
use crate::clock::Timestamp;
use crate::fhir::Answers;
use crate::id::{DeedId, PatientId, RecordId};
use crate::ledger::personal::{Records, Touched};
use crate::ledger::{Personal, Refusal};
use crate::model::{Bearer, Confidentiality, Interaction, RecordFacts, RecordKey, Sealed};
use crate::store::rows::RecordRow;
use crate::vault::PatientKeys;

/// Bytes of sealed content on one page; a page ends earlier rather than hold more in memory.
const HEAVIEST: usize = 16 * 1024 * 1024;
/// Contents fetched in one statement.
const ABREAST: usize = 64;
/// Before every record.
const FIRST: RecordId = RecordId::from_bytes([0; 16]);

/// A record on a page.
#[derive(Debug)]
pub struct Entry {
    /// Its type.
    pub resource_type: String,
    /// How confidential it is.
    pub confidentiality: Confidentiality,
    /// Whether it came along, and did not match itself.
    pub included: bool,
    /// What is shown of it.
    pub released: Released,
}

/// A page of what was found, in the order asked for, else that of the records' ids (which is that of admission).
#[derive(Debug, Default)]
pub struct Page {
    /// The matches this bearer may see, then what comes along.
    pub entries: Vec<Entry>,
    /// How many match on all pages, when that is told.
    pub total: Option<u64>,
    /// The link to the next page.
    pub next: Option<String>,
    /// The leaf under which it stands in the log.
    pub leaf: Option<u64>,
}

/// Matches of one page, before anything of them is opened.
pub(super) struct Found {
    page: Vec<(Position, Seen)>,
    more: bool,
    /// All that matched, when they are counted.
    pub(super) counted: Vec<RecordFacts>,
    /// What was looked through to find them, and matched there.
    pub(super) through: Vec<RecordFacts>,
}

/// A page as it is asked for.
pub(super) struct Turn<'t> {
    pub(super) bearer: &'t Bearer,
    pub(super) patient: PatientId,
    pub(super) wanted: &'t Wanted,
    pub(super) after: Option<Position>,
    /// Digest of the consents under which the link was made.
    pub(super) consents: Option<[u8; 32]>,
}

/// Who asks, and at which moment.
pub(super) struct Met {
    deed: DeedId,
    pub(super) about: Personal,
    pub(super) keys: PatientKeys,
    asked: Asked,
    consents: [u8; 32],
    now: Timestamp,
}

impl Door {
    /// Releases the first page of what `wanted` asks for and `bearer` may see of a patient's record.
    ///
    /// Nothing found and nothing visible are the same answer, recorded as a refusal.
    ///
    /// # Errors
    /// [`Withheld::Hidden`] only when everything is asked for and nothing can be seen; [`Withheld::TooMany`],
    /// [`Withheld::Unavailable`].
    pub async fn search(&self, bearer: &Bearer, patient: PatientId, wanted: &Wanted) -> Result<Page, Withheld> {
        let turn = Turn { bearer, patient, wanted, after: None, consents: None };
        match self.turn(&turn).await {
            Err(Withheld::Hidden) if wanted.query().is_some() => Ok(nothing(wanted)),
            other => other,
        }
    }

    /// Releases the page that `link` leads to; `base` is our own address.
    ///
    /// # Errors
    /// [`Withheld::Hidden`] for a link that is not the bearer's, was changed, has expired, or was made under consents
    /// that have changed since; all of them alike.
    pub async fn page(&self, bearer: &Bearer, link: &str, base: &str) -> Result<Page, Withheld> {
        let Some(link) = self.read_link(bearer, link) else {
            return Err(self.for_nobody(bearer, "search", None).await);
        };
        let wanted = link.wanted(base, self.clock.now())?;
        let (after, consents) = (Some(link.after), Some(link.consents));
        let turn = Turn { bearer, patient: link.patient, wanted: &wanted, after, consents };
        self.turn(&turn).await
    }

    /// Records that a search named nobody who is known here, as a search for someone hidden is recorded: were it
    /// answered at once, the time it takes would tell who is enrolled (P43).
    ///
    /// # Errors
    /// [`Withheld::Unavailable`]; [`Withheld::Hidden`] when everything is asked for.
    pub async fn search_for_nobody(&self, bearer: &Bearer, wanted: &Wanted) -> Result<Page, Withheld> {
        let withheld = self.for_nobody(bearer, wanted.called(), wanted.kind()).await;
        if matches!(withheld, Withheld::Hidden) && wanted.query().is_some() {
            Ok(nothing(wanted))
        } else {
            Err(withheld)
        }
    }

    async fn for_nobody(&self, bearer: &Bearer, route: &'static str, kind: Option<&str>) -> Withheld {
        let deed = match DeedId::ordered(&*self.clock, &*self.chance) {
            Ok(deed) => deed,
            Err(error) => return Withheld::unavailable(error),
        };
        self.asking.of_nobody(deed, bearer, route, kind).await.into()
    }

    async fn turn(&self, turn: &Turn<'_>) -> Result<Page, Withheld> {
        let (met, rows) = self.met(turn).await?;
        let mut scan = met.scan(self);
        let found = scan.find(turn, rows).await?;
        if found.page.is_empty() && found.counted.is_empty() {
            let refusal = scan.refusal(turn.bearer);
            let sees = scan.sees;
            let withheld = self.refuse(refusal, met.about, Some(&met.keys)).await;
            // A bearer who sees something of the record is told that nothing of what was asked for is there.
            let empty = matches!(withheld, Withheld::Hidden) && sees;
            return if empty { Ok(nothing(turn.wanted)) } else { Err(withheld) };
        }
        scan.show(turn, found, met.about.clone(), met.consents).await
    }

    /// Finds out who asks, and gathers the first of what is looked through.
    pub(super) async fn met(&self, turn: &Turn<'_>) -> Result<(Met, Vec<RecordRow>), Withheld> {
        let Turn { bearer, patient, wanted, .. } = turn;
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Withheld::unavailable)?;
        let about = about(bearer, *patient, wanted.called(), wanted.kind());
        let asker = self.asking.asker(bearer, *patient);
        let kind = wanted.kind().map(|kind| self.indexer.kind(*patient, kind));
        let from = turn.from();
        let gathered = self.store.gather_search(*patient, kind.as_ref(), from, &asker).await;
        let mut gathered = gathered.map_err(Withheld::unavailable)?;
        let (keys, asked) = self.asking.meet((deed, &about), bearer, *patient, &gathered).await?;
        let consents = self.consents(&gathered);
        if turn.consents.is_some_and(|then| then != consents) {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, Some(&keys)).await);
        }
        let rows = std::mem::take(&mut gathered.records);
        Ok((Met { deed, about, keys, asked, consents, now: self.clock.now() }, rows))
    }
}

impl Met {
    pub(super) fn scan<'r>(&'r self, door: &'r Door) -> Scan<'r> {
        let Self { deed, keys, asked, now, .. } = self;
        Scan { door, deed: *deed, patient: keys.patient(), keys, asked, now: *now, denial: None, sees: false }
    }
}

impl Turn<'_> {
    /// Where the scan begins: only where the order is that of the ids can earlier records be passed over.
    fn from(&self) -> RecordId {
        match &self.after {
            Some(after) if !self.wanted.sorts() && !self.wanted.counts() => after.record,
            Some(_) | None => FIRST,
        }
    }
}

fn nothing(wanted: &Wanted) -> Page {
    Page { total: wanted.tells_total().then_some(0), ..Page::default() }
}

impl Scan<'_> {
    pub(super) async fn find(&mut self, turn: &Turn<'_>, rows: Vec<RecordRow>) -> Result<Found, Withheld> {
        let wanted = turn.wanted;
        let (answers, through) = self.answers(wanted).await?;
        let (most, counts) = (wanted.page(), wanted.counts());
        let whole = wanted.sorts() || counts;
        // The best of those after the place asked for, one more than shown: memory is bounded by the page.
        let mut best: BTreeMap<Position, Seen> = BTreeMap::new();
        let mut counted = Vec::new();
        self.go(wanted.kind(), turn.from(), Some(rows), |seen| {
            if !wanted.matches(&seen.facts, &seen.values, &answers) {
                return true;
            }
            if counts {
                counted.push(seen.facts.clone());
            }
            let place = Position { order: wanted.order_of(&seen.values), record: seen.facts.key.record };
            if turn.after.as_ref().is_none_or(|after| place > *after) {
                best.insert(place, seen);
                if best.len() > most + 1 {
                    best.pop_last();
                }
            }
            whole || best.len() <= most
        })
        .await?;
        let more = best.len() > most;
        if more {
            best.pop_last();
        }
        Ok(Found { page: best.into_iter().collect(), more: more && most > 0, counted, through })
    }

    /// Runs the steps of chains and `_has`: over records that may be seen, and over no others (FH-61).
    async fn answers(&mut self, wanted: &Wanted) -> Result<(Answers, Vec<RecordFacts>), Withheld> {
        let mut answers = Answers::default();
        let mut through = Vec::new();
        for step in wanted.steps() {
            let mut found = HashSet::new();
            self.go(Some(step.resource_type), FIRST, None, |seen| {
                if let Some(keys) = wanted.step(step, seen.facts.key, &seen.values, &answers) {
                    found.extend(keys);
                    through.push(seen.facts);
                }
                true
            })
            .await?;
            answers.push(found);
        }
        Ok((answers, through))
    }

    pub(super) fn refusal(&self, bearer: &Bearer) -> Refusal {
        self.denial.as_ref().map_or_else(|| unasked(self.deed, "absent", bearer), denied)
    }

    /// Records what the page tells, then opens it.
    async fn show(
        &mut self,
        turn: &Turn<'_>,
        mut found: Found,
        about: Personal,
        consents: [u8; 32],
    ) -> Result<Page, Withheld> {
        let wanted = turn.wanted;
        let total = if wanted.counts() {
            Some(found.counted.len() as u64)
        } else {
            let known = turn.after.is_none() && !found.more;
            (known && wanted.tells_total()).then_some(found.page.len() as u64)
        };
        // A number, and a match by way of another record, tell of records that are not shown: that is on record too.
        let mut told = std::mem::take(&mut found.counted);
        told.extend(std::mem::take(&mut found.through));
        let mut leaf = self.tell(told, &about).await?;
        if found.page.is_empty() {
            return Ok(Page { total: total.filter(|_| leaf.is_some()), leaf, ..Page::default() });
        }
        let bodies = self.bodies(found.page.iter().map(|(_, seen)| &seen.facts), HEAVIEST).await?;
        found.more |= bodies.len() < found.page.len();
        found.page.truncate(bodies.len());
        let last = found.page.last().map(|(place, _)| place.clone());
        let page: Vec<Seen> = found.page.into_iter().map(|(_, seen)| seen).collect();
        let came = match wanted.query() {
            Some(query) => self.included(query, &page).await?,
            None => Vec::new(),
        };
        let mut rows = bodies;
        let included = self.bodies(came.iter().map(|seen| &seen.facts), HEAVIEST).await?;
        if included.len() < came.len() {
            return Err(Withheld::TooMany);
        }
        rows.extend(included);
        let matched = page.len();
        let facts: Vec<RecordFacts> = page.into_iter().chain(came).map(|seen| seen.facts).collect();
        let released = self.release(&facts, about, rows).await?;
        leaf = released.first().map(Released::leaf).or(leaf);
        let next = match last.filter(|_| found.more) {
            Some(after) => Some(self.door.write_link(turn.bearer, &turn.link(after, consents, self.door))?),
            None => None,
        };
        let view = wanted.view();
        let entries = facts.into_iter().zip(released).enumerate().map(|(place, (facts, released))| {
            let released = released.seen_as(view)?;
            let RecordFacts { resource_type, confidentiality, .. } = facts;
            Ok(Entry { resource_type, confidentiality, included: place >= matched, released })
        });
        Ok(Page { entries: entries.collect::<Result<_, Withheld>>()?, total, next, leaf })
    }

    /// Puts on record that the asker learns that these records are there; none is opened.
    pub(super) async fn tell(&self, mut told: Vec<RecordFacts>, about: &Personal) -> Result<Option<u64>, Withheld> {
        if told.is_empty() {
            return Ok(None);
        }
        told.sort_unstable_by_key(|facts| facts.key);
        told.dedup_by_key(|facts| facts.key);
        let deed = DeedId::ordered(&*self.door.clock, &*self.door.chance).map_err(Withheld::unavailable)?;
        let permit = self.door.engine.decide(deed, &self.asked.question(Interaction::Search, self.now, &told));
        let permit = permit.map_err(|_| Withheld::Hidden)?;
        let about = Personal { route: "search/told".to_owned(), records: touched(&told), ..about.clone() };
        let footing = self.asked.footing(&permit);
        let receipt = self.door.ledger.disclose(&permit, about, self.keys, footing).await;
        let receipt = receipt.map_err(Withheld::unavailable)?.ok_or(Withheld::Hidden)?;
        Ok(Some(receipt.leaf()))
    }

    async fn release(
        &self,
        facts: &[RecordFacts],
        about: Personal,
        rows: Vec<(RecordKey, i64, Sealed)>,
    ) -> Result<Vec<Released>, Withheld> {
        let question = self.asked.question(Interaction::Search, self.now, facts);
        let permit = self.door.engine.decide(self.deed, &question).map_err(|_| Withheld::Hidden)?;
        let about = Personal { records: touched(facts), ..about };
        let footing = self.asked.footing(&permit);
        // Nothing leaves before its log entry is durable; a consent that ended meanwhile is refused here.
        let receipt = self.door.ledger.disclose(&permit, about, self.keys, footing).await;
        let receipt = receipt.map_err(Withheld::unavailable)?.ok_or(Withheld::Hidden)?;
        self.door.open(permit, receipt, self.keys, rows)
    }

    /// The sealed contents of the first of these records, as many as weigh no more than `most`, and at least one.
    async fn bodies(
        &self,
        facts: impl Iterator<Item = &RecordFacts> + Send,
        most: usize,
    ) -> Result<Vec<(RecordKey, i64, Sealed)>, Withheld> {
        let wanted: Vec<(RecordId, i64)> = facts.map(|f| (f.key.record, f.version)).collect();
        let mut rows = Vec::with_capacity(wanted.len());
        let mut weight = 0;
        for some in wanted.chunks(ABREAST) {
            let contents = self.door.store.contents(self.patient, some).await.map_err(Withheld::unavailable)?;
            if contents.len() < some.len() {
                return Err(Withheld::unavailable(Gone));
            }
            for (record, version, sealed) in contents {
                weight += sealed.0.len();
                if weight > most && !rows.is_empty() {
                    return Ok(rows);
                }
                rows.push((RecordKey { patient: self.patient, record }, version, sealed));
            }
        }
        Ok(rows)
    }
}

impl Turn<'_> {
    fn link(&self, after: Position, consents: [u8; 32], door: &Door) -> Link {
        Link {
            patient: self.patient,
            kind: self.wanted.kind().map(str::to_owned),
            pairs: self.wanted.pairs.clone(),
            after,
            consents,
            until: door.link_ends(),
        }
    }
}

fn touched(facts: &[RecordFacts]) -> Records {
    let all: Vec<Touched> = facts.iter().map(|f| Touched { record: f.key.record, version: f.version }).collect();
    Records::of(&all)
}

/// A version that was there when the page was found is not there to be shown.
#[derive(Debug, thiserror::Error)]
#[error("a version found is not there to be shown")]
struct Gone;
