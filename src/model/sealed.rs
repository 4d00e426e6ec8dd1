//! Ciphertext, as a type of its own so that it is never mistaken for text.

use std::fmt;

/// Bytes that only `vault` can open: suite, key version, salt, commitment, ciphertext.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}
