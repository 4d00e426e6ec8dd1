//! The model's words as Cedar entities and contexts: the one place where one becomes the other.
//!
//! No identifier of a record or of an asker enters an entity: their uids are constants. What two questions do not
//! differ in here, they cannot differ in by answer; the memo rests on that.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{Context, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression as Expr};

use super::layer::Erred;
use super::matrix::Row;
use super::question::{Exclusion, Provision};
use crate::id::PatientId;
use crate::model::{ClinicalScope, Grantee, Interaction, Period, RecordFacts, Sensitivity, Software};

/// The Cedar names that never change, parsed once.
pub(super) struct Names {
    row: EntityTypeName,
    patient: EntityTypeName,
    pub(super) software: EntityUid,
    pub(super) record: EntityUid,
    pub(super) grant: EntityUid,
    pub(super) access: EntityUid,
    pub(super) access_own: EntityUid,
    pub(super) make_grant: EntityUid,
}

impl Names {
    pub(super) fn parse() -> Result<Self, String> {
        let uid = |text: &str| EntityUid::from_str(text).map_err(|e| e.to_string());
        let name = |text: &str| EntityTypeName::from_str(text).map_err(|e| e.to_string());
        Ok(Self {
            row: name("Row")?,
            patient: name("Patient")?,
            software: uid("Software::\"asker\"")?,
            record: uid("Record::\"asked\"")?,
            grant: uid("Grant::\"proposed\"")?,
            access: uid("Action::\"access\"")?,
            access_own: uid("Action::\"accessOwn\"")?,
            make_grant: uid("Action::\"grant\"")?,
        })
    }

    pub(super) fn row(&self, name: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.row.clone(), EntityId::new(name))
    }

    pub(super) fn patient(&self, id: PatientId) -> EntityUid {
        EntityUid::from_type_name_and_id(self.patient.clone(), EntityId::new(id.to_string()))
    }
}

pub(super) fn text(value: &str) -> Expr {
    Expr::new_string(value.to_owned())
}

pub(super) fn texts<I: IntoIterator<Item = S>, S: Into<String>>(values: I) -> Expr {
    Expr::new_set(values.into_iter().map(|v| Expr::new_string(v.into())))
}

/// Makes an entity of attributes.
pub(super) fn entity<const N: usize>(uid: EntityUid, attributes: [(&str, Expr); N]) -> Result<Entity, Erred> {
    let attributes: HashMap<String, Expr> = attributes.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Entity::new(uid, attributes, HashSet::new()).map_err(|_| Erred)
}

/// A row of the matrix.
pub(super) fn row(uid: EntityUid, row: &Row) -> Result<Entity, Erred> {
    entity(
        uid,
        [
            ("reads", texts(&row.reads)),
            ("deposits", texts(&row.deposits)),
            ("documents", texts(&row.documents)),
            ("refused", texts(&row.refused)),
            ("typed", texts(&row.typed)),
            ("social", Expr::new_bool(row.social)),
        ],
    )
}

/// The software that asks.
pub(super) fn software(names: &Names, row: EntityUid, software: &Software, active: bool) -> Result<Entity, Erred> {
    entity(
        names.software.clone(),
        [
            ("kind", text(software.kind.word())),
            ("row", Expr::new_entity_uid(row)),
            ("grantees", texts(software.grantees().iter().map(ToString::to_string))),
            ("names", texts(software.professional.iter().map(|(id, _)| id.to_string()))),
            ("active", Expr::new_bool(active)),
        ],
    )
}

/// The record asked for.
pub(super) fn record(names: &Names, facts: &RecordFacts) -> Result<Entity, Erred> {
    let authored = facts.authored.unwrap_or(Period { from: Period::ALWAYS.to, to: Period::ALWAYS.from });
    entity(
        names.record.clone(),
        [
            ("patient", Expr::new_entity_uid(names.patient(facts.key.patient))),
            ("resourceType", text(&facts.resource_type)),
            ("class", text(facts.class.word())),
            ("confidentiality", Expr::new_long(facts.confidentiality.rank())),
            ("sensitivities", texts(facts.sensitivities.iter().map(Sensitivity::code))),
            ("categories", texts(facts.categories.iter().map(ToString::to_string))),
            ("documentTypes", texts(facts.document_types.iter().map(ToString::to_string))),
            ("dated", Expr::new_bool(facts.authored.is_some())),
            ("authoredFrom", Expr::new_long(authored.from.0)),
            ("authoredTo", Expr::new_long(authored.to.0)),
            ("visibility", texts(facts.visibility.iter().map(|v| v.code()))),
            ("authors", texts(facts.author.iter().map(ToString::to_string))),
        ],
    )
}

