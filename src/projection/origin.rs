//! Where a version comes from, as FHIR R4 Provenance (AU-22).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::leaf::Leaf;
use super::names::Names;
use super::write::{add, concept};
use crate::clock::Timestamp;
use crate::consent::{Past, View};
use crate::id::PatientId;

const PARTICIPANT: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";

/// What a Provenance is about: `Type/id`, one of its versions, and the id of the Provenance itself.
pub(super) struct About<'a> {
    pub(super) target: &'a str,
    pub(super) version: i64,
    pub(super) id: &'a str,
}

/// The admission of a version of a record.
pub(super) fn of_admission(about: &About<'_>, leaf: &Leaf, names: &Names, issuer: &str) -> Value {
    let personal = &leaf.personal;
    let mut agents = Vec::new();
    let place = personal.organisation.map(|id| names.reference("Organization", &id.to_string(), id.as_bytes()));
    match (personal.professional, &place) {
        (Some(person), place) => {
            let who = names.reference("Practitioner", &person.to_string(), person.as_bytes());
            let mut agent = json!({ "type": participant("enterer"), "who": who });
            if let Some(place) = place {
                add(&mut agent, "onBehalfOf", place.clone());
            }
            agents.push(agent);
        }
        (None, Some(place)) => agents.push(json!({ "type": participant("enterer"), "who": place })),
        (None, None) => {}
    }
    if let Some(client) = personal.client {
        let mut who = json!({ "identifier": { "value": client.to_string() } });
        if let Some(name) = names.of(client.as_bytes()) {
            add(&mut who, "display", name);
        }
        agents.push(json!({ "type": participant("assembler"), "who": who }));
    }
    if agents.is_empty() {
        // Nobody's software: the guarantor took it in from a file.
        agents.push(json!({ "type": participant("custodian"), "who": guarantor(issuer) }));
    }
    provenance(about, leaf.entry.time, &agents)
}

/// A revision of a consent: the patient's own act, with their signature where there is one.
pub(super) fn of_revision(about: &About<'_>, patient: PatientId, past: &Past) -> Value {
    let who = json!({ "reference": format!("Patient/{patient}"), "type": "Patient" });
    let agents = [json!({ "type": participant("author"), "who": who })];
    let mut resource = provenance(about, past.issued, &agents);
    if !past.evidence.is_empty() {
        add(
            &mut resource,
            "signature",
            json!([{
                "type": [{ "system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1" }],
                "when": past.issued.to_rfc3339(),
                "who": who,
                "targetFormat": "application/json",
                "sigFormat": "application/json",
                "data": STANDARD.encode(&past.evidence),
            }]),
        );
    }
    resource
}

/// The revisions of a consent that have an origin to tell, with what it is.
pub(super) fn revisions(view: &View, wanted: Option<i64>) -> impl Iterator<Item = &Past> {
    view.history.iter().filter(move |past| wanted.is_none_or(|version| past.revision == version))
}

fn provenance(about: &About<'_>, recorded: Timestamp, agents: &[Value]) -> Value {
    let About { target, version, id } = about;
    let code = if *version == 1 { "CREATE" } else { "UPDATE" };
    let mut resource = json!({
        "resourceType": "Provenance",
        "id": id,
        "meta": { "versionId": "1", "lastUpdated": recorded.to_rfc3339() },
        "target": [{ "reference": format!("{target}/_history/{version}") }],
        "recorded": recorded.to_rfc3339(),
        "activity": concept("http://terminology.hl7.org/CodeSystem/v3-DataOperation", code),
        "agent": agents,
    });
    if *version > 1 {
        let before = json!({ "reference": format!("{target}/_history/{}", version - 1) });
        add(&mut resource, "entity", json!([{ "role": "revision", "what": before }]));
    }
    resource
}

fn guarantor(issuer: &str) -> Value {
    json!({ "identifier": { "system": "urn:ietf:rfc:3986", "value": issuer }, "display": "The guarantor" })
}

fn participant(code: &str) -> Value {
    concept(PARTICIPANT, code)
}
