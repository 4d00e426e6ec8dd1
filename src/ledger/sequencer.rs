//! The order of the log is the order of events.
//!
//! One task takes the deeds that wait at the same moment, re-reads all the consents they rest on inside one
//! turn, writes all their leaves, and pays for one durable commit. Whoever waits gets its place only after
//! that commit. No disclosure can therefore stand after the end of a consent it cites, on any node: the turn
//! is the lock on the log's head row, and ending a consent takes the same turn.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::entry::{BadEntry, Basis, Entry};
use super::mark::{Enrolment, Marked};
use super::memory::{Memory, Said};
use super::words::{Act, Ground, Reason, UnknownWord};
use crate::clock::{Clock, Timestamp};
use crate::db::{DbError, Turn, Writer};
use crate::id::{ConsentId, DeedId, Mark, PatientId};
use crate::model::{Purpose, Sealed};
use crate::store::Store;
use crate::store::turn::{self, NewLeaf, Write};
use crate::vault::RowMac;

/// Deeds in one turn at most.
const GROUP: usize = 64;
/// Deeds that may wait; more are turned away rather than kept waiting for ever.
const QUEUE: usize = 1024;
/// From how many bytes on a deed is heavy: it shares its turn with no other heavy one, and lets stops go first.
const HEAVY: usize = 4 * 1024 * 1024;
/// How far the wall clock may lag behind the log before disclosures stop (two nodes, one database).
const LAG: i64 = 2;

/// What waits for its turn.
#[derive(Debug)]
pub struct Deed {
    /// The permit, the receipt and the leaf carry this.
    pub id: DeedId,
    /// What is done.
    pub act: Act,
    /// Why it is allowed.
    pub ground: Ground,
    /// The consent revisions it rests on: each must be the current and active one at its turn.
    pub basis: Vec<Basis>,
    /// When the first of them is over.
    pub until: Timestamp,
    /// Whose history it belongs to.
    pub patient: Option<PatientId>,
    /// Why data is asked for.
    pub purpose: Option<Purpose>,
    /// Digest of the policy set that decided.
    pub policy: Option<[u8; 32]>,
    /// How many records it concerns.
    pub records: u32,
    /// Why it is refused, for refusals.
    pub reason: Option<&'static str>,
    /// Salted commitment to the personal part.
    pub commitment: [u8; 32],
    /// The personal part, sealed.
    pub personal: Option<Sealed>,
    /// The consent revision it makes.
    pub change: Option<Change>,
    /// What it enrols, suspends, erases or shuts out, and the revision it makes of that.
    pub subject: Option<Marked>,
    /// The enrolments it rests on: each must be at that revision at its turn.
    pub enrolments: Vec<Enrolment>,
    /// The professional who asks, as the patient may have shut them out.
    pub asker: Option<Mark>,
    /// What it writes beside its leaf.
    pub writes: Vec<Write>,
}

impl Deed {
    /// Whether it takes something away: a consent, a standing, a key.
    fn stops(&self) -> bool {
        self.change.is_some_and(|c| c.ends) || matches!(self.act, Act::Exclude | Act::Suspend | Act::Shred)
    }

    /// Bytes of the records it writes, which is what makes a turn long.
    fn weight(&self) -> usize {
        let size = |write: &Write| if let Write::Record(new) = write { new.size() } else { 0 };
        self.writes.iter().map(size).sum()
    }
}

/// A consent revision that a deed makes.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Which consent.
    pub consent: ConsentId,
    /// The revision made: 1 for a new consent, else the successor of the current active one.
    pub makes: i64,
    /// Whether the consent is over after it.
    pub ends: bool,
}

/// Where a deed stands in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placed {
    /// Done and durable.
    Done {
        /// Index of its leaf.
        leaf: u64,
        /// The log's time.
        time: Timestamp,
    },
    /// What it rests on had changed at its turn; a refusal is on record instead.
    Stale,
}

