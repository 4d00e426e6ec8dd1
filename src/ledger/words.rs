//! The words of a leaf: what was done, on what ground, why it was refused.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The text is not one of the words, or not a reason code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a word of the log")]
pub struct UnknownWord;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($(#[$of])* $variant),+ }

        impl $name {
            /// All of them, in the order of the enumeration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the log.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            /// The exact word; no other case, no blanks.
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(UnknownWord) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// What was done.
    Act {
        /// The log begins.
        Genesis = "genesis",
        /// Content was released.
        Disclose = "disclose",
        /// A request was refused.
        Refuse = "refuse",
        /// A consent was given.
        Grant = "grant",
        /// A consent was replaced by a narrower one.
        Narrow = "narrow",
        /// A consent was ended.
        Revoke = "revoke",
        /// A professional was shut out.
        Exclude = "exclude",
        /// An exclusion was ended.
        Lift = "lift",
        /// A consent was asked for.
        Request = "request",
        /// A request for a consent was declined.
        Decline = "decline",
        /// A record was taken in.
        Admit = "admit",
        /// A record was replaced by a new version.
        Update = "update",
        /// A record was deleted.
        Delete = "delete",
        /// A visibility code of a record was set or lifted.
        Mask = "mask",
        /// A party was enrolled.
        Enrol = "enrol",
        /// A party was suspended.
        Suspend = "suspend",
        /// A key was destroyed.
        Shred = "shred",
        /// A key was replaced.
        Rotate = "rotate",
        /// The log was inspected.
        Inspect = "inspect",
    }
}

words! {
    /// Why the act was allowed.
    Ground {
        /// A patient's consent.
        Consent = "consent",
        /// The patient acted for themselves.
        Oneself = "oneself",
        /// The law allows or demands it.
        Law = "law",
        /// The guarantor's own task.
        Guarantor = "guarantor",
    }
}

/// Why a request was refused: a short code of `a`–`z` and `-`, so that no free text enters the log (P35, P36).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reason(Cow<'static, str>);

impl Reason {
    /// Longest code.
    pub const LONGEST: usize = 40;

    /// Takes a code.
    ///
    /// # Errors
    /// [`UnknownWord`] when it is empty, longer than 40, or has another character.
    pub fn new(code: impl Into<Cow<'static, str>>) -> Result<Self, UnknownWord> {
        let code = code.into();
        let fits =
            (1..=Self::LONGEST).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        if fits { Ok(Self(code)) } else { Err(UnknownWord) }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_exactly_or_not_at_all() {
        for act in Act::ALL {
            assert_eq!(act.word().parse(), Ok(*act));
            assert_eq!(act.word().to_uppercase().parse::<Act>(), Err(UnknownWord));
        }
        for ground in Ground::ALL {
            assert_eq!(ground.word().parse(), Ok(*ground));
        }
        assert_eq!(" grant".parse::<Act>(), Err(UnknownWord));
    }

    #[test]
    fn a_reason_is_a_short_code_and_nothing_else() {
        assert_eq!(Reason::new("no-consent").unwrap().code(), "no-consent");
        let long = "a".repeat(41);
        for bad in ["", "No", "a b", "a\n", "é", "a1", long.as_str()] {
            assert_eq!(Reason::new(bad.to_owned()), Err(UnknownWord), "{bad:?}");
        }
    }
}
