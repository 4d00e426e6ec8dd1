//! The memory of signatures already checked.

use std::collections::HashSet;
use std::sync::Mutex;

use ring::digest::{Context, SHA256};

use super::{PublicKey, Refused};

const SHARDS: usize = 16;

/// Remembers, for a bounded number of signatures, that exactly this key signed exactly these bytes in exactly
/// this way.
///
/// That is a fact of mathematics and never changes. Nothing else is remembered: whether a consent or a key is
/// active, and every limit of time, is asked anew at each use. Only successes are kept, so nobody can fill it
/// with rubbish; it holds two generations and drops the older one when the younger is full, without a clock.
#[derive(Debug)]
pub struct Memo {
    shards: [Mutex<Generations>; SHARDS],
    generation: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<[u8; 32]>,
    old: HashSet<[u8; 32]>,
}

/// How the signature is written; it is part of what is remembered.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Jose,
    WebAuthn,
}

impl Memo {
    /// Room for about `capacity` signatures (at least 32), 32 bytes each.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { shards: Default::default(), generation: (capacity / SHARDS / 2).max(1) }
    }

    /// How many signatures are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().map_or(0, |g| g.young.len() + g.old.len())).sum()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn knows(&self, digest: &[u8; 32]) -> bool {
        // A poisoned shard knows nothing: the signature is then checked again.
        let Some(Ok(mut shard)) = self.shard(digest).map(Mutex::lock) else { return false };
        if shard.young.contains(digest) {
            return true;
        }
        let known = shard.old.contains(digest);
        if known {
            self.keep(&mut shard, *digest);
        }
        known
    }

    fn learn(&self, digest: [u8; 32]) {
        if let Some(Ok(mut shard)) = self.shard(&digest).map(Mutex::lock) {
            self.keep(&mut shard, digest);
        }
    }

    fn keep(&self, shard: &mut Generations, digest: [u8; 32]) {
        if shard.young.len() >= self.generation {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(digest);
    }

    fn shard(&self, digest: &[u8; 32]) -> Option<&Mutex<Generations>> {
        self.shards.get(digest.first().map_or(0, |b| usize::from(*b) % SHARDS))
    }
}

/// Verifies `signature` over `message` by `key`, or remembers having done so.
pub(super) fn verify(
    memo: Option<&Memo>,
    key: &PublicKey,
    form: Form,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Refused> {
    let check = || match form {
        Form::Jose => key.verify(message, signature),
        Form::WebAuthn => key.verify_webauthn(message, signature),
    };
    let Some(memo) = memo else { return check() };
    let digest = digest_of(key, form, message, signature)?;
    if memo.knows(&digest) {
        return Ok(());
    }
    check()?;
    memo.learn(digest);
    Ok(())
}

/// The key is in the digest: a signature remembered under one key says nothing under another.
fn digest_of(key: &PublicKey, form: Form, message: &[u8], signature: &[u8]) -> Result<[u8; 32], Refused> {
    let mut context = Context::new(&SHA256);
    context.update(match form {
        Form::Jose => b"jose\0",
        Form::WebAuthn => b"webn\0",
    });
    for part in [key.as_bytes(), signature, message] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().try_into().map_err(|_| Refused::because("digest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(n: u32) -> [u8; 32] {
        let hash = ring::digest::digest(&SHA256, &n.to_be_bytes());
        hash.as_ref().try_into().unwrap()
    }

    #[test]
    fn it_never_grows_beyond_its_capacity_and_keeps_what_is_used() {
        let memo = Memo::with_capacity(320);
        memo.learn(numbered(0));
        for n in 1..10_000 {
            memo.learn(numbered(n));
            assert!(memo.knows(&numbered(0)), "asked for at every step, forgotten at {n}");
            assert!(memo.len() <= 320 + SHARDS);
        }
        assert!(!memo.knows(&numbered(1)) && memo.knows(&numbered(9_999)));
    }

    #[test]
    fn only_what_verified_is_remembered_and_only_for_its_key() {
        let (pair, key) = super::super::tests::forge::p256();
        let (_, other) = super::super::tests::forge::p256();
        let memo = Memo::with_capacity(100);
        let signature = super::super::tests::forge::sign_es256(&pair, b"said");
        assert!(verify(Some(&memo), &other, Form::Jose, b"said", &signature).is_err());
        assert!(memo.is_empty());
        assert!(verify(Some(&memo), &key, Form::Jose, b"said", &signature).is_ok());
        assert_eq!(memo.len(), 1);
        assert!(verify(Some(&memo), &key, Form::Jose, b"said", &signature).is_ok());
        assert!(verify(Some(&memo), &other, Form::Jose, b"said", &signature).is_err());
        assert!(verify(Some(&memo), &key, Form::WebAuthn, b"said", &signature).is_err());
        assert!(verify(Some(&memo), &key, Form::Jose, b"Said", &signature).is_err());
    }
}
