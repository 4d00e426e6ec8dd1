//! A Consent in the shape of IHE PCF, read as what it asks of the patient.
//!
//! It is never a grant, whatever its status: who grants is the patient, by a signature. Every rule of it must be one
//! that can be enforced exactly (PCF: a recorder must not record what the enforcement point cannot do); a Consent with
//! any other is refused whole, for a part of it would be another consent.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::fhir::{self, Issue, date_time};
use crate::id::{OrganisationId, PatientId};
use crate::json::Node;
use crate::model::{ClinicalScope, Confidentiality, Grantee, Period, Profession, Purpose, Sensitivity, Terms};

/// What a Consent asks: each of the terms is a consent of its own, to be granted or declined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Of whom.
    pub patient: PatientId,
    /// What for; not empty.
    pub terms: Vec<Terms>,
}

/// Why a Consent cannot be put to the patient.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unaskable {
    /// Not valid FHIR R4.
    #[error("the Consent is not valid")]
    Invalid(Vec<Issue>),
    /// Not in the shape of PCF (PC-07) or of our profile of it.
    #[error("{0}")]
    Shape(&'static str),
    /// A rule that could not be enforced exactly.
    #[error("this rule cannot be enforced here, so it cannot be recorded: {0}")]
    Unenforceable(&'static str),
}

/// Grantees that one Consent may name, over all its rules.
const MOST: usize = 8;
/// Everything, to be read and searched: PCF speaks of no types.
const ALL: &str = "*.rs";

/// Reads a Consent; `base` is our own address, without a final slash.
///
/// # Errors
/// [`Unaskable`] for whatever is missing, or not understood in full.
pub fn read(consent: &Node<'_>, base: &str) -> Result<Asked, Unaskable> {
    let issues = fhir::validate(consent);
    if !issues.is_empty() {
        return Err(Unaskable::Invalid(issues));
    }
    let patient = frame(consent, base)?;
    let root = consent.get("provision").ok_or(Unaskable::Shape("`provision` is missing (CO-07)"))?;
    let mut terms = Vec::new();
    let outer = Rule::read(root, base)?;
    plain(root, &["type", "period", "actor", "purpose", "securityLabel", "dataPeriod", "provision"])?;
    let nested = root.get("provision").map_or(&[][..], Node::items);
    let valid = outer.valid.ok_or(Unaskable::Shape("a consent needs a period with an end (CT-05)"))?;
    match root.text_of("type") {
        Some("permit") => {
            let mut limits = outer.limits.clone();
            for rule in nested.iter().filter(|rule| rule.text_of("type") == Some("deny")) {
                limits.deny(rule)?;
            }
            outer.grant(&outer.purposes, &limits, valid, &mut terms)?;
        }
        Some("deny") if nested.is_empty() => {
            return Err(Unaskable::Shape("nothing is shared without a consent: a refusal needs no request"));
        }
        Some("deny") => plain(root, &["type", "period", "actor", "purpose", "provision"])
            .map_err(|_| Unaskable::Unenforceable("a refusal of some data beside a permit of other"))?,
        // CO-05a: no sign is made up.
        Some(_) | None => return Err(Unaskable::Shape("`provision.type` is missing (CO-05a)")),
    }
    for rule in nested.iter().filter(|rule| rule.text_of("type") != Some("deny")) {
        except(root, rule, &outer, (valid, base), &mut terms)?;
    }
    if terms.len() > MOST {
        return Err(Unaskable::Shape("too many grantees in one Consent"));
    }
    Ok(Asked { patient, terms })
}

/// What stands around the rules (PC-07, CO-01…CO-03, CO-14); whose consent it would be.
fn frame(consent: &Node<'_>, base: &str) -> Result<PatientId, Unaskable> {
    if consent.text_of("resourceType") != Some("Consent") {
        return Err(Unaskable::Shape("not a Consent"));
    }
    if !matches!(consent.text_of("status"), Some("draft" | "proposed" | "active")) {
        return Err(Unaskable::Shape("only a Consent that is draft, proposed or active asks for anything"));
    }
    if consent.get("verification").is_some() {
        return Err(Unaskable::Shape("PCF has no `verification`"));
    }
    let has = |name: &str| consent.get(name).is_some();
    if !has("dateTime") || !has("organization") || !(has("sourceReference") || has("sourceAttachment")) {
        return Err(Unaskable::Shape("PCF demands `dateTime`, `organization` and `source[x]`"));
    }
    let uri = |policy: &Node<'_>| policy.text_of("uri").is_some();
    if !consent.get("policy").is_some_and(|policies| policies.items().iter().any(uri)) {
        return Err(Unaskable::Shape("PCF demands `policy.uri`"));
    }
    let patient = consent.get("patient").and_then(|p| p.text_of("reference"));
    let patient = patient.and_then(|reference| local(reference, base).strip_prefix("Patient/")?.parse().ok());
    let patient: PatientId = patient.ok_or(Unaskable::Shape("`patient` names nobody's record here"))?;
    let is_patient = |by: &Node<'_>| {
        by.text_of("reference").is_some_and(|r| local(r, base).strip_prefix("Patient/") == Some(&patient.to_string()))
    };
    let performers = consent.get("performer").map_or(&[][..], Node::items);
    if performers.is_empty() || !performers.iter().all(is_patient) {
        return Err(Unaskable::Shape("the one who consents is the patient (CO-14)"));
    }
    Ok(patient)
}

