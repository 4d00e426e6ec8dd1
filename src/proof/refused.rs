//! The one answer to whatever does not verify.

use std::fmt;

/// The proof does not hold.
///
/// `Display` says the same whatever was wrong, so that nobody outside learns how far they came (answer T);
/// `Debug` and [`Refused::reason`] give a fixed word for the log, never a piece of the input.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not verified")]
pub struct Refused(&'static str);

impl Refused {
    /// A refusal for the reason `word`.
    #[must_use]
    pub const fn because(word: &'static str) -> Self {
        Self(word)
    }

    /// Which check failed; for the log only.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({})", self.0)
    }
}

/// Refuses with `word` unless `holds`.
pub(super) const fn ensure(holds: bool, word: &'static str) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(Refused(word)) }
}
