//! What the log itself says of each consent and each enrolment, remembered by the sequencer.
//!
//! A row bears a MAC or a signature, but so did the row before it: whoever can write to the database may put
//! yesterday's row back, and with it a revoked consent or a suspended party, or take an exclusion's row away (security
//! T2, P18). The leaves cannot be put back one by one, for the head's chain covers all of them. So nothing is disclosed on a row alone: the log, as this process has read it,
//! must say the same. A head that is not the one remembered, continued leaf by leaf, says nothing at all.

use std::collections::HashMap;

use super::entry::Entry;
use super::mark::Marked;
use super::sequencer::link;
use super::words::Act;
use crate::db::{DbError, Turn};
use crate::id::{ConsentId, Mark};
use crate::store::rows::{Head, LeafRow};
use crate::store::{Store, turn};
use crate::vault::RowMac;

/// Leaves read at a time.
const STRIDE: i64 = 2048;
/// Leaves of other processes that are read while the turn is held; more are read before it is taken.
const NEAR: i64 = 4096;

/// What leaves say, each replacing what an earlier one said of the same.
#[derive(Default)]
pub(super) struct Said {
    /// A consent's newest revision, and whether it is in force.
    consents: HashMap<ConsentId, (i64, bool)>,
    /// The newest revision of what is enrolled.
    enrolled: HashMap<Mark, i64>,
    /// The exclusions in force that shut somebody out.
    shut_out: HashMap<Mark, Vec<ConsentId>>,
}

impl Said {
    pub(super) fn consent(&self, consent: ConsentId) -> Option<(i64, bool)> {
        self.consents.get(&consent).copied()
    }

    pub(super) fn enrolled(&self, mark: Mark) -> Option<i64> {
        self.enrolled.get(&mark).copied()
    }

    pub(super) fn shut_out(&self, mark: Mark) -> &[ConsentId] {
        self.shut_out.get(&mark).map_or(&[], Vec::as_slice)
    }

    /// What is said of these alone.
    pub(super) fn only(&self, consents: impl Iterator<Item = ConsentId>, marks: impl Iterator<Item = Mark>) -> Self {
        let mut only = Self::default();
        only.consents.extend(consents.filter_map(|c| self.consent(c).map(|said| (c, said))));
        for mark in marks {
            only.enrolled.extend(self.enrolled(mark).map(|revision| (mark, revision)));
            only.shut_out.extend(self.shut_out.get(&mark).map(|by| (mark, by.clone())));
        }
        only
    }

    pub(super) fn note(&mut self, entry: &Entry) {
        let active = match entry.act {
            Act::Grant | Act::Narrow | Act::Exclude => true,
            Act::Revoke | Act::Lift => false,
            Act::Enrol | Act::Suspend | Act::Shred => {
                self.enrolled.extend(entry.subject.map(|Marked { mark, revision }| (mark, revision)));
                return;
            }
            Act::Genesis
            | Act::Disclose
            | Act::Refuse
            | Act::Request
            | Act::Decline
            | Act::Admit
            | Act::Rotate
            | Act::Inspect => return,
        };
        for made in &entry.basis {
            self.consents.insert(made.consent, (made.revision, active));
            let Some(Marked { mark, .. }) = entry.subject else { continue };
            let by = self.shut_out.entry(mark).or_default();
            by.retain(|consent| *consent != made.consent);
            if active {
                by.push(made.consent);
            } else if by.is_empty() {
                self.shut_out.remove(&mark);
            }
        }
    }
}

/// The remembered log.
pub(super) struct Memory {
    mac: RowMac,
    size: i64,
    chain: [u8; 32],
    said: Said,
    broken: bool,
}

impl Memory {
    pub(super) fn new(mac: RowMac) -> Self {
        Self { mac, size: 0, chain: [0; 32], said: Said::default(), broken: false }
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

    /// What the log says.
    pub(super) const fn said(&self) -> &Said {
        &self.said
    }

    /// Takes in the leaves of a turn that was committed.
    pub(super) fn follow(&mut self, head: &Head, chain: [u8; 32], entries: impl Iterator<Item = Entry>) {
        if self.broken || self.size != head.size || self.chain != head.chain {
            return;
        }
        for entry in entries {
            self.said.note(&entry);
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
            self.said.note(&entry);
            self.size += 1;
        }
    }
}
