//! A consent as FHIR R4 Consent, in the shape of IHE PCF where PCF can say what was signed.
//!
//! The signed statement stands in `sourceAttachment`; it is what counts, the rest is how to read it. Where PCF has no
//! word for a limit (types, interactions, categories) the elements of base R4 say it and the profile is not claimed: a
//! projection must never read wider than what was signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::consents::key;
use super::names::reference;
use super::write::{add, coding, concept};
use crate::clock::Timestamp;
use crate::consent::{Past, View};
use crate::id::PatientId;
use crate::model::{ClinicalScope, Confidentiality, Grantee, Interaction, Op, Sensitivity, Statement, Terms};

const ADVANCED: &str = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentAdvanced";
const ACTIONS: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
const TYPES: &str = "http://hl7.org/fhir/resource-types";

/// The consent as it was at an earlier revision; `None` when it had none such.
pub(super) fn as_it_was(view: View, revision: i64) -> Option<View> {
    let mut view = view;
    view.history.retain(|past| past.revision <= revision);
    let last = view.history.last().filter(|past| past.revision == revision)?;
    let said = Statement::parse(&last.statement).ok()?;
    view.state = if matches!(said.op, Op::Revoke | Op::Lift) { "ended" } else { "active" };
    view.revision = revision;
    view.terms = view.history.iter().rev().find_map(|past| match Statement::parse(&past.statement).ok()?.op {
        Op::Grant(terms) | Op::Narrow(terms) => Some(terms),
        Op::Revoke | Op::Exclude(_) | Op::Lift => None,
    });
    Some(view)
}

/// Writes the consent of `patient`; `None` when its current revision cannot be read.
pub(super) fn write(patient: PatientId, view: &View, issuer: &str) -> Option<Value> {
    let past: &Past = view.history.last()?;
    let said = Statement::parse(&past.statement).ok()?;
    let name = view.name();
    let provision = match (&view.terms, view.excluded) {
        (Some(terms), _) => provision(terms, name),
        (None, Some(professional)) => {
            json!({ "type": "deny", "actor": [actor(&Grantee::Professional(professional), name)] })
        }
        (None, None) => return None,
    };
    let mut meta = json!({
        "versionId": view.revision.to_string(),
        "lastUpdated": past.issued.to_rfc3339(),
        // CO-15: that somebody consented to what is health data itself.
        "security": [coding(Confidentiality::SYSTEM, Confidentiality::R.code())],
    });
    if view.terms.as_ref().is_some_and(|terms| says_all(&terms.scope)) {
        add(&mut meta, "profile", json!([ADVANCED]));
    }
    Some(json!({
        "resourceType": "Consent",
        "id": key(patient, view.consent).to_string(),
        "meta": meta,
        // Only `active` may permit (CO-02): what is over is not active any more.
        "status": if matches!(view.state, "active" | "pending") { "active" } else { "inactive" },
        "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [concept("http://loinc.org", "59284-0")],
        "patient": { "reference": format!("Patient/{patient}") },
        "dateTime": past.issued.to_rfc3339(),
        "performer": [{ "reference": format!("Patient/{patient}") }],
        "organization": [{ "identifier": { "system": "urn:ietf:rfc:3986", "value": issuer } }],
        "sourceAttachment": {
            "contentType": "application/json",
            "language": said.language,
            "data": STANDARD.encode(&past.statement),
            "title": "The statement, byte for byte as it was signed",
        },
        "policy": [{ "uri": format!("urn:garant:policy:sha-256:{}", said.policy) }],
        "provision": provision,
    }))
}

/// Whether the scopes say no more than PCF can: everything, to be read and searched.
fn says_all(scope: &[ClinicalScope]) -> bool {
    matches!(scope, [one] if one.resource_type.is_none() && one.categories.is_empty() && actions(one) == ["access"])
}

