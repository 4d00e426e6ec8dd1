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
        grantees(self.organisation, self.professional.as_ref())
    }
}

/// What a verified access token says about who is asking. The register has the last word on every part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bearer {
    /// For whom the token was made.
    pub subject: Subject,
    /// Why data is asked for.
    pub purpose: Purpose,
    /// What the token allows.
    pub scopes: Vec<ClinicalScope>,
    /// The one patient it was made for; with it nobody else's record is asked for (DX-17).
    pub only: Option<PatientId>,
}

/// For whom a token was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A patient, asking for themself.
    Patient(PatientId),
    /// An organisation's software, for one of its people or for itself.
    Client {
        /// The enrolled client.
        client: ClientId,
        /// Its organisation.
        organisation: OrganisationId,
        /// The professional it names, with the profession the register gave when the token was made.
        professional: Option<(ProfessionalId, Profession)>,
    },
}

impl Bearer {
    /// The grantees through which a consent may reach the bearer; none for a patient.
    #[must_use]
    pub fn grantees(&self) -> Vec<Grantee> {
        match &self.subject {
            Subject::Patient(_) => Vec::new(),
            Subject::Client { organisation, professional, .. } => grantees(*organisation, professional.as_ref()),
        }
    }
}

fn grantees(organisation: OrganisationId, professional: Option<&(ProfessionalId, Profession)>) -> Vec<Grantee> {
    let mut grantees = vec![Grantee::Organisation(organisation)];
    if let Some((professional, profession)) = professional {
        grantees.push(Grantee::Professional(*professional));
        grantees.push(Grantee::Role(organisation, profession.clone()));
    }
    grantees
}