/// One `provision`.
struct Rule {
    grantees: Vec<Grantee>,
    purposes: Vec<Purpose>,
    limits: Limits,
    valid: Option<Period>,
}

/// Which data a rule lets through.
#[derive(Clone)]
struct Limits {
    /// Highest confidentiality (CO-05b: a permit matches data up to its label).
    ceiling: Confidentiality,
    /// Categories, each with its descendants.
    open: Vec<Sensitivity>,
    authored: Period,
    /// Whether anything was limited.
    any: bool,
}

impl Limits {
    const NONE: Self = Self { ceiling: Confidentiality::V, open: Vec::new(), authored: Period::ALWAYS, any: false };

    /// Takes away what a nested `deny` names: labels, and nothing else.
    fn deny(&mut self, rule: &Node<'_>) -> Result<(), Unaskable> {
        plain(rule, &["type", "securityLabel"])
            .map_err(|_| Unaskable::Unenforceable("an exception may only name labels"))?;
        let labels = labels(rule)?;
        if labels.is_empty() {
            return Err(Unaskable::Shape("an exception without a limit excepts everything"));
        }
        for label in labels {
            match label {
                // CO-05b: a deny matches data from its label on.
                Label::Level(level) => {
                    let lower = LEVELS.iter().rev().find(|lower| **lower < level);
                    let lower = lower.ok_or(Unaskable::Shape("nothing is left under this exception"))?;
                    self.ceiling = self.ceiling.min(*lower);
                }
                Label::Category(category) => {
                    let before = self.open.len();
                    self.open.retain(|open| *open != category);
                    if self.open.len() == before || self.open.iter().any(|open| open.covers(&category)) {
                        return Err(Unaskable::Unenforceable("an exception within a wider category"));
                    }
                }
            }
        }
        Ok(())
    }
}

const LEVELS: [Confidentiality; 6] = [
    Confidentiality::U,
    Confidentiality::L,
    Confidentiality::M,
    Confidentiality::N,
    Confidentiality::R,
    Confidentiality::V,
];

enum Label {
    Level(Confidentiality),
    Category(Sensitivity),
}

