//! Wrapped rows kept for a moment, so that a burst of requests for one patient asks the keystore once.
//!
//! Holds ciphertext only. A row lives at most [`LONGEST`] seconds by the clock; a shred in this process drops it at
//! once, so the longest that another process can still unwrap an erased patient's key is that bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::patient_key::WrappedKey;
use crate::clock::Timestamp;
use crate::id::PatientId;

/// The longest a row may live, in seconds.
const LONGEST: i64 = 30;

pub(super) struct Cache {
    held: Mutex<Held>,
    most: usize,
    seconds: i64,
}

#[derive(Default)]
struct Held {
    rows: HashMap<PatientId, (Timestamp, Arc<[WrappedKey]>)>,
    drops: u64,
}

/// Says which drops had happened when a read began.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

impl Cache {
    /// A cache for `most` patients (0: none), each for `seconds` at most.
    pub(super) fn new(most: usize, seconds: i64) -> Self {
        Self { held: Mutex::default(), most, seconds: seconds.clamp(0, LONGEST) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A panic under the lock cannot leave half a row: entries are replaced whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows of `patient`, when read within the last seconds; a clock set back counts as expired.
    pub(super) fn find(&self, patient: PatientId, now: Timestamp) -> Option<Arc<[WrappedKey]>> {
        let held = self.held();
        let (read_at, rows) = held.rows.get(&patient)?;
        (*read_at <= now && now < read_at.plus_secs(self.seconds)).then(|| Arc::clone(rows))
    }

    /// Take before reading rows that will be kept.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(self.held().drops)
    }

    /// Keeps `rows` of `patient`, unless anything was dropped since the ticket: those rows may be of a key that has
    /// been shredded meanwhile.
    pub(super) fn keep(&self, patient: PatientId, rows: &Arc<[WrappedKey]>, now: Timestamp, ticket: Ticket) {
        let mut held = self.held();
        if held.drops != ticket.0 || self.most == 0 {
            return;
        }
        if held.rows.len() >= self.most && !held.rows.contains_key(&patient) {
            // Any victim will do: a miss costs one statement.
            if let Some(victim) = held.rows.keys().next().copied() {
                held.rows.remove(&victim);
            }
        }
        held.rows.insert(patient, (now, Arc::clone(rows)));
    }

    /// Drops the rows of `patient`, and of any read that is under way.
    pub(super) fn forget(&self, patient: PatientId) {
        let mut held = self.held();
        held.rows.remove(&patient);
        held.drops = held.drops.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient(n: u8) -> PatientId {
        PatientId::from_bytes([n; 16])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn rows() -> Arc<[WrappedKey]> {
        Arc::from(Vec::new())
    }

    #[test]
    fn a_row_lives_thirty_seconds_at_most_and_dies_when_the_clock_is_set_back() {
        let cache = Cache::new(10, 3600);
        cache.keep(patient(1), &rows(), at(100), cache.ticket());
        assert!(cache.find(patient(1), at(129)).is_some());
        assert!(cache.find(patient(1), at(130)).is_none());
        assert!(cache.find(patient(1), at(99)).is_none());
    }

    #[test]
    fn a_read_that_began_before_a_shred_is_not_kept() {
        let cache = Cache::new(10, 30);
        let ticket = cache.ticket();
        cache.forget(patient(1));
        cache.keep(patient(1), &rows(), at(0), ticket);
        assert!(cache.find(patient(1), at(0)).is_none());
    }

    #[test]
    fn it_never_holds_more_than_its_number() {
        let cache = Cache::new(3, 30);
        for n in 0..50 {
            cache.keep(patient(n), &rows(), at(0), cache.ticket());
            assert!(cache.held().rows.len() <= 3);
            assert!(cache.find(patient(n), at(0)).is_some());
        }
    }
}
