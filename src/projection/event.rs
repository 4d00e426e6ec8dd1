//! A leaf as FHIR R4 AuditEvent, after IHE BALP (standards §5).
//!
//! What the log does not hold is not made up: no network address and no token id of the client, and of a search only
//! whose records of which type were sought.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::leaf::Leaf;
use super::names::Names;
use super::write::{add, coding, concept};
use crate::id::PatientId;
use crate::ledger::personal::Touched;
use crate::ledger::{Act, Ground};
use crate::model::{Purpose, RecordKey};

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const REST: &str = "http://hl7.org/fhir/restful-interaction";
const ENTITY: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const PARTICIPANT: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";

/// Who tells, of whose history.
pub(super) struct Teller<'t> {
    pub(super) patient: PatientId,
    pub(super) base_url: &'t str,
    pub(super) issuer: &'t str,
    pub(super) log: &'t str,
    pub(super) names: &'t Names,
}

/// What kind of act a leaf tells of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Search,
    Create,
    Update,
    Delete,
    Operation,
    /// From a file of the guarantor's.
    Import,
    /// About the patient's enrolment or keys, with its action.
    Enrolment(&'static str),
}

/// Who did it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Doer {
    Software,
    Patient,
    Guarantor,
}

impl Kind {
    fn of(act: Act, route: &str) -> Self {
        match act {
            Act::Disclose | Act::Refuse | Act::Inspect => match route {
                "read" | "patch" => Self::Read,
                "search" => Self::Search,
                "deposit" => Self::Create,
                _ => Self::Operation,
            },
            Act::Admit if route == "import" => Self::Import,
            Act::Admit | Act::Grant | Act::Exclude => Self::Create,
            Act::Narrow | Act::Revoke | Act::Lift | Act::Update => Self::Update,
            Act::Delete => Self::Delete,
            Act::Request | Act::Decline | Act::Mask => Self::Operation,
            Act::Genesis | Act::Enrol => Self::Enrolment("C"),
            Act::Suspend | Act::Rotate => Self::Enrolment("U"),
            Act::Shred => Self::Enrolment("D"),
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Read => "R",
            Self::Search | Self::Operation => "E",
            Self::Create | Self::Import => "C",
            Self::Update => "U",
            Self::Delete => "D",
            Self::Enrolment(action) => action,
        }
    }

    /// The interaction of FHIR REST, when it is one.
    const fn interaction(self) -> Option<&'static str> {
        match self {
            Self::Read => Some("read"),
            Self::Search => Some("search-type"),
            Self::Create => Some("create"),
            Self::Update => Some("update"),
            Self::Delete => Some("delete"),
            Self::Operation => Some("operation"),
            Self::Import | Self::Enrolment(_) => None,
        }
    }

    /// Client and server: whoever sends the data is the source; of a search, whoever sends the question.
    const fn ends(self) -> (&'static str, &'static str) {
        if matches!(self, Self::Read) { ("110152", "110153") } else { ("110153", "110152") }
    }

    fn user(self) -> Value {
        if matches!(self, Self::Create | Self::Update | Self::Delete) {
            concept(PARTICIPANT, "author")
        } else {
            concept(PARTICIPATION, "IRCP")
        }
    }
}

/// Writes the event of a leaf.
pub(super) fn event(id: &str, leaf: &Leaf, teller: &Teller<'_>) -> Value {
    let Leaf { entry, personal } = leaf;
    let kind = Kind::of(entry.act, &personal.route);
    let refused = entry.reason.as_ref().map(crate::ledger::Reason::code);
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": id,
        "meta": { "versionId": "1", "lastUpdated": entry.time.to_rfc3339() },
        "type": match kind {
            Kind::Import => coding(DCM, "110107"),
            Kind::Enrolment(_) => coding(DCM, "110110"),
            Kind::Read | Kind::Search | Kind::Create | Kind::Update | Kind::Delete | Kind::Operation => {
                coding("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest")
            }
        },
        "action": kind.action(),
        "recorded": entry.time.to_rfc3339(),
        "outcome": outcome(refused),
        "agent": agents(leaf, kind, teller),
        "source": { "observer": server(teller) },
        "entity": entities(leaf, kind, teller),
    });
    if let Some(interaction) = kind.interaction() {
        add(&mut event, "subtype", json!([coding(REST, interaction)]));
    }
    if let Some(reason) = refused {
        add(&mut event, "outcomeDesc", reason);
    }
    if let Some(purpose) = entry.purpose {
        add(&mut event, "purposeOfEvent", json!([concept(Purpose::SYSTEM, purpose.code())]));
    }
    event
}

/// Nothing there is a small failure, a denial a serious one (AU-03, AU-13).
fn outcome(refused: Option<&str>) -> &'static str {
    match refused {
        None => "0",
        Some("absent" | "no-record") => "4",
        Some(_) => "8",
    }
}

