//! The languages of the house.

use std::str::FromStr;

/// A language that people are spoken to in; French first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// French.
    #[default]
    Fr,
    /// English.
    En,
}

impl Language {
    /// The code in statements and pages (BCP 47).
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.pick("fr", "en")
    }

    /// The one of two that is in this language.
    #[must_use]
    pub const fn pick<T: Copy>(self, fr: T, en: T) -> T {
        match self {
            Self::Fr => fr,
            Self::En => en,
        }
    }
}

/// Not a language we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the language is 'fr' or 'en'")]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(code: &str) -> Result<Self, UnknownLanguage> {
        match code {
            "fr" => Ok(Self::Fr),
            "en" => Ok(Self::En),
            _ => Err(UnknownLanguage),
        }
    }
}