/// Why a deed found no place. Nothing was released or changed, as far as anyone may assume.
#[derive(Debug, thiserror::Error)]
pub enum Unplaced {
    /// Too many wait already.
    #[error("too many deeds wait for their turn")]
    Busy,
    /// The log was not begun, or the sequencer has ended.
    #[error("the log takes no deeds")]
    Closed,
    /// The turn failed; the outcome is unknown and counts as not done.
    #[error("the turn failed")]
    Failed(#[source] Arc<Fault>),
    /// An identifier or statement was used before.
    #[error("this was done before")]
    Taken,
}

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A leaf could not be written.
    #[error(transparent)]
    Entry(#[from] BadEntry),
    /// A reason is not a word of the log.
    #[error(transparent)]
    Word(#[from] UnknownWord),
    /// The log begins with its genesis and has no other.
    #[error("the log begins with its genesis and has no other")]
    Genesis,
}

/// A deed and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    deed: Deed,
    answer: oneshot::Sender<Result<Placed, Unplaced>>,
}

#[cfg(test)]
impl Waiting {
    pub(super) const fn new(deed: Deed, answer: oneshot::Sender<Result<Placed, Unplaced>>) -> Self {
        Self { deed, answer }
    }

    pub(super) const fn act(&self) -> Act {
        self.deed.act
    }
}

/// The two queues: ending a consent goes ahead of reading.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    stops: mpsc::Sender<Waiting>,
    others: mpsc::Sender<Waiting>,
    turns: Arc<AtomicU64>,
}

impl Lanes {
    /// Queues the deed and waits for its place. The deed happens even if the caller goes away.
    pub(super) async fn place(&self, deed: Deed) -> Result<Placed, Unplaced> {
        let (answer, place) = oneshot::channel();
        self.queue(Waiting { deed, answer }).await?;
        place.await.unwrap_or(Err(Unplaced::Closed))
    }

    /// How many turns were taken since the sequencer was made.
    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    pub(super) async fn queue(&self, waiting: Waiting) -> Result<(), Unplaced> {
        if waiting.deed.stops() {
            // A stop waits as long as it takes; it is never turned away by a flood of reads.
            return self.stops.send(waiting).await.map_err(|_| Unplaced::Closed);
        }
        self.others.try_send(waiting).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Unplaced::Busy,
            mpsc::error::TrySendError::Closed(_) => Unplaced::Closed,
        })
    }
}

/// What the sequencer keeps between turns.
struct Hand {
    writer: Option<Writer>,
    memory: Memory,
}

/// The task that takes the turns.
pub struct Sequencer {
    store: Store,
    clock: Arc<dyn Clock>,
    mac: RowMac,
    stops: mpsc::Receiver<Waiting>,
    others: mpsc::Receiver<Waiting>,
    turns: Arc<AtomicU64>,
    /// A heavy deed that let others go first.
    held: Option<Waiting>,
}

impl Sequencer {
    pub(super) fn new(store: Store, clock: Arc<dyn Clock>, mac: RowMac) -> (Self, Lanes) {
        let (to_stops, stops) = mpsc::channel(QUEUE);
        let (to_others, others) = mpsc::channel(QUEUE);
        let turns = Arc::new(AtomicU64::new(0));
        let lanes = Lanes { stops: to_stops, others: to_others, turns: Arc::clone(&turns) };
        (Self { store, clock, mac, stops, others, held: None, turns }, lanes)
    }

    /// Takes turns until every [`super::Ledger`] is gone. Run it in a task that nothing cancels.
    pub async fn run(mut self) {
        let mut hand = Hand { writer: None, memory: Memory::new(self.mac.clone()) };
        // Done while nobody waits; a failure only moves the reading into the first turn.
        if let Err(error) = hand.memory.read_on(&self.store).await {
            tracing::warn!(%error, "the log was not read before its first turn");
        }
        while let Some(group) = self.next_group().await {
            self.serve(&mut hand, group).await;
        }
    }

