//! May such a grant be made at all? Asked of the same law before a patient is shown what to sign (FR-02, CT-10).

use cedar_policy::{Context, Entities, EntityUid, Request, RestrictedExpression as Expr};

use super::engine::Engine;
use super::entities::{entity, grantee_kind, interactions, text, texts};
use super::layer::Erred;
use super::reason::Reason;
use crate::id::PatientId;
use crate::model::{ClinicalScope, Grantee, OrganisationKind, Profession, Terms};

/// What the directory knows of a grantee.
#[derive(Clone, Copy, Debug)]
pub struct Prospect<'a> {
    /// What the organisation is; for a professional, every kind of organisation they work in.
    pub kinds: &'a [OrganisationKind],
    /// The profession of a grantee who is a professional.
    pub profession: Option<&'a Profession>,
}

impl Engine {
    /// Whether the law would ever honour such a grant, every scope of it, in at least one of the places where the
    /// grantee works.
    ///
    /// # Errors
    /// The [`Reason`] why not; an unknown kind of grantee, an empty scope list and any error are refusals.
    pub fn would_grant(&self, terms: &Terms, prospect: &Prospect<'_>) -> Result<(), Reason> {
        let mut why = Reason::NoGround;
        for kind in prospect.kinds {
            match self.would_grant_to(terms, *kind, prospect.profession) {
                Ok(()) => return Ok(()),
                Err(reason) => why = why.max(reason),
            }
        }
        Err(why)
    }

    fn would_grant_to(&self, terms: &Terms, kind: OrganisationKind, known: Option<&Profession>) -> Result<(), Reason> {
        let profession = match &terms.grantee {
            Grantee::Organisation(_) => None,
            Grantee::Professional(_) => known,
            Grantee::Role(_, profession) => Some(profession),
        };
        let row = self.matrix.row(kind, profession);
        if terms.scope.is_empty() {
            return Err(Reason::Scope);
        }
        for scope in &terms.scope {
            match self.judge_grant(terms, scope, kind, row) {
                Ok(None) => {}
                Ok(Some(reason)) => return Err(reason),
                Err(Erred) => return Err(Reason::PolicyError),
            }
        }
        Ok(())
    }

    fn judge_grant(
        &self,
        terms: &Terms,
        scope: &ClinicalScope,
        kind: OrganisationKind,
        row: &str,
    ) -> Result<Option<Reason>, Erred> {
        let seconds = terms.valid.to.secs().saturating_sub(terms.valid.from.secs());
        let grant = entity(
            self.names.grant.clone(),
            [
                ("kind", text(kind.word())),
                ("row", Expr::new_entity_uid(self.names.row(row))),
                ("granteeKind", text(grantee_kind(&terms.grantee))),
                ("anyType", Expr::new_bool(scope.resource_type.is_none())),
                ("resourceType", text(scope.resource_type.as_deref().unwrap_or_default())),
                ("interactions", interactions(scope)),
                ("purposes", texts(terms.purpose.iter().map(|p| p.code()))),
                ("seconds", Expr::new_long(seconds)),
            ],
        )?;
        let base = self.rows.get(row).ok_or(Erred)?.clone();
        let all: Entities = base.add_entities([grant], Some(&self.schema)).map_err(|_| Erred)?;
        // The law does not ask which patient grants.
        let grantor: EntityUid = self.names.patient(PatientId::from_bytes([0; 16]));
        let (action, resource) = (self.names.make_grant.clone(), self.names.grant.clone());
        let request = Request::new(grantor, action, resource, Context::empty(), Some(&self.schema));
        self.judge("grant", &request.map_err(|_| Erred)?, &all)
    }
}
