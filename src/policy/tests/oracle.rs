//! P12: the engine against an oracle that a person can check by reading: no Cedar, no memo, no sets.

use super::world::{ANS, Dice, NOW, World};
use crate::chance::SeededChance;
use crate::id::ConsentId;
use crate::model::{
    Actor, ClinicalScope, Grantee, Interaction, OrganisationKind, Period, Purpose, RecordClass, RecordFacts, RecordKey,
    Software, Terms, Visibility,
};
use crate::policy::{Engine, Permit};

/// What the rules say, read off the standards; only for the professions, types and codes that worlds are made of.
/// `None` refuses; otherwise the consents that the record rests on, one or none.
fn oracle(world: &World, record: &RecordFacts) -> Option<Vec<(ConsentId, i64)>> {
    let software = match &world.actor {
        Actor::Patient(who) => {
            let may = matches!(world.interaction, Interaction::Read | Interaction::Search | Interaction::Create)
                && !hidden(record);
            return (*who == record.key.patient && may).then(Vec::new);
        }
        Actor::Software(software) => software,
    };
    let shut_out = |e: &crate::policy::Exclusion| software.professional.as_ref().is_some_and(|p| p.0 == e.professional);
    let s = world.standing;
    if !(s.client && s.organisation && s.professional) || world.exclusions.iter().any(shut_out) {
        return None;
    }
    if !software.scopes.iter().any(|scope| scope_covers(scope, world.interaction, record)) {
        return None;
    }
    for p in &world.provisions {
        for scope in &p.terms.scope {
            if p.patient == record.key.patient
                && consented(software, &p.terms, scope, world.interaction, record)
                && lawful(software, &p.terms, scope, world.interaction, record)
            {
                return Some(vec![(p.consent, p.revision)]);
            }
        }
    }
    None
}

/// Kept from the patient, and not announced yet: what is announced is kept from nobody (FR-20).
fn hidden(record: &RecordFacts) -> bool {
    record.visibility.contains(&Visibility::InvisiblePatient) && record.announced.is_none_or(|at| at > NOW)
}

fn scope_covers(scope: &ClinicalScope, interaction: Interaction, record: &RecordFacts) -> bool {
    let right_type = match &scope.resource_type {
        None => true,
        Some(t) => *t == record.resource_type,
    };
    let mut right_category = scope.categories.is_empty();
    for wanted in &scope.categories {
        right_category |= record.categories.contains(wanted);
    }
    right_type && right_category && scope.interactions.to_string().contains(interaction.letter())
}

fn consented(s: &Software, terms: &Terms, scope: &ClinicalScope, asked: Interaction, record: &RecordFacts) -> bool {
    let reaches = match (&terms.grantee, &s.professional) {
        (Grantee::Organisation(at), _) => *at == s.organisation,
        (Grantee::Professional(grantee), Some((who, _))) => grantee == who,
        (Grantee::Role(at, role), Some((_, profession))) => *at == s.organisation && role == profession,
        (_, None) => false,
    };
    let now = NOW >= terms.valid.from && NOW < terms.valid.to;
    let labels = record.sensitivities.iter().all(|label| {
        terms
            .sensitivity
            .iter()
            .any(|allowed| allowed == label || allowed.code() == "SUD" && ["OPIOIDUD", "ETHUD"].contains(&label.code()))
    });
    let date = match record.authored {
        _ if terms.authored == Period::ALWAYS => true,
        None => false,
        Some(a) => a.from >= terms.authored.from && a.to <= terms.authored.to,
    };
    reaches
        && now
        && labels
        && date
        && (terms.purpose.contains(&s.purpose) || s.purpose == Purpose::Coc && terms.purpose.contains(&Purpose::Treat))
        && record.confidentiality <= terms.confidentiality
        && scope_covers(scope, asked, record)
}

fn lawful(s: &Software, terms: &Terms, scope: &ClinicalScope, i: Interaction, record: &RecordFacts) -> bool {
    let reading = matches!(i, Interaction::Read | Interaction::Search);
    let has = |code: Visibility| record.visibility.contains(&code);
    let social = s.kind == OrganisationKind::Social || s.professional.as_ref().is_some_and(|(_, p)| p.code() == "41");
    let masked =
        has(Visibility::MasquePs) || (has(Visibility::MasquePsocial) && social && s.kind != OrganisationKind::Insurer);
    let author = record.author.is_some() && s.professional.as_ref().map(|(id, _)| *id) == record.author;
    if s.kind == OrganisationKind::Insurer {
        if masked {
            return false;
        }
    } else if !author && (i == Interaction::Create && hidden(record) || i != Interaction::Create && masked) {
        return false;
    }
    match s.kind {
        OrganisationKind::Insurer => {
            record.class == RecordClass::Reimbursement
                && ["Coverage", "ExplanationOfBenefit"].contains(&record.resource_type.as_str())
                && matches!(s.purpose, Purpose::Hpaymt | Purpose::Eligver)
                && scope.resource_type.is_some()
                && reading
        }
        OrganisationKind::Care => in_matrix(s, reading, record),
        OrganisationKind::Social => s.purpose == Purpose::Caremgt && in_matrix(s, reading, record),
        OrganisationKind::OccupationalHealth => {
            !matches!(terms.grantee, Grantee::Role(..)) && in_matrix(s, reading, record)
        }
    }
}

