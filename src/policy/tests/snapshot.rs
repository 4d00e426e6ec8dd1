//! The decision matrix, as a table that a reviewer reads: what the law leaves of the widest consent.

use std::fmt::Write as _;

use super::world::{ANS, DEED, World, organisation, physician_reads, professional, scopes};
use crate::id::PatientId;
use crate::model::{
    Actor, Confidentiality, Grantee, Interaction, OrganisationKind, Period, Purpose, RecordClass, Sensitivity,
    Visibility,
};
use crate::policy::Engine;

const PATH: &str = "tests/snapshots/decision-matrix.txt";

const LEGEND: &str = "\
The decision matrix: what each asker may do with each record under the widest consent a patient can sign that
stops at confidentiality R: granted to the organisation (or to a role, where said), every type below by name,
every purpose, every sensitive category, any date. So every ✘ is the law's, except on the line marked V, which is
the patient's ceiling. A line 'masked' or 'hidden' is a social discharge letter under a French visibility code that
somebody else deposited. Each cell: create read update delete search.

Written by the engine; to write it again after a change of policy, read the difference, then:
    GARANT_BLESS=1 cargo test --lib policy::tests::snapshot
";

const RECORDS: [(&str, &str, RecordClass, &str); 11] = [
    ("Patient", "Patient", RecordClass::Medical, ""),
    ("Observation", "Observation", RecordClass::Medical, ""),
    ("MedicationRequest", "MedicationRequest", RecordClass::Medical, ""),
    ("CarePlan", "CarePlan", RecordClass::Medical, ""),
    ("Document: consultation", "DocumentReference", RecordClass::Medical, "http://loinc.org|11488-4"),
    ("Document: psychiatry", "DocumentReference", RecordClass::Medical, "http://loinc.org|68599-0"),
    ("Document: residence", "DocumentReference", RecordClass::Medical, "residence"),
    ("Document: unknown type", "DocumentReference", RecordClass::Medical, "http://x|unknown"),
    ("Coverage, medical", "Coverage", RecordClass::Medical, ""),
    ("Coverage, reimbursement", "Coverage", RecordClass::Reimbursement, ""),
    ("AuditEvent", "AuditEvent", RecordClass::Medical, ""),
];

const MASKED: [(&str, Visibility); 5] = [
    ("masked: PS", Visibility::MasquePs),
    ("masked: PSOCIAL", Visibility::MasquePsocial),
    ("masked: PT", Visibility::MasquePt),
    ("hidden: patient", Visibility::InvisiblePatient),
    ("hidden: guardians", Visibility::InvisibleRepresentants),
];

/// ETREAT and PATRQT fare as TREAT does: no rule names them.
const PURPOSES: [Purpose; 7] =
    [Purpose::Treat, Purpose::Btg, Purpose::Coc, Purpose::Hpaymt, Purpose::Eligver, Purpose::Caremgt, Purpose::Hresch];

type Asker = (&'static str, OrganisationKind, Option<&'static str>, bool);

const ASKERS: [Asker; 11] = [
    ("care, physician", OrganisationKind::Care, Some("10"), false),
    ("care, dentist", OrganisationKind::Care, Some("40"), false),
    ("care, pharmacist", OrganisationKind::Care, Some("21"), false),
    ("care, nurse", OrganisationKind::Care, Some("60"), false),
    ("care, social worker", OrganisationKind::Care, Some("41"), false),
    ("care, profession unknown to the matrix", OrganisationKind::Care, Some("99"), false),
    ("care, no person named", OrganisationKind::Care, None, false),
    ("social, social worker", OrganisationKind::Social, Some("41"), false),
    ("insurer, physician or anyone", OrganisationKind::Insurer, Some("10"), false),
    ("occupational health, physician", OrganisationKind::OccupationalHealth, Some("10"), false),
    ("occupational health, physician, consent to the role", OrganisationKind::OccupationalHealth, Some("10"), true),
];

