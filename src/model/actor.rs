//! Who is asking.

use super::party::{Grantee, OrganisationKind, Profession, Purpose};
use super::scope::ClinicalScope;
use crate::id::{ClientId, OrganisationId, PatientId, ProfessionalId};

/// Who is asking, established by `identity`; what they may see is decided elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// A patient, asking for themself.
    Patient(PatientId),
    /// Software of an enrolled organisation, for one of its people or for itself.
    Software(Software),
}

/// Software of an enrolled organisation and the person it names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Software {
    /// The enrolled client.
    pub client: ClientId,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// What that organisation is.
    pub kind: OrganisationKind,
    /// The professional it acts for, with their profession, when one is named.
    pub professional: Option<(ProfessionalId, Profession)>,
    /// Why it asks.
    pub purpose: Purpose,
    /// What its access token allows; a consent never widens it.
    pub scopes: Vec<ClinicalScope>,
}

impl Software {
    /// The grantees through which a consent may reach this actor.
    #[must_use]
    pub fn grantees(&self) -> Vec<Grantee> {
        let mut grantees = vec![Grantee::Organisation(self.organisation)];
        if let Some((professional, profession)) = &self.professional {
            grantees.push(Grantee::Professional(*professional));
            grantees.push(Grantee::Role(self.organisation, profession.clone()));
        }
        grantees
    }
}
