//! Who a grantee is, as the register proves it.

use super::{ConsentError, Consents};
use crate::directory::{Organisation, Professional};
use crate::id::{OrganisationId, ProfessionalId};
use crate::model::{Grantee, OrganisationKind, Profession};

/// A grantee and what the public register says of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) grantee: Grantee,
    pub(super) name: String,
    /// Of a professional or a role.
    pub(super) profession: Option<Profession>,
    /// Of an organisation or a role; of a professional when they work for insurers only.
    pub(super) kind: Option<OrganisationKind>,
    /// What kinds of organisation in good standing they work in.
    pub(super) kinds: Vec<OrganisationKind>,
    /// Whether they stand, and somewhere to work from does.
    pub(super) active: bool,
}

/// Somebody who may be given access, as the public register proves them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient {
    /// How consents name them.
    pub grantee: Grantee,
    /// Their public name.
    pub name: String,
    /// What they are, or what they work for: care before anything else.
    pub kind: Option<OrganisationKind>,
}

impl Known {
    /// What they are, or what they work for: care before anything else.
    pub(super) fn circle(&self) -> Option<OrganisationKind> {
        let kinds = [OrganisationKind::Care, OrganisationKind::Social, OrganisationKind::Insurer];
        kinds.into_iter().find(|kind| self.kinds.contains(kind)).or_else(|| self.kinds.first().copied())
    }
}

impl Consents {
    /// Who `grantee` is.
    ///
    /// # Errors
    /// [`ConsentError::NoGrantee`] when nobody in good standing is enrolled so.
    pub async fn recipient(&self, grantee: Grantee) -> Result<Recipient, ConsentError> {
        let who = self.known(&grantee).await?;
        if !who.active {
            return Err(ConsentError::NoGrantee);
        }
        let kind = who.circle();
        Ok(Recipient { grantee, name: who.name, kind })
    }

    /// The grantee's enrolment, standing or suspended; [`ConsentError::NoGrantee`] when nobody is enrolled so.
    pub(super) async fn known(&self, grantee: &Grantee) -> Result<Known, ConsentError> {
        match grantee {
            Grantee::Organisation(id) => Ok(of_organisation(grantee, &self.organisation(*id).await?, None)),
            Grantee::Role(id, profession) => {
                Ok(of_organisation(grantee, &self.organisation(*id).await?, Some(profession.clone())))
            }
            Grantee::Professional(id) => {
                let person = self.professional(*id).await?;
                let kinds: Vec<_> = self.places(&person).await?.iter().map(|o| o.kind).collect();
                let insurer = !kinds.is_empty() && kinds.iter().all(|k| *k == OrganisationKind::Insurer);
                Ok(Known {
                    grantee: grantee.clone(),
                    name: person.name,
                    profession: Some(person.profession),
                    kind: insurer.then_some(OrganisationKind::Insurer),
                    active: person.active && !kinds.is_empty(),
                    kinds,
                })
            }
        }
    }

    /// The organisations in good standing in which `person` works.
    pub(super) async fn places(&self, person: &Professional) -> Result<Vec<Organisation>, ConsentError> {
        let mut places = Vec::new();
        for id in &person.organisations {
            match self.organisation(*id).await {
                // F39: the relation is per organisation; a suspended one gives nothing.
                Ok(place) if place.active => places.push(place),
                Ok(_) | Err(ConsentError::NoGrantee) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(places)
    }

    pub(super) async fn organisation(&self, id: OrganisationId) -> Result<Organisation, ConsentError> {
        let row = self.store.party(id.as_bytes()).await?.ok_or(ConsentError::NoGrantee)?;
        let party = self.register.check(&row).map_err(ConsentError::unavailable)?;
        party.organisation().cloned().map_err(|_| ConsentError::NoGrantee)
    }

    pub(super) async fn professional(&self, id: ProfessionalId) -> Result<Professional, ConsentError> {
        let row = self.store.party(id.as_bytes()).await?.ok_or(ConsentError::NoGrantee)?;
        let party = self.register.check(&row).map_err(ConsentError::unavailable)?;
        party.professional().cloned().map_err(|_| ConsentError::NoGrantee)
    }

    /// Every professional in good standing who works at `place`.
    pub(super) async fn staff(&self, place: OrganisationId) -> Result<Vec<Professional>, ConsentError> {
        let mut staff = Vec::new();
        for row in self.store.parties("professional").await? {
            let party = self.register.check(&row).map_err(ConsentError::unavailable)?;
            let person = party.professional().map_err(ConsentError::unavailable)?;
            if person.active && person.organisations.contains(&place) {
                staff.push(person.clone());
            }
        }
        Ok(staff)
    }
}

fn of_organisation(grantee: &Grantee, place: &Organisation, profession: Option<Profession>) -> Known {
    Known {
        grantee: grantee.clone(),
        name: place.name.clone(),
        profession,
        kind: Some(place.kind),
        kinds: vec![place.kind],
        active: place.active,
    }
}
