//! Each limit by itself: one change to a case that is allowed, one reason.

use super::world::{ANS, DEED, NOW, World, organisation, physician_reads, professional, scopes};
use crate::id::{ConsentId, OrganisationId, PatientId};
use crate::model::{
    Actor, Confidentiality, Grantee, Interaction, OrganisationKind, Period, Purpose, RecordFacts, Terms,
};
use crate::policy::{Engine, Exclusion, Prospect, Reason};

fn answer(engine: &Engine, world: &World) -> Result<(), Reason> {
    engine.decide(DEED, &world.question()).map(drop).map_err(|d| d.reason)
}

type Change = fn(&mut World);

fn record(world: &mut World) -> &mut RecordFacts {
    &mut world.records[0]
}

fn terms(world: &mut World) -> &mut Terms {
    &mut world.provisions[0].terms
}

const ONE_CHANGE: [(&str, Change, Reason); 29] = [
    ("no records", |w| w.records.clear(), Reason::NoRecord),
    (
        "two patients",
        |w| w.records.push(RecordFacts { key: other_key(), ..w.records[0].clone() }),
        Reason::SeveralPatients,
    ),
    ("another patient asks", |w| w.actor = Actor::Patient(PatientId::from_bytes([2; 16])), Reason::OtherPatient),
    ("client suspended", |w| w.standing.client = false, Reason::Inactive),
    ("organisation suspended", |w| w.standing.organisation = false, Reason::Inactive),
    ("professional suspended there", |w| w.standing.professional = false, Reason::Inactive),
    ("professional shut out", |w| w.exclusions.push(shut_out()), Reason::Excluded),
    ("empty token", |w| w.software().scopes.clear(), Reason::TokenScope),
    ("token of another type", |w| w.software().scopes = scopes(&["Coverage.rs"]), Reason::TokenScope),
    ("no consent", |w| w.provisions.clear(), Reason::NoConsent),
    ("another patient's consent", |w| w.provisions[0].patient = PatientId::from_bytes([2; 16]), Reason::NoConsent),
    ("empty scope list", |w| terms(w).scope.clear(), Reason::NoConsent),
    ("another grantee", |w| terms(w).grantee = Grantee::Organisation(organisation(2)), Reason::NoConsent),
    ("another professional", |w| terms(w).grantee = Grantee::Professional(professional(2)), Reason::NoConsent),
    ("role elsewhere", |w| terms(w).grantee = role(organisation(2), "10"), Reason::NoConsent),
    ("another role", |w| terms(w).grantee = role(organisation(1), "60"), Reason::NoConsent),
    ("expired this second", |w| terms(w).valid.to = NOW, Reason::Window),
    ("not yet", |w| terms(w).valid.from = NOW.plus_secs(1), Reason::Window),
    ("empty purposes", |w| terms(w).purpose.clear(), Reason::Purpose),
    ("BTG from TREAT", |w| w.software().purpose = Purpose::Btg, Reason::Purpose),
    ("TREAT from BTG", |w| terms(w).purpose = vec![Purpose::Btg], Reason::Purpose),
    ("another type", |w| terms(w).scope = scopes(&["Coverage.rs"]), Reason::Scope),
    ("another interaction", |w| terms(w).scope = scopes(&["Observation.cuds"]), Reason::Scope),
    ("another category", |w| record(w).categories = vec!["http://x|vital-signs".parse().unwrap()], Reason::Scope),
    ("no category", |w| record(w).categories.clear(), Reason::Scope),
    ("too old", |w| record(w).authored = Some(Period { from: NOW.plus_secs(-1001), to: NOW }), Reason::Authored),
    ("undated", |w| record(w).authored = None, Reason::Authored),
    ("too confidential", |w| record(w).confidentiality = Confidentiality::V, Reason::Label),
    ("one label of two", |w| record(w).sensitivities = labels(&["OPIOIDUD", "HIV"]), Reason::Label),
];

fn other_key() -> crate::model::RecordKey {
    crate::model::RecordKey::of_patient(PatientId::from_bytes([2; 16]))
}

fn shut_out() -> Exclusion {
    Exclusion { consent: ConsentId::from_bytes([8; 16]), revision: 1, professional: professional(1) }
}

