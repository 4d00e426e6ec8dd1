//! The memory of signatures already checked.

use ring::digest::{Context, SHA256};

use super::{PublicKey, Refused};
use crate::recall::Recall;

/// Remembers, for a bounded number of signatures, that exactly this key signed exactly these bytes in exactly
/// this way.
///
/// That is a fact of mathematics and never changes. Nothing else is remembered: whether a consent or a key is
/// active, and every limit of time, is asked anew at each use. Only successes are kept, so nobody can fill it
/// with rubbish.
#[derive(Debug)]
pub struct Memo(Recall<()>);

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
        Self(Recall::with_capacity(capacity))
    }
}

#[cfg(test)]
impl Memo {
    /// How many signatures are remembered.
    pub(super) fn len(&self) -> usize {
        self.0.len()
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
    if memo.0.get(&digest).is_some() {
        return Ok(());
    }
    check()?;
    memo.0.keep(digest, ());
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

    #[test]
    fn only_what_verified_is_remembered_and_only_for_its_key() {
        let (pair, key) = super::super::tests::forge::p256();
        let (_, other) = super::super::tests::forge::p256();
        let memo = Memo::with_capacity(100);
        let signature = super::super::tests::forge::sign_es256(&pair, b"said");
        assert!(verify(Some(&memo), &other, Form::Jose, b"said", &signature).is_err());
        assert!(memo.0.is_empty());
        assert!(verify(Some(&memo), &key, Form::Jose, b"said", &signature).is_ok());
        assert_eq!(memo.len(), 1);
        assert!(verify(Some(&memo), &key, Form::Jose, b"said", &signature).is_ok());
        assert!(verify(Some(&memo), &other, Form::Jose, b"said", &signature).is_err());
        assert!(verify(Some(&memo), &key, Form::WebAuthn, b"said", &signature).is_err());
        assert!(verify(Some(&memo), &key, Form::Jose, b"Said", &signature).is_err());
    }
}