fn in_matrix(s: &Software, reading: bool, record: &RecordFacts) -> bool {
    let documents: Vec<String> = record.document_types.iter().map(ToString::to_string).collect();
    let has = |code: &str| documents.iter().any(|d| d == code);
    let (psychiatry, residence) = (has("http://loinc.org|68599-0"), has(&format!("{ANS}|ATTEST-RESID")));
    let (note, t) = (has("http://loinc.org|11488-4"), record.resource_type.as_str());
    let document = t == "DocumentReference";
    let known_type = t != "AuditEvent";
    match s.professional.as_ref().map(|(_, p)| p.code()) {
        Some("10") => known_type && !residence && (!document || note || psychiatry),
        Some("40") => known_type && !residence && !psychiatry && (!document || note),
        Some("60") => {
            let types: &[&str] = if reading {
                &["Observation", "DocumentReference", "DiagnosticReport", "Patient"]
            } else {
                &["Observation", "DocumentReference", "DiagnosticReport"]
            };
            types.contains(&t) && !residence && !psychiatry && (!document || note)
        }
        Some("41") => {
            let types: &[&str] = if reading { &["DocumentReference", "Patient"] } else { &["DocumentReference"] };
            s.purpose == Purpose::Caremgt && types.contains(&t) && !note && !psychiatry && (!document || residence)
        }
        None if s.kind == OrganisationKind::Care && !reading => {
            known_type && !residence && (!document || note || psychiatry)
        }
        _ => false,
    }
}

type Answer = (Vec<(RecordKey, i64)>, Vec<(ConsentId, i64)>);

fn expected(world: &World) -> Answer {
    let (mut records, mut basis) = (Vec::new(), Vec::new());
    for r in &world.records {
        if let Some(under) = oracle(world, r) {
            records.push((r.key, r.version));
            for consent in under {
                if !basis.contains(&consent) {
                    basis.push(consent);
                }
            }
        }
    }
    (records, basis)
}

fn said(permit: &Permit) -> Answer {
    (permit.records().to_vec(), permit.basis().to_vec())
}

#[test]
fn the_engine_decides_as_the_oracle_does() {
    let seed = 12;
    let n = super::cases("P12", seed, 2_000, 200_000);
    let engine = Engine::load().unwrap();
    let run = |thread: u64| {
        let dice = Dice(SeededChance::new(seed + thread));
        let (mut yes, mut no) = (0usize, 0usize);
        while yes + no < n / 2 {
            let world = dice.world();
            let want = expected(&world);
            let remembered = engine.decide(super::world::DEED, &world.question());
            let got = remembered.as_ref().map(said).unwrap_or_default();
            assert_eq!(got, want, "{:#?}", world.question());
            // A question asked again is answered from memory, and the same.
            let again = engine.decide(super::world::DEED, &world.question());
            assert_eq!(again.as_ref().map(said).unwrap_or_default(), want);
            assert_eq!(again.err(), remembered.err());
            yes += want.0.len();
            no += world.records.len() - want.0.len();
        }
        (yes, no)
    };
    let (yes, no) = std::thread::scope(|s| {
        let other = s.spawn(|| run(1));
        let (a, b) = (run(0), other.join().unwrap());
        (a.0 + b.0, a.1 + b.1)
    });
    println!("P12: {yes} admitted, {no} refused, {} remembered", engine.remembered());
    // A comparison that hardly ever sees a yes would prove little.
    assert!(yes * 15 > n, "{yes} of {n}");
}

/// The text without its `nth` condition, and without the reason that names it; `None` when there are fewer.
fn without_condition(text: &str, nth: usize) -> Option<String> {
    let (start, _) = text.match_indices("\nwhen {").nth(nth)?;
    // A condition runs to the line that closes it; the last of a policy takes the semicolon with it.
    let close_of = |mark: &str| text[start..].find(mark).map_or(usize::MAX, |e| start + e);
    let (plain, last) = (close_of("}\n"), close_of("};\n"));
    let (end, semicolon) = if plain < last { (plain + 1, "") } else { (last + 2, "\n;") };
    let head = &text[..start];
    let policy = head.rfind("permit (")?;
    let place = head[policy..].matches("\nwhen {").count();
    let reasons = head.rfind("@reasons(\"")? + "@reasons(\"".len();
    let close = reasons + text[reasons..].find('"')?;
    let mut words: Vec<&str> = text[reasons..close].split(' ').collect();
    words.remove(place);
    Some(format!("{}{}{}{semicolon}{}", &text[..reasons], words.join(" "), &text[close..start], &text[end..]))
}

/// The oracle must be able to see each rule go: a comparison blind to one would prove nothing about it.
#[test]
#[ignore = "half a minute; run it when a rule or the oracle changes"]
fn the_oracle_misses_every_condition_that_is_taken_away() {
    use super::super::engine::FILES;
    let n = super::cases("P12, conditions taken away", 13, 6_000, 60_000);
    let mut taken = 0;
    for (file, nth) in [0usize, 2].into_iter().flat_map(|f| (0..40).map(move |i| (f, i))) {
        let mut files = FILES;
        let Some(text) = without_condition(FILES[file].1, nth) else { continue };
        files[file].1 = &text;
        let at = FILES[file].1.match_indices("\nwhen {").nth(nth).unwrap().0;
        let id = FILES[file].1[..at].rsplit("@id(").next().unwrap().split(')').next().unwrap();
        let condition = FILES[file].1[at..].lines().nth(1).unwrap();
        // Grants are asked elsewhere; a patient's own access is limited alike by both sets, each by itself enough.
        if id.contains("grant") || id.contains("own") || id.contains("mask") {
            continue;
        }
        taken += 1;
        let engine = Engine::load_from(&files).unwrap();
        let dice = Dice(SeededChance::new(13));
        let differs = (0..n).position(|_| {
            let world = dice.world();
            let got = engine.decide(super::world::DEED, &world.question());
            got.as_ref().map(said).unwrap_or_default() != expected(&world)
        });
        println!("{id}: {condition}: seen after {differs:?}");
        assert!(differs.is_some(), "{id}: {condition}");
    }
    assert!(taken >= 28, "{taken}");
}
