//! What the tests of this room share: dice, keys, and small logs that keep the law.

#![expect(clippy::cast_possible_wrap, reason = "test numbers are small")]
#![expect(clippy::unnecessary_wraps, reason = "signing may fail in the vault, and the signature says so")]

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::checkpoint::Checkpoint;
use super::entry::{Basis, Entry};
use super::mark::Marked;
use super::merkle::{Hash, root_of};
use super::note::{self, BadNote, KeyKind, Verifier};
use super::words::{Act, Ground, Reason};
use crate::chance::{Chance as _, SeededChance};
use crate::clock::Timestamp;
use crate::id::{ConsentId, DeedId, Mark};
use crate::model::Purpose;

/// `small`, or `large` when GARANT_FULL=1 asks for the full count.
pub(super) fn full(small: usize, large: usize) -> usize {
    // Read through the iterator: the lookup of one variable is kept for `config`.
    if std::env::vars().any(|(name, value)| name == "GARANT_FULL" && value == "1") { large } else { small }
}

/// Repeatable chance.
pub(super) struct Dice(SeededChance);

impl Dice {
    pub(super) fn announced(what: &str, seed: u64) -> Self {
        println!("{what}: seed {seed}");
        Self(SeededChance::new(seed))
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.0.fill(&mut out).unwrap();
        out
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    pub(super) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.below(2) == 0 { None } else { Some(make(self)) }
    }
}

/// A hash from its hexadecimal form.
pub(super) fn hash(hex: &str) -> Hash {
    super::entry::unhex(hex).unwrap()
}

/// The eight leaves of the RFC 6962 vectors.
pub(super) fn rfc6962_leaves() -> Vec<Vec<u8>> {
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        .iter()
        .map(|hex| (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect())
        .collect()
}

/// Any leaf that can be written, lawful or not.
pub(super) fn any_entry(dice: &mut Dice) -> Entry {
    let mut basis: Vec<Basis> = (0..dice.below(4))
        .map(|_| Basis { consent: ConsentId::from_bytes(dice.bytes()), revision: 1 + dice.below(1 << 40) as i64 })
        .collect();
    basis.sort();
    Entry {
        index: dice.below(1 << 53) as u64,
        time: Timestamp(dice.below(1 << 53) as i64),
        act: Act::ALL[dice.below(Act::ALL.len())],
        deed: DeedId::from_bytes(dice.bytes()),
        ground: Ground::ALL[dice.below(Ground::ALL.len())],
        basis,
        purpose: dice.maybe(|d| Purpose::ALL[d.below(9)]),
        policy: dice.maybe(Dice::bytes),
        records: u32::from_le_bytes(dice.bytes()),
        reason: dice.maybe(|_| Reason::new("no-consent").unwrap()),
        subject: dice.maybe(|d| Marked { mark: Mark::from_bytes(d.bytes()), revision: 1 + d.below(1 << 40) as i64 }),
        commitment: dice.bytes(),
    }
}

/// A leaf at `index` whose act rests on `basis`. What it enrols is new; whom it shuts out is told by its consent.
pub(super) fn act(dice: &mut Dice, index: u64, act: Act, basis: &[Basis]) -> Entry {
    let subject = match (act, basis) {
        (Act::Exclude | Act::Lift, [made]) => Some((*made.consent.as_bytes(), made.revision)),
        (Act::Enrol | Act::Suspend | Act::Shred, _) => Some((dice.bytes(), 1)),
        _ => None,
    };
    Entry {
        index,
        time: Timestamp(1_790_000_000_000_000 + index as i64),
        act,
        deed: DeedId::from_bytes(dice.bytes()),
        ground: if basis.is_empty() { Ground::Guarantor } else { Ground::Consent },
        basis: basis.to_vec(),
        purpose: (act == Act::Disclose).then_some(Purpose::Treat),
        policy: Some([7; 32]),
        records: 1,
        reason: (act == Act::Refuse).then(|| Reason::new("no-consent").unwrap()),
        subject: subject.map(|(mark, revision)| Marked { mark: Mark::from_bytes(mark), revision }),
        commitment: dice.bytes(),
    }
}

/// A lawful log of `length` leaves: consents are granted, narrowed, used and revoked at random.
pub(super) fn story(dice: &mut Dice, length: usize) -> Vec<Vec<u8>> {
    lawful(dice, length).iter().map(|e| e.to_bytes().unwrap()).collect()
}

/// As [`story`], before it is written.
pub(super) fn lawful(dice: &mut Dice, length: usize) -> Vec<Entry> {
    let mut active: Vec<Basis> = Vec::new();
    let mut log = Vec::with_capacity(length);
    for index in 0..length as u64 {
        let pick = if active.is_empty() { 0 } else { dice.below(active.len()) };
        let entry = match dice.below(10) {
            _ if index == 0 => act(dice, index, Act::Genesis, &[]),
            0..=1 => {
                let made = Basis { consent: ConsentId::from_bytes(dice.bytes()), revision: 1 };
                active.push(made);
                act(dice, index, Act::Grant, &[made])
            }
            2 if !active.is_empty() => {
                active[pick].revision += 1;
                act(dice, index, Act::Narrow, &[active[pick]])
            }
            3 if !active.is_empty() => {
                let mut ended = active.swap_remove(pick);
                ended.revision += 1;
                act(dice, index, Act::Revoke, &[ended])
            }
            4 => act(dice, index, Act::Refuse, &[]),
            _ if !active.is_empty() => act(dice, index, Act::Disclose, &[active[pick]]),
            _ => act(dice, index, Act::Admit, &[]),
        };
        log.push(entry);
    }
    log
}

/// A log's key pair.
pub(super) struct LogKey {
    pair: Ed25519KeyPair,
    pub(super) verifier: Verifier,
}

impl LogKey {
    pub(super) fn named(name: &str, seed: u8, kind: KeyKind) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        Self { pair, verifier: Verifier::new(name, kind, public).unwrap() }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], BadNote> {
        Ok(self.pair.sign(message).as_ref().try_into().unwrap())
    }
}

/// The key of the test log.
pub(super) fn log_key() -> LogKey {
    LogKey::named("log.health.example/access", 1, KeyKind::Ed25519)
}

/// The signed checkpoint over `leaves`.
pub(super) fn signed_checkpoint(key: &LogKey, leaves: &[Hash]) -> String {
    let origin = key.verifier.name().to_owned();
    let text = Checkpoint { origin, size: leaves.len() as u64, root: root_of(leaves) }.to_text();
    let line = note::sign(&key.verifier, &text, &|m| key.sign(m)).unwrap();
    note::assemble(&text, &[line])
}
