//! Who may be given access, and for what purpose.

use std::fmt;
use std::str::FromStr;

use super::label::UnknownCode;
use crate::id::{OrganisationId, ProfessionalId};

/// What an organisation is, which bounds what it may ever see (standards §18.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OrganisationKind {
    /// Hospital, practice, laboratory: provides care.
    Care,
    /// Social and medico-social service.
    Social,
    /// Complementary insurer: mutuelle, institution de prévoyance, assureur (L.1111-18 CSP).
    Insurer,
    /// Occupational health service: express consent only (L.1111-17 IV CSP).
    OccupationalHealth,
}

impl OrganisationKind {
    /// The word used in enrolments and policies.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Care => "care",
            Self::Social => "social",
            Self::Insurer => "insurer",
            Self::OccupationalHealth => "occupational-health",
        }
    }
}

impl FromStr for OrganisationKind {
    type Err = UnknownCode;
    fn from_str(word: &str) -> Result<Self, UnknownCode> {
        Ok(match word {
            "care" => Self::Care,
            "social" => Self::Social,
            "insurer" => Self::Insurer,
            "occupational-health" => Self::OccupationalHealth,
            _ => return Err(UnknownCode),
        })
    }
}

/// A profession code of the French register (TRE_G15 / TRE_R94 for the social field), as text: "10" is physician.
///
/// At most 16 characters of `A-Z a-z 0-9 -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Profession(String);

impl Profession {
    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0
    }
}

impl FromStr for Profession {
    type Err = UnknownCode;
    fn from_str(code: &str) -> Result<Self, UnknownCode> {
        let fits = !code.is_empty() && code.len() <= 16 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits { Ok(Self(code.to_owned())) } else { Err(UnknownCode) }
    }
}

/// Why data is asked for (HL7 v3 PurposeOfUse). Matching is exact: BTG is a descendant of TREAT in v3 and
/// must not be implied by it (SL-05).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Purpose {
    /// Treatment.
    Treat,
    /// Emergency treatment.
    Etreat,
    /// Break the glass.
    Btg,
    /// Coordination of care.
    Coc,
    /// Healthcare payment.
    Hpaymt,
    /// Eligibility verification, a payment purpose.
    Eligver,
    /// Care management (social and medico-social support).
    Caremgt,
    /// At the patient's own request.
    Patrqt,
    /// Research.
    Hresch,
}

impl Purpose {
    /// The code system of these codes.
    pub const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

    /// Every purpose we know.
    pub const ALL: [Self; 9] = [
        Self::Treat,
        Self::Etreat,
        Self::Btg,
        Self::Coc,
        Self::Hpaymt,
        Self::Eligver,
        Self::Caremgt,
        Self::Patrqt,
        Self::Hresch,
    ];

    /// The code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Treat => "TREAT",
            Self::Etreat => "ETREAT",
            Self::Btg => "BTG",
            Self::Coc => "COC",
            Self::Hpaymt => "HPAYMT",
            Self::Eligver => "ELIGVER",
            Self::Caremgt => "CAREMGT",
            Self::Patrqt => "PATRQT",
            Self::Hresch => "HRESCH",
        }
    }
}

impl FromStr for Purpose {
    type Err = UnknownCode;
    fn from_str(code: &str) -> Result<Self, UnknownCode> {
        Self::ALL.into_iter().find(|p| p.code() == code).ok_or(UnknownCode)
    }
}

/// To whom a consent gives access.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Grantee {
    /// Everyone who asks through this organisation.
    Organisation(OrganisationId),
    /// One professional, wherever they work.
    Professional(ProfessionalId),
    /// Everyone of one profession within one organisation.
    Role(OrganisationId, Profession),
}

impl fmt::Display for Grantee {
    /// `organisation/ID`, `professional/ID` or `role/ID/CODE`; the one spelling used in statements and blind indexes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organisation(id) => write!(f, "organisation/{id}"),
            Self::Professional(id) => write!(f, "professional/{id}"),
            Self::Role(id, profession) => write!(f, "role/{id}/{}", profession.code()),
        }
    }
}

impl FromStr for Grantee {
    type Err = UnknownCode;
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let (kind, rest) = text.split_once('/').ok_or(UnknownCode)?;
        match kind {
            "organisation" => rest.parse().map(Self::Organisation).map_err(|_| UnknownCode),
            "professional" => rest.parse().map(Self::Professional).map_err(|_| UnknownCode),
            "role" => {
                let (id, code) = rest.split_once('/').ok_or(UnknownCode)?;
                Ok(Self::Role(id.parse().map_err(|_| UnknownCode)?, code.parse()?))
            }
            _ => Err(UnknownCode),
        }
    }
}
