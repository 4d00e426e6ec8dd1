//! The evaluation of one record: one Cedar question per provision and scope, and the reason when all say no.

use cedar_policy::{Context, Entities, EntityUid, Request, RestrictedExpression};

use super::engine::Engine;
use super::entities;
use super::layer::Erred;
use super::memo::Outcome;
use super::question::{Exclusion, Provision, Standing};
use super::reason::Reason;
use crate::id::PatientId;
use crate::model::{ClinicalScope, Interaction, RecordFacts, Software};

/// Software that asks, with what it may rest on.
pub(super) struct Asker<'q> {
    pub(super) software: &'q Software,
    pub(super) standing: Standing,
    pub(super) interaction: Interaction,
    /// Those in force at the moment of asking.
    pub(super) provisions: &'q [&'q Provision],
    pub(super) exclusions: &'q [Exclusion],
}

impl Asker<'_> {
    /// The asker and their row of the matrix, as entities; made once per question.
    pub(super) fn entities(&self, engine: &Engine) -> Result<Entities, Erred> {
        let row = engine.matrix.row_of(self.software);
        let uid = engine.names.row(row);
        let asker = entities::software(&engine.names, uid, self.software, self.standing.holds())?;
        let base = engine.rows.get(row).ok_or(Erred)?.clone();
        base.add_entities([asker], Some(&engine.schema)).map_err(|_| Erred)
    }

    /// What comes of `record`; any error is a refusal.
    pub(super) fn outcome(&self, engine: &Engine, asker: &Entities, record: &RecordFacts) -> Outcome {
        self.evaluate(engine, asker, record).unwrap_or(Outcome::No(Reason::PolicyError))
    }

    fn evaluate(&self, engine: &Engine, asker: &Entities, record: &RecordFacts) -> Result<Outcome, Erred> {
        let entity = entities::record(&engine.names, record)?;
        let all = asker.clone().add_entities([entity], Some(&engine.schema)).map_err(|_| Erred)?;
        let mut refused = Vec::new();
        for (place, provision) in self.provisions.iter().enumerate() {
            for scope in scopes_to_try(provision, &record.resource_type) {
                let request = self.request(engine, record, entities::provision(&engine.names, provision, scope)?)?;
                if engine.allows(&request, &all)? {
                    return Ok(Outcome::Under(place));
                }
                refused.push(request);
            }
        }
        if refused.is_empty() {
            // Nothing to rest on: asked all the same, so that the reason is the law's when the law forbids anyway.
            let nothing = entities::no_provision(&engine.names, record.key.patient)?;
            refused.push(self.request(engine, record, nothing)?);
        }
        let mut why = Reason::NoRecord;
        for request in refused {
            why = why.max(engine.why("access", &request, &all)?);
        }
        Ok(Outcome::No(why))
    }

    fn request(&self, e: &Engine, record: &RecordFacts, provision: RestrictedExpression) -> Result<Request, Erred> {
        let context = entities::access_context(self.software, self.interaction, record, self.exclusions, provision)?;
        request(e, &e.names.software, &e.names.access, context)
    }
}

// Scopes of another type cannot admit the record; one is tried so that the reason is told, and the policy refuses it.
fn scopes_to_try<'p>(provision: &'p Provision, resource_type: &'p str) -> impl Iterator<Item = &'p ClinicalScope> {
    let fits = move |scope: &ClinicalScope| scope.resource_type.as_deref().is_none_or(|t| t == resource_type);
    let scopes = &provision.terms.scope;
    let any = scopes.iter().any(fits);
    scopes.iter().enumerate().filter(move |(i, scope)| if any { fits(scope) } else { *i == 0 }).map(|(_, scope)| scope)
}

/// What comes of a patient's own asking.
pub(super) fn own(engine: &Engine, patient: PatientId, interaction: Interaction, record: &RecordFacts) -> Outcome {
    let evaluate = || {
        let entity = entities::record(&engine.names, record)?;
        let all = Entities::empty().add_entities([entity], Some(&engine.schema)).map_err(|_| Erred)?;
        let asker = engine.names.patient(patient);
        let request = request(engine, &asker, &engine.names.access_own, entities::own_context(interaction)?)?;
        engine.judge("accessOwn", &request, &all)
    };
    match evaluate() {
        Ok(None) => Outcome::Own,
        Ok(Some(reason)) => Outcome::No(reason),
        Err(Erred) => Outcome::No(Reason::PolicyError),
    }
}

pub(super) fn request(
    engine: &Engine,
    who: &EntityUid,
    action: &EntityUid,
    context: Context,
) -> Result<Request, Erred> {
    let record = engine.names.record.clone();
    Request::new(who.clone(), action.clone(), record, context, Some(&engine.schema)).map_err(|_| Erred)
}
