//! What the log itself says of each consent, remembered by the sequencer.
//!
//! A consent's row bears a MAC, but so did the row before it: whoever can write to the database may put yesterday's
//! row back, and with it a revoked consent (security T2, P18). The leaves cannot be put back one by one, for the
//! head's chain covers all of them. So nothing is disclosed on a row alone: the log, as this process has read it,
//! must say the same. A head that is not the one remembered, continued leaf by leaf, says nothing at all.

use std::collections::HashMap;

use super::entry::Entry;
use super::sequencer::link;
use super::words::Act;
use crate::db::{DbError, Turn};
use crate::id::ConsentId;
use crate::store::rows::{Head, LeafRow};
use crate::store::{Store, turn};
use crate::vault::RowMac;

/// Leaves read at a time.
const STRIDE: i64 = 2048;
/// Leaves of other processes that are read while the turn is held; more are read before it is taken.
const NEAR: i64 = 4096;

/// A consent as the log has it: its newest revision, and whether it is in force.
type Said = (i64, bool);

/// The remembered log.
pub(super) struct Memory {
    mac: RowMac,
    size: i64,
    chain: [u8; 32],
    consents: HashMap<ConsentId, Said>,
    broken: bool,
}

impl Memory {
    pub(super) fn new(mac: RowMac) -> Self {
        Self { mac, size: 0, chain: [0; 32], consents: HashMap::new(), broken: false }
    }

    /// Reads on outside any turn, as far as the log goes now. What fails here is tried again in the turn.
    pub(super) async fn read_on(&mut self, store: &Store) -> Result<(), DbError> {
        loop {
            let rows = store.leaves(self.size, STRIDE).await?;
            if rows.is_empty() || self.broken {
                return Ok(());
            }
            self.learn(&rows);
        }
    }

    /// Whether so much was written meanwhile that it is better read outside the turn.
    pub(super) const fn is_far(&self, head: &Head) -> bool {
        !self.broken && head.size - self.size > NEAR
    }

    /// Reads on to `head` within its turn, and tells whether head and memory are one log.
    pub(super) async fn meet(&mut self, turn: &mut Turn<'_>, head: &Head) -> Result<bool, DbError> {
        while !self.broken && self.size < head.size {
            let rows = turn::written(turn, self.size, STRIDE.min(head.size - self.size)).await?;
            if rows.is_empty() {
                return Ok(false);
            }
            self.learn(&rows);
        }
        Ok(!self.broken && self.size == head.size && self.chain == head.chain)
    }

    /// What the log says of a consent.
    pub(super) fn of(&self, consent: ConsentId) -> Option<Said> {
        self.consents.get(&consent).copied()
    }

    /// Takes in the leaves of a turn that was committed.
    pub(super) fn follow(&mut self, head: &Head, chain: [u8; 32], entries: impl Iterator<Item = Entry>) {
        if self.broken || self.size != head.size || self.chain != head.chain {
            return;
        }
        for entry in entries {
            self.note(&entry);
            self.size += 1;
        }
        self.chain = chain;
    }

    fn learn(&mut self, rows: &[LeafRow]) {
        for row in rows {
            let Some(entry) = Entry::parse(&row.entry).ok().filter(|_| row.leaf == self.size) else {
                self.broken = true;
                return;
            };
            self.chain = link(&self.mac, &self.chain, row.patient, &row.entry, row.personal.as_ref());
            self.note(&entry);
            self.size += 1;
        }
    }

    fn note(&mut self, entry: &Entry) {
        let active = match entry.act {
            Act::Grant | Act::Narrow | Act::Exclude => true,
            Act::Revoke | Act::Lift => false,
            Act::Genesis
            | Act::Disclose
            | Act::Refuse
            | Act::Request
            | Act::Decline
            | Act::Admit
            | Act::Mask
            | Act::Enrol
            | Act::Suspend
            | Act::Shred
            | Act::Rotate
            | Act::Inspect => return,
        };
        for made in &entry.basis {
            self.consents.insert(made.consent, (made.revision, active));
        }
    }
}