impl Rule {
    fn read(node: &Node<'_>, base: &str) -> Result<Self, Unaskable> {
        let mut limits = Limits { open: every_category(), ..Limits::NONE };
        let labels = labels(node)?;
        if !labels.is_empty() {
            limits.any = true;
            let level = |label: &Label| if let Label::Level(level) = label { Some(*level) } else { None };
            let levels: Option<Vec<Confidentiality>> = labels.iter().map(level).collect();
            // Data that carries a category *or* lies under a level is no filter of ours.
            let levels = levels.ok_or(Unaskable::Unenforceable("a permit for what carries a category"))?;
            limits.ceiling = levels.into_iter().max().unwrap_or(Confidentiality::U);
        }
        if let Some(period) = node.get("dataPeriod") {
            limits.any = true;
            limits.authored = Period {
                from: moment(period, "start")?.map_or(Period::ALWAYS.from, |p| whole(p.from)),
                to: moment(period, "end")?.map_or(Period::ALWAYS.to, |p| p.to),
            };
            // The last second wholly within, so that data dated to the day of the end is (CO-06).
            if limits.authored.to != Period::ALWAYS.to {
                limits.authored.to = whole(Timestamp(limits.authored.to.0.saturating_add(1)));
            }
        }
        Ok(Self { grantees: grantees(node, base)?, purposes: purposes(node)?, limits, valid: valid(node)? })
    }

    /// The terms that this rule asks for, one per grantee.
    fn grant(
        &self,
        purposes: &[Purpose],
        limits: &Limits,
        valid: Period,
        out: &mut Vec<Terms>,
    ) -> Result<(), Unaskable> {
        if self.grantees.is_empty() {
            return Err(Unaskable::Shape("a permit names to whom (CO-08)"));
        }
        if purposes.is_empty() {
            return Err(Unaskable::Shape("a permit names a purpose"));
        }
        let all: ClinicalScope = ALL.parse().map_err(|_| Unaskable::Shape("scope"))?;
        for grantee in &self.grantees {
            out.push(Terms {
                grantee: grantee.clone(),
                scope: vec![all.clone()],
                purpose: purposes.to_vec(),
                confidentiality: limits.ceiling,
                sensitivity: limits.open.clone(),
                authored: limits.authored,
                valid,
            });
        }
        Ok(())
    }
}

/// A nested permit: an exception from a deny, or one that lifts a limit of the root for those it names (CO-05).
fn except(
    root: &Node<'_>,
    rule: &Node<'_>,
    outer: &Rule,
    (valid, base): (Period, &str),
    out: &mut Vec<Terms>,
) -> Result<(), Unaskable> {
    plain(rule, &["type", "actor", "purpose", "securityLabel", "dataPeriod"])?;
    if rule.text_of("type") != Some("permit") {
        return Err(Unaskable::Shape("`provision.type` is missing (CO-05a)"));
    }
    let inner = Rule::read(rule, base)?;
    if root.text_of("type") == Some("permit") && !outer.limits.any {
        return Err(Unaskable::Shape("a permit within a permit has nothing to lift (CO-05)"));
    }
    let purposes = if inner.purposes.is_empty() { &outer.purposes } else { &inner.purposes };
    inner.grant(purposes, &inner.limits, valid, out)
}

/// Only these members: one that is not understood could be a limit.
fn plain(rule: &Node<'_>, known: &[&str]) -> Result<(), Unaskable> {
    for member in rule.members() {
        match member.name.as_ref() {
            "action" | "class" | "code" => return Err(Unaskable::Shape("PCF has no `action`, `class` or `code`")),
            "data" => return Err(Unaskable::Unenforceable("rules on single records")),
            name if known.contains(&name) => {}
            "provision" => return Err(Unaskable::Shape("PCF nests one level deep")),
            _ => return Err(Unaskable::Unenforceable("a member of the rule that is not understood")),
        }
    }
    Ok(())
}