/// Whoever asks without software is the patient; whoever acts without either is the guarantor.
pub(super) fn doer(leaf: &Leaf) -> Doer {
    if leaf.personal.client.is_some() {
        Doer::Software
    } else if leaf.entry.ground == Ground::Oneself || leaf.entry.act == Act::Refuse {
        Doer::Patient
    } else {
        Doer::Guarantor
    }
}

fn agents(leaf: &Leaf, kind: Kind, teller: &Teller<'_>) -> Vec<Value> {
    let (doer, about) = (doer(leaf), &leaf.personal);
    let (client_end, server_end) = kind.ends();
    let mut agents = Vec::new();
    if let Some(client) = about.client {
        let mut who = json!({ "identifier": { "value": client.to_string() } });
        if let Some(name) = teller.names.of(client.as_bytes()) {
            add(&mut who, "display", name);
        }
        let alone = about.professional.is_none();
        agents.push(json!({ "type": concept(DCM, client_end), "who": who, "requestor": alone }));
    }
    agents.push(json!({
        "type": concept(DCM, server_end),
        "who": server(teller),
        "requestor": doer == Doer::Guarantor,
        "network": { "address": host(teller.base_url), "type": "1" },
    }));
    if let Some(person) = about.professional {
        let mut who = teller.names.reference("Practitioner", &person.to_string(), person.as_bytes());
        // AU-10: as the token names them.
        add(&mut who, "identifier", json!({ "system": teller.issuer, "value": person.to_string() }));
        agents.push(json!({ "type": kind.user(), "who": who, "requestor": true }));
    }
    if doer == Doer::Patient {
        agents.push(json!({ "type": kind.user(), "who": patient(teller), "requestor": true }));
    }
    if let Some(place) = about.organisation {
        let role = concept("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV");
        let who = teller.names.reference("Organization", &place.to_string(), place.as_bytes());
        agents.push(json!({ "type": role, "who": who, "requestor": false }));
    }
    if let Some(purpose) = leaf.entry.purpose {
        for agent in agents.iter_mut().filter(|agent| agent.get("requestor") == Some(&Value::Bool(true))) {
            add(agent, "purposeOfUse", json!([concept(Purpose::SYSTEM, purpose.code())]));
        }
    }
    agents
}

fn entities(leaf: &Leaf, kind: Kind, teller: &Teller<'_>) -> Vec<Value> {
    let about = &leaf.personal;
    let mut entities = Vec::new();
    match (kind, about.resource_type.as_deref()) {
        // AU-05: what was found is not told with the search.
        (Kind::Search, sought) => entities.push(query(sought.unwrap_or_default(), teller)),
        (_, sought) => {
            let listed = about.records.listed();
            entities.extend(listed.iter().map(|one| data(one, sought, teller)));
        }
    }
    entities.push(json!({
        "what": patient(teller), "type": coding(ENTITY, "1"), "role": coding(ROLE, "1"),
    }));
    for basis in &leaf.entry.basis {
        let id = super::consents::key(teller.patient, basis.consent);
        entities.push(json!({
            "what": { "reference": format!("Consent/{id}/_history/{}", basis.revision) },
            "type": coding("http://hl7.org/fhir/resource-types", "Consent"),
            "role": coding(ROLE, "13"),
        }));
    }
    // Where it stands in the log, for whoever wants the proof.
    entities.push(json!({
        "what": { "identifier": { "system": teller.log_system(), "value": leaf.entry.index.to_string() } },
        "type": coding(ENTITY, "4"),
    }));
    entities
}

impl Teller<'_> {
    /// The name space of positions in the log.
    fn log_system(&self) -> String {
        format!("urn:garant:log:{}", self.log)
    }
}

fn query(sought: &str, teller: &Teller<'_>) -> Value {
    let description = format!("{sought}?patient=Patient/{}", teller.patient);
    json!({
        "type": coding(ENTITY, "2"),
        "role": coding(ROLE, "24"),
        "query": STANDARD.encode(format!("GET {}/{description}", teller.base_url)),
        "description": description,
    })
}

fn data(one: &Touched, sought: Option<&str>, teller: &Teller<'_>) -> Value {
    let key = RecordKey { patient: teller.patient, record: one.record };
    let what = match sought {
        Some(kind) => json!({ "reference": format!("{kind}/{key}/_history/{}", one.version) }),
        // Of a Bundle the log keeps the records, not their types.
        None => {
            json!({ "identifier": { "system": teller.base_url, "value": format!("{key}/_history/{}", one.version) } })
        }
    };
    json!({ "what": what, "type": coding(ENTITY, "2"), "role": coding(ROLE, "4") })
}

fn patient(teller: &Teller<'_>) -> Value {
    json!({ "reference": format!("Patient/{}", teller.patient), "type": "Patient" })
}

fn server(teller: &Teller<'_>) -> Value {
    json!({ "identifier": { "system": "urn:ietf:rfc:3986", "value": teller.base_url }, "display": host(teller.base_url) })
}

fn host(base_url: &str) -> &str {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
