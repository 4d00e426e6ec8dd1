//! Labels, purposes and French visibility codes in the decision (standards §8, §18.3).

use super::world::{DEED, NOW, World, physician_reads, professional, scopes};
use crate::id::PatientId;
use crate::model::{Actor, Confidentiality, Interaction, OrganisationKind, Purpose, RecordClass, Visibility};
use crate::policy::{Engine, Reason};

fn answer(engine: &Engine, world: &World) -> Result<(), Reason> {
    engine.decide(DEED, &world.question()).map(drop).map_err(|denial| denial.reason)
}

#[test]
fn sl_02_a_consent_to_n_lets_u_l_m_n_flow_and_not_r_or_v() {
    use Confidentiality::{L, M, N, R, U, V};
    let engine = Engine::load().unwrap();
    for ceiling in [U, L, M, N, R, V] {
        for level in [U, L, M, N, R, V] {
            let mut world = physician_reads();
            world.provisions[0].terms.confidentiality = ceiling;
            world.records[0].confidentiality = level;
            let want = if level <= ceiling { Ok(()) } else { Err(Reason::Label) };
            assert_eq!(answer(&engine, &world), want, "{level:?} under {ceiling:?}");
        }
    }
}

#[test]
fn sl_05_a_purpose_matches_itself_and_the_one_listed_descent() {
    let engine = Engine::load().unwrap();
    for asked in Purpose::ALL {
        for granted in Purpose::ALL {
            let mut world = physician_reads();
            world.software().purpose = asked;
            world.provisions[0].terms.purpose = vec![granted];
            let yes = asked == granted || (asked, granted) == (Purpose::Coc, Purpose::Treat);
            let want = if yes { Ok(()) } else { Err(Reason::Purpose) };
            assert_eq!(answer(&engine, &world), want, "{asked:?} under {granted:?}");
        }
    }
}

/// Sensitivity allowed, sensitivity of the record, whether it flows.
const SENSITIVE: [(&str, &str, bool); 8] = [
    ("SUD", "ETHUD", true),
    ("SUD", "OPIOIDUD", true),
    ("ETH", "ETHUD", true),
    ("ETH", "OPIOIDUD", true),
    ("SPI", "SUD", true),
    ("ETHUD", "SUD", false),
    ("BH", "SUD", false),
    ("HIV", "STD", false),
];

#[test]
fn sl_06_a_sensitivity_reaches_its_descendants_and_nothing_else() {
    let engine = Engine::load().unwrap();
    for (allowed, carried, flows) in SENSITIVE {
        let mut world = physician_reads();
        world.provisions[0].terms.sensitivity = vec![allowed.parse().unwrap()];
        world.records[0].sensitivities = vec![carried.parse().unwrap()];
        let want = if flows { Ok(()) } else { Err(Reason::Label) };
        assert_eq!(answer(&engine, &world), want, "{carried} under {allowed}");
    }
}

/// A world in which everybody but the mask allows.
fn masked(code: Visibility, kind: OrganisationKind, profession: &str, author: u8) -> World {
    let mut world = physician_reads();
    let pays = kind == OrganisationKind::Insurer;
    let (t, purpose) = if pays { ("Coverage", Purpose::Hpaymt) } else { ("DocumentReference", Purpose::Caremgt) };
    let record = &mut world.records[0];
    (record.resource_type, record.visibility) = (t.to_owned(), vec![code]);
    record.author = Some(professional(author));
    record.class = if pays { RecordClass::Reimbursement } else { RecordClass::Medical };
    // A social discharge letter: physician, nurse and social worker may all open it.
    record.document_types = if pays { vec![] } else { vec!["http://loinc.org|83981-1".parse().unwrap()] };
    world.provisions[0].terms.scope = scopes(&[&format!("{t}.rs")]);
    world.provisions[0].terms.purpose = vec![purpose];
    let software = world.software();
    (software.kind, software.purpose) = (kind, purpose);
    software.professional = Some((professional(1), profession.parse().unwrap()));
    world
}

