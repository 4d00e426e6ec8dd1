//! A bounded memory of the values of pure functions.
//!
//! Lives here: [`Recall`], from the SHA-256 digest of *all* inputs of a function to its value.
//! May touch: the standard library.
//! Must never: hold anything that can change: not that a consent is active, not a time, not an allow.
//!
//! Two generations per shard: when the young one is full it becomes the old one and the old one is forgotten,
//! so the size is bounded without a clock and what is used stays.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

const SHARDS: usize = 16;

/// A bounded map from digests to values.
pub struct Recall<V> {
    shards: [Mutex<Generations<V>>; SHARDS],
    generation: usize,
}

struct Generations<V> {
    young: HashMap<[u8; 32], V>,
    old: HashMap<[u8; 32], V>,
}

impl<V: Clone> Recall<V> {
    /// Room for about `capacity` values (at least 32).
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let empty = || Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() });
        Self { shards: std::array::from_fn(|_| empty()), generation: (capacity / SHARDS / 2).max(1) }
    }

    /// The value kept under `digest`; a poisoned shard remembers nothing.
    #[must_use]
    pub fn get(&self, digest: &[u8; 32]) -> Option<V> {
        let mut shard = self.shard(digest)?.lock().ok()?;
        if let Some(value) = shard.young.get(digest) {
            return Some(value.clone());
        }
        let value = shard.old.get(digest)?.clone();
        shard.keep(*digest, value.clone(), self.generation);
        Some(value)
    }

    /// Keeps `value` under `digest`.
    pub fn keep(&self, digest: [u8; 32], value: V) {
        if let Some(Ok(mut shard)) = self.shard(&digest).map(Mutex::lock) {
            shard.keep(digest, value, self.generation);
        }
    }

    /// How many values are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().map_or(0, |g| g.young.len() + g.old.len())).sum()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, digest: &[u8; 32]) -> Option<&Mutex<Generations<V>>> {
        let [first, ..] = digest;
        self.shards.get(usize::from(*first) % SHARDS)
    }
}

impl<V> Generations<V> {
    fn keep(&mut self, digest: [u8; 32], value: V, generation: usize) {
        if self.young.len() >= generation {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, value);
    }
}

impl<V> fmt::Debug for Recall<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recall")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_grows_beyond_its_capacity_and_keeps_what_is_used() {
        let digest = |n: u32| -> [u8; 32] {
            ring::digest::digest(&ring::digest::SHA256, &n.to_be_bytes()).as_ref().try_into().unwrap()
        };
        let recall = Recall::with_capacity(320);
        recall.keep(digest(0), 0);
        for n in 1..10_000 {
            recall.keep(digest(n), n);
            assert_eq!(recall.get(&digest(0)), Some(0), "asked for at every step, forgotten at {n}");
            assert!(recall.len() <= 320 + 2 * SHARDS);
        }
        assert_eq!((recall.get(&digest(1)), recall.get(&digest(9_999))), (None, Some(9_999)));
    }
}