fn labels(rule: &Node<'_>) -> Result<Vec<Label>, Unaskable> {
    let read = |coding: &Node<'_>| {
        let code = coding.text_of("code")?;
        match coding.text_of("system")? {
            Confidentiality::SYSTEM => code.parse().ok().map(Label::Level),
            Sensitivity::SYSTEM => code.parse().ok().map(Label::Category),
            _ => None,
        }
    };
    let all = rule.get("securityLabel").map_or(&[][..], Node::items);
    all.iter().map(read).collect::<Option<_>>().ok_or(Unaskable::Unenforceable("a label that is not known here"))
}

/// The widest categories; every other descends from one of them.
fn every_category() -> Vec<Sensitivity> {
    let roots = Sensitivity::ALL.iter().filter(|(_, parent)| parent.is_none());
    let all: BTreeSet<Sensitivity> = roots.filter_map(|(code, _)| code.parse().ok()).collect();
    all.into_iter().collect()
}

fn purposes(rule: &Node<'_>) -> Result<Vec<Purpose>, Unaskable> {
    let read = |coding: &Node<'_>| {
        let ours = coding.text_of("system") == Some(Purpose::SYSTEM);
        coding.text_of("code").filter(|_| ours)?.parse::<Purpose>().ok()
    };
    let all = rule.get("purpose").map_or(&[][..], Node::items);
    let all: Option<BTreeSet<Purpose>> = all.iter().map(read).collect();
    Ok(all.ok_or(Unaskable::Unenforceable("a purpose that is not known here"))?.into_iter().collect())
}

fn grantees(rule: &Node<'_>, base: &str) -> Result<Vec<Grantee>, Unaskable> {
    let actors = rule.get("actor").map_or(&[][..], Node::items);
    actors.iter().map(|actor| grantee(actor, base)).collect()
}

fn grantee(actor: &Node<'_>, base: &str) -> Result<Grantee, Unaskable> {
    let coding = |c: &Node<'_>| c.text_of("code") == Some("IRCP");
    let role = actor.get("role").and_then(|r| r.get("coding"));
    if !role.is_some_and(|codings| codings.items().iter().any(coding)) {
        return Err(Unaskable::Shape("PCF knows the role IRCP only"));
    }
    let reference = actor.get("reference").and_then(|r| r.text_of("reference")).unwrap_or_default();
    let of = |reference: &str| match reference.split_once('/')? {
        ("Organization", id) => Some(Grantee::Organisation(id.parse().ok()?)),
        ("Practitioner", id) => Some(Grantee::Professional(id.parse().ok()?)),
        ("PractitionerRole", id) => {
            let (place, profession) = id.split_once('.')?;
            Some(Grantee::Role(place.parse::<OrganisationId>().ok()?, profession.parse::<Profession>().ok()?))
        }
        _ => None,
    };
    of(local(reference, base)).ok_or(Unaskable::Shape("an actor is nobody who is enrolled here"))
}

/// When the rule is in force; `None` without a period. The end is excluded in terms, included in FHIR (CO-06).
fn valid(rule: &Node<'_>) -> Result<Option<Period>, Unaskable> {
    let Some(period) = rule.get("period") else { return Ok(None) };
    let open = || Unaskable::Shape("a consent begins and ends (CT-05)");
    let start = moment(period, "start")?.ok_or_else(open)?;
    let end = moment(period, "end")?.ok_or_else(open)?;
    let to = whole(Timestamp(end.to.0.saturating_add(1)));
    let valid = Period { from: whole(start.from), to };
    if valid.from < valid.to { Ok(Some(valid)) } else { Err(Unaskable::Shape("the period ends before it begins")) }
}

fn moment(period: &Node<'_>, name: &str) -> Result<Option<Period>, Unaskable> {
    let Some(text) = period.text_of(name) else { return Ok(None) };
    date_time(text).map(Some).ok_or(Unaskable::Shape("a date that is none"))
}

/// The second that a moment lies in, as statements hold it.
const fn whole(moment: Timestamp) -> Timestamp {
    Timestamp::from_secs(moment.secs())
}

/// A reference below our own address, without it.
fn local<'r>(reference: &'r str, base: &str) -> &'r str {
    reference.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(reference)
}