#[test]
fn fr_15_and_21a_a_mask_hides_from_those_it_names_and_never_from_the_author() {
    use OrganisationKind::{Care, Insurer, OccupationalHealth, Social};
    use Visibility::{InvisiblePatient, InvisibleRepresentants, MasquePs, MasquePsocial, MasquePt};
    let engine = Engine::load().unwrap();
    let askers =
        [(Care, "10"), (Care, "60"), (Care, "41"), (Social, "41"), (OccupationalHealth, "10"), (Insurer, "10")];
    let hidden = |code, kind, profession| match code {
        MasquePs => true,
        MasquePsocial => kind != Insurer && (kind == Social || profession == "41"),
        MasquePt | InvisiblePatient | InvisibleRepresentants => false,
    };
    for code in Visibility::ALL {
        for (kind, profession) in askers {
            for interaction in [Interaction::Read, Interaction::Search] {
                let mut world = masked(code, kind, profession, 2);
                world.interaction = interaction;
                let want = if hidden(code, kind, profession) { Err(Reason::Masked) } else { Ok(()) };
                assert_eq!(answer(&engine, &world), want, "{code:?} {kind:?} {profession}");
                let mut world = masked(code, kind, profession, 1);
                world.interaction = interaction;
                let want = if kind == Insurer { want } else { Ok(()) };
                assert_eq!(answer(&engine, &world), want, "the author: {code:?} {kind:?} {profession}");
            }
        }
    }
}

#[test]
fn fr_15_an_author_of_the_same_organisation_is_not_the_author_and_software_without_a_person_is_none() {
    let engine = Engine::load().unwrap();
    let mut world = masked(Visibility::MasquePs, OrganisationKind::Care, "10", 1);
    world.records[0].author = None;
    assert_eq!(answer(&engine, &world), Err(Reason::Masked));
    let mut world = masked(Visibility::MasquePs, OrganisationKind::Care, "10", 1);
    world.software().professional = None;
    assert!(answer(&engine, &world).is_err());
}

#[test]
fn fr_19_and_20_the_patient_sees_it_when_it_is_announced_and_not_before() {
    let engine = Engine::load().unwrap();
    let mut world = physician_reads();
    world.actor = Actor::Patient(PatientId::from_bytes([1; 16]));
    world.records[0].visibility = vec![Visibility::InvisiblePatient];
    for (announced, want) in [
        (None, Err(Reason::Unannounced)),
        (Some(NOW.plus_secs(1)), Err(Reason::Unannounced)),
        (Some(NOW), Ok(())),
        (Some(NOW.plus_secs(-1)), Ok(())),
    ] {
        world.records[0].announced = announced;
        // Asked twice: an answer from before the announcement is not the answer after it.
        for _ in 0..2 {
            assert_eq!(answer(&engine, &world), want, "{announced:?}");
        }
    }
    for code in [Visibility::MasquePs, Visibility::MasquePsocial, Visibility::MasquePt] {
        world.records[0].visibility = vec![code];
        assert_eq!(answer(&engine, &world), Ok(()), "the patient sees what is masked from others: {code:?}");
    }
}

#[test]
fn fr_19_only_a_named_professional_deposits_what_the_patient_is_not_to_see_yet() {
    let engine = Engine::load().unwrap();
    let mut world = masked(Visibility::InvisiblePatient, OrganisationKind::Care, "10", 1);
    world.software().scopes = scopes(&["DocumentReference.c"]);
    world.provisions[0].terms.scope = scopes(&["DocumentReference.c"]);
    world.interaction = Interaction::Create;
    assert_eq!(answer(&engine, &world), Ok(()));
    world.records[0].author = None;
    world.software().professional = None;
    assert_eq!(answer(&engine, &world), Err(Reason::Masked));
}