fn role(at: OrganisationId, profession: &str) -> Grantee {
    Grantee::Role(at, profession.parse().unwrap())
}

fn labels(codes: &[&str]) -> Vec<crate::model::Sensitivity> {
    codes.iter().map(|c| c.parse().unwrap()).collect()
}

#[test]
fn each_limit_refuses_by_itself_and_says_why() {
    let engine = Engine::load().unwrap();
    assert_eq!(answer(&engine, &physician_reads()), Ok(()));
    for (what, change, reason) in ONE_CHANGE {
        let mut world = physician_reads();
        change(&mut world);
        assert_eq!(answer(&engine, &world), Err(reason), "{what}");
    }
}

#[test]
fn a_consent_reaches_its_grantee_in_each_of_the_three_ways() {
    let engine = Engine::load().unwrap();
    for grantee in [Grantee::Professional(professional(1)), role(organisation(1), "10")] {
        let mut world = physician_reads();
        terms(&mut world).grantee = grantee;
        assert_eq!(answer(&engine, &world), Ok(()));
    }
}

#[test]
fn occupational_health_needs_a_consent_that_names_it() {
    let engine = Engine::load().unwrap();
    let mut world = physician_reads();
    world.software().kind = OrganisationKind::OccupationalHealth;
    assert_eq!(answer(&engine, &world), Ok(()));
    terms(&mut world).grantee = Grantee::Professional(professional(1));
    assert_eq!(answer(&engine, &world), Ok(()));
    terms(&mut world).grantee = role(organisation(1), "10");
    assert_eq!(answer(&engine, &world), Err(Reason::OccupationalExpress));
}

/// FR-31, row by row: profession, document type, may read.
#[test]
fn the_matrix_holds_on_its_spot_rows() {
    let engine = Engine::load().unwrap();
    let (ppa, telemedicine, discharge) =
        ("http://loinc.org|80788-3", "http://loinc.org|75496-0", "http://loinc.org|83981-1");
    let (psychology, psychiatry, note) =
        ("http://loinc.org|83901-9", "http://loinc.org|68599-0", "http://loinc.org|11488-4");
    let residence = format!("{ANS}|ATTEST-RESID");
    let rows: [(&str, &[&str], &[&str]); 5] = [
        ("10", &[ppa, telemedicine, discharge, psychology, psychiatry, note], &[&residence, "http://x|unknown"]),
        ("40", &[note], &[ppa, telemedicine, discharge, psychology, psychiatry, &residence, "http://x|unknown"]),
        ("60", &[note, ppa], &[psychiatry, psychology, &residence]),
        ("41", &[ppa, discharge, &residence], &[note, psychiatry, psychology, telemedicine]),
        ("99", &[], &[note, ppa, psychiatry, &residence]),
    ];
    for (profession, reads, not) in rows {
        for (code, may) in reads.iter().map(|c| (c, true)).chain(not.iter().map(|c| (c, false))) {
            let mut world = physician_reads();
            world.software().professional = Some((professional(1), profession.parse().unwrap()));
            world.software().purpose = Purpose::Caremgt;
            terms(&mut world).purpose = vec![Purpose::Caremgt];
            terms(&mut world).scope = scopes(&["DocumentReference.rs"]);
            record(&mut world).resource_type = "DocumentReference".to_owned();
            record(&mut world).document_types = vec![code.parse().unwrap()];
            let want = if may { Ok(()) } else { Err(Reason::Matrix) };
            assert_eq!(answer(&engine, &world), want, "{profession} {code}");
            // A refused type is not made readable by a readable one beside it.
            if !may && reads.contains(&note) && *code != "http://x|unknown" {
                record(&mut world).document_types.push(note.parse().unwrap());
                assert_eq!(answer(&engine, &world), Err(Reason::Matrix), "{profession} {code} beside a note");
            }
        }
    }
}

#[test]
fn software_that_names_no_person_deposits_and_does_not_read() {
    let engine = Engine::load().unwrap();
    let mut world = physician_reads();
    world.software().professional = None;
    assert_eq!(answer(&engine, &world), Err(Reason::Matrix));
    world.software().scopes = scopes(&["Observation.c"]);
    terms(&mut world).scope = scopes(&["Observation.c"]);
    world.interaction = Interaction::Create;
    assert_eq!(answer(&engine, &world), Ok(()));
}

