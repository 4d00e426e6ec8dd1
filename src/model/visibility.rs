//! Who must not see a document (France, value set TRE_A07-StatutVisibiliteDocument).

use std::str::FromStr;

use super::label::UnknownCode;

/// A visibility code of the French record. They stand beside the other labels and are set and removed one by one
/// (FR-14); what each does is written in the law, `policies/fr/law.cedar`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Visibility {
    /// Masked from professionals; its author keeps access (R.1111-49 CSP).
    MasquePs,
    /// Masked from professionals of the social field.
    MasquePsocial,
    /// Masked from third persons: whoever helps the patient.
    MasquePt,
    /// Not shown to the patient until it is announced.
    InvisiblePatient,
    /// Not shown to the legal representatives of a minor.
    InvisibleRepresentants,
}

impl Visibility {
    /// The code system of these codes.
    pub const SYSTEM: &str =
        "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument";

    /// Every code.
    pub const ALL: [Self; 5] =
        [Self::MasquePs, Self::MasquePsocial, Self::MasquePt, Self::InvisiblePatient, Self::InvisibleRepresentants];

    /// The code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MasquePs => "MASQUE_PS",
            Self::MasquePsocial => "MASQUE_PSOCIAL",
            Self::MasquePt => "MASQUE_PT",
            Self::InvisiblePatient => "INVISIBLE_PATIENT",
            Self::InvisibleRepresentants => "INVISIBLE_REPRESENTANTS_LEGAUX",
        }
    }
}

impl FromStr for Visibility {
    type Err = UnknownCode;
    fn from_str(code: &str) -> Result<Self, UnknownCode> {
        Self::ALL.into_iter().find(|v| v.code() == code).ok_or(UnknownCode)
    }
}
