//! The kinds of people who may be given access: each with a word, a shape and a colour, so that none stands alone.

use crate::model::{Language, OrganisationKind};

/// A kind of recipient.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Circle {
    /// Those who provide care.
    Care,
    /// Those who support people socially.
    Social,
    /// Complementary insurers.
    Insurer,
}

impl Circle {
    /// The kind for an organisation's; whoever the register no longer knows is told by name only.
    pub(super) const fn of(kind: Option<OrganisationKind>) -> Self {
        match kind {
            Some(OrganisationKind::Social) => Self::Social,
            Some(OrganisationKind::Insurer) => Self::Insurer,
            Some(OrganisationKind::Care | OrganisationKind::OccupationalHealth) | None => Self::Care,
        }
    }

    /// The word.
    pub(super) const fn word(self, language: Language) -> &'static str {
        match self {
            Self::Care => language.pick("Soignant", "Care"),
            Self::Social => language.pick("Travail social", "Social work"),
            Self::Insurer => language.pick("Complémentaire", "Insurer"),
        }
    }

    /// The shape.
    pub(super) const fn shape(self) -> &'static str {
        match self {
            Self::Care => "●",
            Self::Social => "■",
            Self::Insurer => "◆",
        }
    }

    /// The class that gives the colour.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Care => "care",
            Self::Social => "social",
            Self::Insurer => "insurer",
        }
    }
}