#[test]
fn a_social_profession_never_treats_wherever_it_works() {
    let engine = Engine::load().unwrap();
    for kind in [OrganisationKind::Social, OrganisationKind::Care, OrganisationKind::OccupationalHealth] {
        let mut world = physician_reads();
        world.software().kind = kind;
        world.software().professional = Some((professional(1), "41".parse().unwrap()));
        record(&mut world).resource_type = "CarePlan".to_owned();
        world.software().scopes = scopes(&["CarePlan.rs"]);
        terms(&mut world).scope = scopes(&["CarePlan.rs"]);
        assert_eq!(answer(&engine, &world), Err(Reason::Purpose), "{kind:?}");
        world.software().purpose = Purpose::Caremgt;
        terms(&mut world).purpose = vec![Purpose::Caremgt];
        assert_eq!(answer(&engine, &world), Ok(()), "{kind:?}");
    }
}

/// Kinds of the grantee's organisations, grantee, scopes, purposes, answer.
type Proposal<'a> = (&'a [OrganisationKind], &'a Grantee, &'a [&'a str], &'a [Purpose], Result<(), Reason>);

#[test]
fn a_grant_the_law_would_not_honour_cannot_be_made() {
    use OrganisationKind::{Care, Insurer, OccupationalHealth, Social};
    let engine = Engine::load().unwrap();
    let organisation_grant = Grantee::Organisation(organisation(1));
    let person = Grantee::Professional(professional(1));
    let (pay, treat, support) = (Purpose::Hpaymt, Purpose::Treat, Purpose::Caremgt);
    let dentist = "40".parse().unwrap();
    let cases: [Proposal<'_>; 17] = [
        (&[Care], &organisation_grant, &["*.rs"], &[treat], Ok(())),
        (&[Care], &organisation_grant, &["*.rs"], &[], Err(Reason::Purpose)),
        (&[Care], &organisation_grant, &[], &[treat], Err(Reason::Scope)),
        (&[], &organisation_grant, &["*.rs"], &[treat], Err(Reason::NoGround)),
        (&[Care], &person, &["Observation.rs"], &[treat], Ok(())),
        (&[Care], &person, &["AuditEvent.rs"], &[treat], Err(Reason::Matrix)),
        (&[Care], &role(organisation(1), "99"), &["*.rs"], &[treat], Err(Reason::Matrix)),
        (&[Insurer], &organisation_grant, &["Coverage.rs"], &[pay], Ok(())),
        (&[Insurer], &organisation_grant, &["Coverage.rs", "Observation.r"], &[pay], Err(Reason::InsurerMedical)),
        (&[Insurer], &organisation_grant, &["*.rs"], &[pay], Err(Reason::InsurerMedical)),
        (&[Insurer], &organisation_grant, &["Coverage.rs"], &[pay, treat], Err(Reason::Purpose)),
        (&[Insurer], &person, &["DocumentReference.rs"], &[pay], Err(Reason::InsurerMedical)),
        (&[Insurer, Care], &person, &["Observation.rs"], &[treat], Ok(())),
        (&[OccupationalHealth], &organisation_grant, &["Observation.rs"], &[treat], Ok(())),
        (&[OccupationalHealth], &role(organisation(1), "10"), &["*.rs"], &[treat], Err(Reason::OccupationalExpress)),
        (&[Social], &organisation_grant, &["CarePlan.rs"], &[support], Ok(())),
        (&[Social], &organisation_grant, &["CarePlan.rs"], &[support, treat], Err(Reason::Purpose)),
    ];
    for (kinds, grantee, scope, purpose, want) in cases {
        let mut terms = physician_reads().provisions.remove(0).terms;
        (terms.grantee, terms.scope, terms.purpose) = (grantee.clone(), scopes(scope), purpose.to_vec());
        let prospect = Prospect { kinds, profession: Some(&dentist) };
        assert_eq!(engine.would_grant(&terms, &prospect), want, "{kinds:?} {grantee} {scope:?} {purpose:?}");
        terms.valid.to = terms.valid.from.plus_secs(11 * 366 * 86_400);
        if want.is_ok() {
            assert_eq!(engine.would_grant(&terms, &prospect), Err(Reason::Window), "eleven years");
        }
    }
}
