//! Sealing the links to further pages: what they say is for this server alone.

use std::sync::Arc;

use super::VaultError;
use super::bind::Binding;
use super::wrap::{self, Key, SUITE};
use crate::chance::Chance;
use crate::secret::Secret;

/// Seals and opens the text of a link, bound to whom it was given.
///
/// Another holder, another deployment's key and any changed byte are one and the same refusal (security P46).
#[derive(Clone)]
pub struct PageSealer {
    key: Arc<Key>,
    chance: Arc<dyn Chance>,
}

impl PageSealer {
    pub(super) fn new(key: Key, chance: Arc<dyn Chance>) -> Self {
        Self { key: Arc::new(key), chance }
    }

    /// Seals `text` for `holder`.
    ///
    /// # Errors
    /// [`VaultError::Refused`] when chance fails.
    pub fn seal(&self, holder: &[u8; 32], text: &[u8]) -> Result<Vec<u8>, VaultError> {
        wrap::wrap(&self.key, &place(holder)?, text, &*self.chance)
    }

    /// Opens what was sealed for `holder`.
    ///
    /// # Errors
    /// [`VaultError::Refused`] for anything else.
    pub fn open(&self, holder: &[u8; 32], sealed: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        wrap::unwrap(&self.key, &place(holder)?, sealed)
    }
}

fn place(holder: &[u8; 32]) -> Result<Binding, VaultError> {
    Binding::new().field(b"garant page")?.field(&[SUITE])?.field(holder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn a_link_opens_for_its_holder_only_and_unchanged_only() {
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(5));
        let pages = PageSealer::new(Key::fresh(&*chance).unwrap(), Arc::clone(&chance));
        let sealed = pages.seal(&[1; 32], b"text").unwrap();
        assert_eq!(pages.open(&[1; 32], &sealed).unwrap().expose(), b"text");
        assert!(pages.open(&[2; 32], &sealed).is_err());
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(pages.open(&[1; 32], &bad).is_err(), "byte {at}");
        }
    }
}