    /// Whatever waits now, stops first; there is no timer, a lone deed does not wait for company.
    pub(super) async fn next_group(&mut self) -> Option<Vec<Waiting>> {
        let first = if let Some(held) = self.held.take() {
            held
        } else {
            tokio::select! {
                biased;
                Some(waiting) = self.stops.recv() => waiting,
                Some(waiting) = self.others.recv() => waiting,
                else => return None,
            }
        };
        self.company().await;
        let mut group = Vec::with_capacity(GROUP);
        while group.len() < GROUP - 1
            && let Ok(stop) = self.stops.try_recv()
        {
            group.push(stop);
        }
        let mut weight = first.deed.weight();
        if weight >= HEAVY && !group.is_empty() {
            // A revocation does not wait until somebody's large deposit is written.
            self.held = Some(first);
            return Some(group);
        }
        group.push(first);
        while group.len() < GROUP
            && weight < HEAVY
            && let Ok(other) = self.others.try_recv()
        {
            let more = other.deed.weight();
            if more >= HEAVY {
                self.held = Some(other);
                break;
            }
            weight += more;
            group.push(other);
        }
        Some(group)
    }

    /// Lets whatever is ready to run come first, as long as that brings more deeds: they share one commit.
    async fn company(&self) {
        let mut waiting = 0;
        loop {
            tokio::task::yield_now().await;
            let now = self.others.len();
            if now <= waiting || now >= GROUP - 1 {
                return;
            }
            waiting = now;
        }
    }