fn world(asker: Option<&Asker>) -> World {
    let mut world = physician_reads();
    let terms = &mut world.provisions[0].terms;
    terms.scope = scopes(&RECORDS.map(|(_, t, ..)| format!("{t}.cruds")).each_ref().map(String::as_str));
    terms.purpose = Purpose::ALL.to_vec();
    terms.sensitivity = Sensitivity::ALL.iter().map(|(c, _)| c.parse().unwrap()).collect();
    terms.authored = Period::ALWAYS;
    let Some((_, kind, profession, by_role)) = asker else {
        world.actor = Actor::Patient(PatientId::from_bytes([1; 16]));
        return world;
    };
    let profession = profession.map(|p| (professional(1), p.parse().unwrap()));
    if let (true, Some((_, profession))) = (by_role, &profession) {
        terms.grantee = Grantee::Role(organisation(1), crate::model::Profession::clone(profession));
    }
    let software = world.software();
    (software.kind, software.professional, software.scopes) = (*kind, profession, scopes(&["*.cruds"]));
    world
}

fn row(engine: &Engine, world: &mut World, purposes: &[Purpose], out: &mut String) {
    for purpose in purposes {
        if matches!(world.actor, Actor::Software(_)) {
            world.software().purpose = *purpose;
        }
        out.push_str("  ");
        for interaction in Interaction::ALL {
            world.interaction = interaction;
            out.push(if engine.decide(DEED, &world.question()).is_ok() { '✔' } else { '✘' });
        }
    }
}

// The ceiling stops every type alike; one of them shows it.
fn ladder(name: &str) -> &'static [Confidentiality] {
    use Confidentiality::{N, R, U, V};
    if name == "Observation" { &[U, N, R, V] } else { &[N] }
}

fn table() -> String {
    let engine = Engine::load().unwrap();
    let mut out = LEGEND.to_owned();
    for asker in ASKERS.iter().map(Some).chain([None]) {
        let mut world = world(asker);
        let purposes = if asker.is_some() { &PURPOSES[..] } else { &[Purpose::Patrqt] };
        write!(out, "\n{}\n{:27}", asker.map_or("patient, own record", |a| a.0), "").unwrap();
        for purpose in purposes {
            write!(out, "  {:5}", purpose.code().get(..5).unwrap_or(purpose.code())).unwrap();
        }
        for (name, resource_type, class, document) in RECORDS {
            for confidentiality in ladder(name) {
                let record = &mut world.records[0];
                (record.resource_type, record.class) = (resource_type.to_owned(), class);
                record.confidentiality = *confidentiality;
                let document =
                    if document == "residence" { format!("{ANS}|ATTEST-RESID") } else { document.to_owned() };
                record.document_types = (!document.is_empty()).then(|| document.parse().unwrap()).into_iter().collect();
                write!(out, "\n{name:24} {} ", confidentiality.code()).unwrap();
                row(&engine, &mut world, purposes, &mut out);
            }
        }
        for (name, code) in MASKED {
            let record = &mut world.records[0];
            (record.resource_type, record.class) = ("DocumentReference".to_owned(), RecordClass::Medical);
            (record.visibility, record.author) = (vec![code], Some(professional(2)));
            record.document_types = vec!["http://loinc.org|83981-1".parse().unwrap()];
            write!(out, "\n{name:24} N ").unwrap();
            row(&engine, &mut world, purposes, &mut out);
        }
        out.push('\n');
    }
    out
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the one who changes the policies says so by a variable")]
fn the_decision_matrix_is_the_one_that_was_reviewed() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    let now = table();
    if std::env::var("GARANT_BLESS").is_ok_and(|v| v == "1") {
        std::fs::write(&path, &now).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = reviewed.lines().zip(now.lines()).enumerate().find(|(_, (a, b))| a != b);
    assert!(
        reviewed == now,
        "the policies decide otherwise than {PATH} says, first at {differs:#?}.\n\
         If that is meant: GARANT_BLESS=1 cargo test --lib policy::tests::snapshot, and review the difference."
    );
}