fn provision(terms: &Terms, name: Option<&str>) -> Value {
    let alike = |a: &ClinicalScope, b: &ClinicalScope| a.interactions == b.interactions && a.categories == b.categories;
    if let Some(first) = terms.scope.first()
        && terms.scope.iter().all(|scope| alike(scope, first))
    {
        return Value::Object(rule(terms, name, &terms.scope));
    }
    // Scopes with limits of their own cannot share one rule: nothing, except each of them.
    let each: Vec<Value> =
        terms.scope.iter().map(|one| Value::Object(rule(terms, name, std::slice::from_ref(one)))).collect();
    json!({ "type": "deny", "provision": each })
}

/// One rule that holds for all of `scopes`, which differ in their type alone.
fn rule(terms: &Terms, name: Option<&str>, scopes: &[ClinicalScope]) -> Map<String, Value> {
    let mut rule = Map::new();
    let mut say = |name: &str, value: Value| drop(rule.insert(name.to_owned(), value));
    say("type", "permit".into());
    // A statement ends before its last second, a FHIR period with it.
    let end = Timestamp(terms.valid.to.0.saturating_sub(1000));
    say("period", json!({ "start": terms.valid.from.to_rfc3339(), "end": end.to_rfc3339() }));
    say("actor", json!([actor(&terms.grantee, name)]));
    if let Some(first) = scopes.first().filter(|_| !says_all(scopes)) {
        let actions: Vec<Value> = actions(first).into_iter().map(|a| concept(ACTIONS, a)).collect();
        say("action", actions.into());
    }
    say("securityLabel", json!([coding(Confidentiality::SYSTEM, terms.confidentiality.code())]));
    let purposes: Vec<Value> = terms.purpose.iter().map(|p| coding(crate::model::Purpose::SYSTEM, p.code())).collect();
    say("purpose", purposes.into());
    let types: Option<Vec<&str>> = scopes.iter().map(|s| s.resource_type.as_deref()).collect();
    if let Some(types) = types {
        say("class", types.into_iter().map(|t| coding(TYPES, t)).collect());
    }
    let categories = scopes.first().map_or(&[][..], |s| &s.categories);
    if !categories.is_empty() {
        let code = |c: &crate::model::Coding| concept(&c.system, &c.code);
        say("code", categories.iter().map(code).collect());
    }
    let mut period = Map::new();
    for (end, moment, open) in [("start", terms.authored.from, i64::MIN), ("end", terms.authored.to, i64::MAX)] {
        if moment.0 != open {
            period.insert(end.to_owned(), moment.to_rfc3339().into());
        }
    }
    if !period.is_empty() {
        say("dataPeriod", period.into());
    }
    let withheld: Vec<Value> =
        withheld(&terms.sensitivity).into_iter().map(|code| coding(Sensitivity::SYSTEM, code)).collect();
    if !withheld.is_empty() {
        say("provision", json!([{ "type": "deny", "securityLabel": withheld }]));
    }
    rule
}

/// The categories that stay closed, each with its descendants; one that has an open descendant cannot be named so.
fn withheld(open: &[Sensitivity]) -> Vec<&'static str> {
    let all: Vec<Sensitivity> = Sensitivity::ALL.iter().filter_map(|(code, _)| code.parse().ok()).collect();
    let is_open = |s: &Sensitivity| open.iter().any(|o| o.covers(s));
    let closed: Vec<&Sensitivity> = all.iter().filter(|s| !all.iter().any(|d| s.covers(d) && is_open(d))).collect();
    let first = |s: &&&Sensitivity| !closed.iter().any(|other| other != *s && other.covers(s));
    closed.iter().filter(first).map(|s| s.code()).collect()
}

fn actions(scope: &ClinicalScope) -> Vec<&'static str> {
    let has = |wanted: &[Interaction]| wanted.iter().any(|i| scope.interactions.has(*i));
    let each = [
        ("collect", has(&[Interaction::Create])),
        ("access", has(&[Interaction::Read, Interaction::Search])),
        ("correct", has(&[Interaction::Update, Interaction::Delete])),
    ];
    each.into_iter().filter(|(_, has)| *has).map(|(code, _)| code).collect()
}

fn actor(grantee: &Grantee, name: Option<&str>) -> Value {
    json!({
        "role": concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP"),
        "reference": reference(grantee, name),
    })
}