    async fn serve(&self, hand: &mut Hand, group: Vec<Waiting>) {
        match self.attempt(hand, &group).await {
            Ok(places) => answer(group, places.into_iter().map(Ok)),
            Err(Fault::Db(DbError::Taken) | Fault::Entry(_) | Fault::Word(_) | Fault::Genesis) if group.len() > 1 => {
                // One deed repeats something used once, or cannot be written: the others must not suffer for it, so
                // each takes its own turn. The failed turn changed nothing.
                for waiting in group {
                    let alone = vec![waiting];
                    let place = self.attempt(hand, &alone).await;
                    answer_alone(alone, place);
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                tracing::error!(error = %error, "a turn failed; nothing of it is released");
                let places: Vec<_> = group.iter().map(|_| Err(failed(&error))).collect();
                answer(group, places.into_iter());
            }
        }
    }

    /// Takes the turn; when it fails its connection goes back at once, which undoes it. Kept until the next turn it
    /// would hold the lock on the head against every other node, and on SQLite against every other writer.
    async fn attempt(&self, hand: &mut Hand, group: &[Waiting]) -> Result<Vec<Placed>, Fault> {
        let places = self.turn(hand, group).await;
        if places.is_err() {
            hand.writer = None;
        }
        places
    }

    async fn turn(&self, hand: &mut Hand, group: &[Waiting]) -> Result<Vec<Placed>, Fault> {
        let Hand { writer, memory } = hand;
        let writer = match writer {
            Some(writer) => writer,
            empty @ None => empty.insert(self.store.db().writer().await?),
        };
        self.turns.fetch_add(1, Ordering::Relaxed);
        let leaves = i64::try_from(group.len()).unwrap_or(i64::MAX);
        let (mut turn, mut head) = turn::take(writer, leaves).await?;
        if memory.is_far(&head) {
            // Other processes wrote much: read it without keeping them from their turns.
            turn.undo().await?;
            memory.read_on(&self.store).await?;
            (turn, head) = turn::take(writer, leaves).await?;
        }
        let agrees = memory.meet(&mut turn, &head).await?;
        let mut current = Current::read(&mut turn, group, agrees.then_some(&*memory)).await?;
        let now = self.clock.now();
        let time = now.max(head.time);
        let lagging = now.plus_secs(LAG) < head.time;

        let mut chain = head.chain;
        let mut rows = Vec::with_capacity(group.len());
        let mut places = Vec::with_capacity(group.len());
        let mut entries = Vec::with_capacity(group.len());
        for (waiting, index) in group.iter().zip(head.size..) {
            let deed = &waiting.deed;
            if (deed.act == Act::Genesis) != (index == 0) {
                return Err(Fault::Genesis);
            }
            let leaf = u64::try_from(index).unwrap_or(0);
            let refusal = current.refusal(deed, time, lagging);
            let entry = entry(deed, leaf, time, refusal)?;
            current.note(&entry);
            let bytes = entry.to_bytes()?;
            chain = link(&self.mac, &chain, deed.patient, &bytes, deed.personal.as_ref());
            rows.push(NewLeaf { patient: deed.patient, entry: bytes, personal: deed.personal.as_ref() });
            entries.push(entry);
            places.push(if refusal.is_none() { Placed::Done { leaf, time } } else { Placed::Stale });
        }
        turn::leaves(&mut turn, head.size, rows, time, &chain).await?;
        for ((waiting, place), index) in group.iter().zip(&places).zip(head.size..) {
            if matches!(place, Placed::Done { .. }) {
                turn::apply(&mut turn, waiting.deed.act.word(), index, &waiting.deed.writes).await?;
            }
        }
        // This is the commit: before it nobody has a place, after it nobody can take it away.
        turn.commit().await?;
        memory.follow(&head, chain, entries.into_iter());
        Ok(places)
    }
}

/// One link of the keyed chain over the leaves: order, number and bytes of all leaves so far, whose history each
/// belongs to, and its personal part. Without the last two a disclosure could be moved out of a patient's history
/// by one statement, and the log would still verify.
#[must_use]
pub(super) fn link(
    mac: &RowMac,
    chain: &[u8; 32],
    patient: Option<PatientId>,
    entry: &[u8],
    personal: Option<&Sealed>,
) -> [u8; 32] {
    let whose = patient.as_ref().map_or(&[][..], |p| p.as_bytes());
    let personal = personal.map(|sealed| super::merkle::sha256(&sealed.0));
    let personal = personal.as_ref().map_or(&[][..], |digest| digest.as_slice());
    mac.mac(&[b"chain", chain, &super::merkle::leaf_hash(entry), whose, personal])
}

fn entry(deed: &Deed, index: u64, time: Timestamp, refusal: Option<&'static str>) -> Result<Entry, UnknownWord> {
    Ok(Entry {
        index,
        time,
        act: if refusal.is_some() { Act::Refuse } else { deed.act },
        deed: deed.id,
        ground: deed.ground,
        basis: deed.basis.clone(),
        purpose: deed.purpose,
        policy: deed.policy,
        records: deed.records,
        reason: refusal.or(deed.reason).map(Reason::new).transpose()?,
        subject: if refusal.is_some() { None } else { deed.subject },
        commitment: deed.commitment,
    })
}

/// What a group rests on, as it stands at this moment of the turn.
struct Current {
    rows: HashMap<(PatientId, ConsentId), (i64, bool)>,
    /// What the log says of the same; nothing when the log is not the one remembered.
    log: Option<Said>,
    /// The enrolments whose rows are not what the log says.
    altered: HashSet<Mark>,
}

impl Current {
    async fn read(turn: &mut Turn<'_>, group: &[Waiting], memory: Option<&Memory>) -> Result<Self, DbError> {
        let mut named: Vec<(PatientId, ConsentId)> = Vec::new();
        let mut altered = HashSet::new();
        for Waiting { deed, .. } in group {
            if let Some(patient) = deed.patient {
                named.extend(deed.basis.iter().map(|b| (patient, b.consent)));
                named.extend(deed.change.iter().map(|c| (patient, c.consent)));
                let shut_out = memory.zip(deed.asker).map_or(&[][..], |(m, mark)| m.said().shut_out(mark));
                named.extend(shut_out.iter().map(|c| (patient, *c)));
            }
            for Enrolment { what, said } in &deed.enrolments {
                let newest = memory.map(|m| m.said().enrolled(said.mark));
                // Rare: it changed since it was gathered, or somebody put an older row back. The row tells which.
                if newest.is_some_and(|newest| newest != Some(said.revision))
                    && newest != Some(turn::enrolled(turn, *what).await?)
                {
                    altered.insert(said.mark);
                }
            }
        }
        named.sort_unstable();
        named.dedup();
        let rows = turn::consents(turn, &named).await?;
        let rows = rows.into_iter().map(|(patient, consent, revision, live)| ((patient, consent), (revision, live)));
        let marks = || {
            let deeds = group.iter().map(|w| &w.deed);
            deeds.flat_map(|d| d.enrolments.iter().map(|e| e.said.mark).chain(d.subject.map(|s| s.mark)).chain(d.asker))
        };
        let log = memory.map(|m| m.said().only(named.iter().map(|(_, c)| *c), marks()));
        if log.is_none() {
            tracing::error!("the log in the database is not the one that was written; nothing is released on it");
        }
        Ok(Self { rows: rows.collect(), log, altered })
    }