/// The letters of a scope, as the policies' words.
pub(super) fn interactions(scope: &ClinicalScope) -> Expr {
    texts(Interaction::ALL.into_iter().filter(|i| scope.interactions.has(*i)).map(Interaction::word))
}

/// How a grantee is named, as the policies' word.
pub(super) const fn grantee_kind(grantee: &Grantee) -> &'static str {
    match grantee {
        Grantee::Organisation(_) => "organisation",
        Grantee::Professional(_) => "professional",
        Grantee::Role(..) => "role",
    }
}

// SL-06: a rule on a category speaks of its descendants too; the policy then needs plain containment only.
fn with_descendants(allowed: &[Sensitivity]) -> Expr {
    let all = Sensitivity::ALL.iter().filter_map(|(code, _)| code.parse::<Sensitivity>().ok());
    texts(all.filter(|s| allowed.iter().any(|a| a.covers(s))).map(|s| s.code()))
}

/// One scope of one provision.
pub(super) fn provision(names: &Names, provision: &Provision, scope: &ClinicalScope) -> Result<Expr, Erred> {
    let terms = &provision.terms;
    pairs([
        ("patient", Expr::new_entity_uid(names.patient(provision.patient))),
        ("grantee", text(&terms.grantee.to_string())),
        ("granteeKind", text(grantee_kind(&terms.grantee))),
        ("anyType", Expr::new_bool(scope.resource_type.is_none())),
        ("resourceType", text(scope.resource_type.as_deref().unwrap_or_default())),
        ("interactions", interactions(scope)),
        ("anyCategory", Expr::new_bool(scope.categories.is_empty())),
        ("categories", texts(scope.categories.iter().map(ToString::to_string))),
        ("purposes", texts(terms.purpose.iter().map(|p| p.code()))),
        ("ceiling", Expr::new_long(terms.confidentiality.rank())),
        ("sensitivities", with_descendants(&terms.sensitivity)),
        ("anyDate", Expr::new_bool(terms.authored == Period::ALWAYS)),
        ("authoredFrom", Expr::new_long(terms.authored.from.0)),
        ("authoredTo", Expr::new_long(terms.authored.to.0)),
    ])
}

/// A provision that reaches nobody and allows nothing: what is asked when there is none, so that the reason is told.
pub(super) fn no_provision(names: &Names, patient: PatientId) -> Result<Expr, Erred> {
    let none = || texts(std::iter::empty::<String>());
    pairs([
        ("patient", Expr::new_entity_uid(names.patient(patient))),
        ("grantee", text("")),
        ("granteeKind", text("")),
        ("anyType", Expr::new_bool(false)),
        ("resourceType", text("")),
        ("interactions", none()),
        ("anyCategory", Expr::new_bool(false)),
        ("categories", none()),
        ("purposes", none()),
        ("ceiling", Expr::new_long(-1)),
        ("sensitivities", none()),
        ("anyDate", Expr::new_bool(false)),
        ("authoredFrom", Expr::new_long(i64::MAX)),
        ("authoredTo", Expr::new_long(i64::MIN)),
    ])
}

fn pairs<const N: usize>(values: [(&str, Expr); N]) -> Result<Expr, Erred> {
    Expr::new_record(values.into_iter().map(|(k, v)| (k.to_owned(), v))).map_err(|_| Erred)
}

/// The context of an access under a provision.
pub(super) fn access_context(
    asker: &Software,
    interaction: Interaction,
    record: &RecordFacts,
    exclusions: &[Exclusion],
    provision: Expr,
) -> Result<Context, Erred> {
    let covers = asker.scopes.iter().any(|s| s.covers(interaction, &record.resource_type, &record.categories));
    Context::from_pairs([
        ("interaction".to_owned(), text(interaction.word())),
        ("purpose".to_owned(), text(asker.purpose.code())),
        ("tokenCovers".to_owned(), Expr::new_bool(covers)),
        ("excluded".to_owned(), texts(exclusions.iter().map(|e| e.professional.to_string()))),
        ("provision".to_owned(), provision),
    ])
    .map_err(|_| Erred)
}

/// The context of a patient's access to their own record.
pub(super) fn own_context(interaction: Interaction) -> Result<Context, Erred> {
    Context::from_pairs([("interaction".to_owned(), text(interaction.word()))]).map_err(|_| Erred)
}
