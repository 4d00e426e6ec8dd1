//! Chance, as a parameter.
//!
//! Lives here: the [`Chance`] trait, the operating system's generator and a seeded one for tests.
//! May touch: `ring`'s system generator and digest.
//! Must never: fall back to something weaker; no randomness means no deed (fail closed).

use std::sync::Mutex;

use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom, SystemRandom};

/// The generator gave nothing; whoever asked must refuse to go on.
#[derive(Debug, thiserror::Error)]
#[error("the random generator failed")]
pub struct NoChance;

/// A source of unpredictable bytes.
pub trait Chance: Send + Sync {
    /// Fills `out` with unpredictable bytes.
    ///
    /// # Errors
    /// [`NoChance`] when the source fails; `out` must then not be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), NoChance>;
}

/// `N` fresh bytes from `chance`.
///
/// # Errors
/// [`NoChance`] when the source fails.
pub fn bytes<const N: usize>(chance: &dyn Chance) -> Result<[u8; N], NoChance> {
    let mut out = [0; N];
    chance.fill(&mut out)?;
    Ok(out)
}

/// The operating system's generator.
#[derive(Clone, Debug)]
pub struct SystemChance(SystemRandom);

impl SystemChance {
    /// Opens the generator.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this room is the one that opens the system generator")]
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for SystemChance {
    fn default() -> Self {
        Self::new()
    }
}

impl Chance for SystemChance {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoChance> {
        self.0.fill(out).map_err(|_| NoChance)
    }
}

/// A repeatable stream for tests: SHA-256 of seed and counter. Not secret, never used by the server.
#[derive(Debug)]
pub struct SeededChance {
    seed: u64,
    counter: Mutex<u64>,
}

impl SeededChance {
    /// A stream that depends on `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: Mutex::new(0) }
    }

    /// A number below `bound` (at least 1).
    ///
    /// # Panics
    /// When `bound` is zero.
    pub fn below(&self, bound: usize) -> usize {
        let mut out = [0; 8];
        if self.fill(&mut out).is_err() {
            return 0;
        }
        usize::try_from(u64::from_le_bytes(out) % (bound as u64)).unwrap_or(0)
    }
}

impl Chance for SeededChance {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoChance> {
        let mut counter = self.counter.lock().map_err(|_| NoChance)?;
        for chunk in out.chunks_mut(32) {
            let mut block = Context::new(&SHA256);
            block.update(&self.seed.to_le_bytes());
            block.update(&counter.to_le_bytes());
            *counter += 1;
            let digest = block.finish();
            for (to, from) in chunk.iter_mut().zip(digest.as_ref()) {
                *to = *from;
            }
        }
        Ok(())
    }
}