    /// Takes in what a leaf of this turn says: the deeds after it see it.
    fn note(&mut self, entry: &Entry) {
        if let Some(log) = &mut self.log {
            log.note(entry);
        }
    }

    /// Why the deed may not stand now, or `None`; a change that stands is seen by the deeds after it.
    fn refusal(&mut self, deed: &Deed, time: Timestamp, lagging: bool) -> Option<&'static str> {
        if deed.act == Act::Refuse {
            return None;
        }
        if deed.act == Act::Disclose && lagging {
            return Some("clock");
        }
        // The end of a consent is taken all the same.
        if deed.act == Act::Disclose && self.log.is_none() {
            return Some("log-altered");
        }
        if time >= deed.until {
            return Some("expired");
        }
        if let Some(reason) = self.enrolment_fails(deed) {
            return Some(reason);
        }
        let Some(patient) = deed.patient else {
            return (!deed.basis.is_empty() || deed.change.is_some()).then_some("stale");
        };
        if deed.change.is_none() {
            return deed.basis.iter().find_map(|b| self.fails(patient, *b));
        }
        let change = deed.change?;
        let fits = |standing: Option<(i64, bool)>| match standing {
            None => change.makes == 1,
            Some((revision, live)) => live && revision.checked_add(1) == Some(change.makes),
        };
        if !fits(self.rows.get(&(patient, change.consent)).copied()) {
            return Some("stale");
        }
        if self.log.as_ref().is_some_and(|log| !fits(log.consent(change.consent))) {
            return Some(altered(change.consent));
        }
        self.rows.insert((patient, change.consent), (change.makes, !change.ends));
        None
    }

    /// Why an enrolment that the deed rests on or makes does not hold, or that its asker is shut out.
    fn enrolment_fails(&self, deed: &Deed) -> Option<&'static str> {
        let log = self.log.as_ref()?;
        for Enrolment { what, said } in &deed.enrolments {
            if self.altered.contains(&said.mark) {
                tracing::error!(?what, "the row of an enrolment is not what the log says: an older row was put back");
                return Some("row-altered");
            }
            if log.enrolled(said.mark) != Some(said.revision) {
                return Some("stale");
            }
        }
        if let (Act::Enrol | Act::Suspend | Act::Shred, Some(made)) = (deed.act, deed.subject)
            && log.enrolled(made.mark).unwrap_or(0).checked_add(1) != Some(made.revision)
        {
            return Some("stale");
        }
        let exclusion = *log.shut_out(deed.asker?).first()?;
        // The row of an exclusion in force was seen by the decision, unless it was made since.
        let row = self.rows.get(&(deed.patient?, exclusion)).copied();
        if row == log.consent(exclusion) { Some("stale") } else { Some(altered(exclusion)) }
    }

    /// Why a consent that is cited does not hold: its row must be current and active, and the log must say the same.
    fn fails(&self, patient: PatientId, cited: Basis) -> Option<&'static str> {
        let wanted = (cited.revision, true);
        if self.rows.get(&(patient, cited.consent)) != Some(&wanted) {
            return Some("stale");
        }
        let agrees = self.log.as_ref().is_none_or(|log| log.consent(cited.consent) == Some(wanted));
        if agrees { None } else { Some(altered(cited.consent)) }
    }
}

fn altered(consent: ConsentId) -> &'static str {
    tracing::error!(%consent, "a consent's row is not what the log says: an older row was put back, or it was taken away");
    "row-altered"
}

fn failed(fault: &Arc<Fault>) -> Unplaced {
    if matches!(**fault, Fault::Db(DbError::Taken)) { Unplaced::Taken } else { Unplaced::Failed(Arc::clone(fault)) }
}

fn answer(group: Vec<Waiting>, places: impl Iterator<Item = Result<Placed, Unplaced>>) {
    for (waiting, place) in group.into_iter().zip(places) {
        // Whoever asked may have hung up; the leaf stands all the same.
        drop(waiting.answer.send(place));
    }
}

fn answer_alone(group: Vec<Waiting>, place: Result<Vec<Placed>, Fault>) {
    match place {
        Ok(places) => answer(group, places.into_iter().map(Ok)),
        Err(error) => answer(group, std::iter::once(Err(failed(&Arc::new(error))))),
    }
}
