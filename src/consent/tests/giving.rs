//! Granting, narrowing, shutting out and lifting.

use super::world::{DAY, Me, ORIGIN, World};
use crate::consent::issued::text_hash;
use crate::consent::{ConsentError, Signed, Wish};
use crate::ledger::Act;
use crate::model::{Grantee, Op, Purpose, RecordClass, Statement};
use crate::proof::{Evidence, PublicKey, Window, consent_token};

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_grant_opens_exactly_what_it_says_and_gives_a_token() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let condition = world.admit(&me, "Condition", |_| {}).await;
    let martin = world.bearer(world.martin);
    assert!(!world.reads(&martin, "Observation", lab).await);

    let receipt = world.granted(&me, &["Observation.rs"]).await;
    assert!(world.reads(&martin, "Observation", lab).await);
    assert!(!world.reads(&martin, "Condition", condition).await);
    assert!(!world.reads(&world.bearer(world.nurse), "Observation", lab).await);

    let leaf = world.leaves().await.into_iter().find(|e| e.index == receipt.leaf).unwrap();
    assert_eq!((leaf.act, leaf.basis[0].consent, leaf.basis[0].revision), (Act::Grant, receipt.consent, 1));
    let signer = world.house.keyring.consent_signer();
    let key = PublicKey::from_bytes(signer.public()).unwrap();
    let window = Window::of_ours(world.house.clock.now(), 366 * DAY);
    let expected = consent_token::Expected {
        issuer: "https://garant.example",
        audience: "https://garant.example/fhir",
        window,
        memo: None,
    };
    let token = consent_token::verify(&receipt.token.unwrap(), &expected, |_| Some(key)).unwrap();
    assert_eq!((token.consent, token.device), (receipt.consent, me.device));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_again_give_the_first_result_and_other_bytes_do_not() {
    let world = World::new().await;
    let me = world.patient().await;
    let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await.unwrap();
    let first = world.house.consents.sign(me.patient, &me.signed(&draft.statement)).await.unwrap();
    let size = world.leaves().await.len();
    // Long after, too: whoever lost the answer asks again.
    world.clock.advance_secs(3600);
    let again = world.house.consents.sign(me.patient, &me.signed(&draft.statement)).await.unwrap();
    assert!(again.again && !first.again);
    assert_eq!((again.consent, again.leaf, &again.token), (first.consent, first.leaf, &first.token));
    let other = Statement { language: "en".into(), ..Statement::parse(&draft.statement).unwrap() }.to_bytes();
    let conflict = world.house.consents.sign(me.patient, &me.signed(&other)).await;
    assert!(matches!(conflict, Err(ConsentError::Conflict)), "{conflict:?}");
    assert_eq!(world.leaves().await.len(), size);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_signed_within_five_minutes_and_only_as_it_was_shown() {
    let world = World::new().await;
    let me = world.patient().await;
    let consents = &world.house.consents;
    let wish = || Wish::Grant(world.terms(&["Observation.rs"]));
    let draft = world.draft(&me, wish()).await.unwrap();
    assert_eq!(Statement::parse(&draft.statement).unwrap().text_hash, text_hash(&draft.text));
    world.clock.advance_secs(300);
    assert!(matches!(consents.sign(me.patient, &me.signed(&draft.statement)).await, Err(ConsentError::Late)));
    // From a node whose clock is ahead: ten seconds are borne, more are not.
    let draft = world.draft(&me, wish()).await.unwrap();
    world.clock.advance_secs(-11);
    assert!(matches!(consents.sign(me.patient, &me.signed(&draft.statement)).await, Err(ConsentError::Late)));
    world.clock.advance_secs(1);
    consents.sign(me.patient, &me.signed(&draft.statement)).await.unwrap();

    // O32: the name changes between showing and signing.
    let draft = world.draft(&me, wish()).await.unwrap();
    world.rename_martin("Dr Marton").await;
    let changed = consents.sign(me.patient, &me.signed(&draft.statement)).await;
    assert!(matches!(changed, Err(ConsentError::Changed)), "{changed:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_active_key_of_the_patient_signs() {
    let world = World::new().await;
    let (me, other) = (world.patient().await, world.patient().await);
    let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await.unwrap();
    let with =
        |jws: String| Signed { statement: draft.statement.clone(), evidence: Evidence::Device(jws), answers: None };
    let consents = &world.house.consents;
    for jws in [
        other.jws(other.device, &draft.statement),
        other.jws(me.device, &draft.statement),
        me.jws(other.device, &draft.statement),
        me.jws(me.device, b"{}"),
        String::new(),
    ] {
        let refused = consents.sign(me.patient, &with(jws)).await;
        assert!(matches!(refused, Err(ConsentError::Unsigned)), "{refused:?}");
    }
    // Another session with the same bytes.
    let elsewhere = consents.sign(other.patient, &me.signed(&draft.statement)).await;
    assert!(matches!(elsewhere, Err(ConsentError::Elsewhere)));
    world.house.patients.remove_device(me.patient, me.device).await.unwrap();
    let removed = consents.sign(me.patient, &me.signed(&draft.statement)).await;
    assert!(matches!(removed, Err(ConsentError::Unsigned)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_signs_on_our_pages_with_the_person_verified() {
    let world = World::new().await;
    let patient = world.patient().await.patient;
    let me = world.device_of(patient, World::passkey()).await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await.unwrap();
    let consents = &world.house.consents;
    for bad in
        [me.assertion(&draft.statement, ORIGIN, 0x01), me.assertion(&draft.statement, "https://evil.example", 0x05)]
    {
        assert!(matches!(consents.sign(patient, &bad).await, Err(ConsentError::Unsigned)));
    }
    consents.sign(patient, &me.assertion(&draft.statement, ORIGIN, 0x05)).await.unwrap();
    assert!(world.reads(&world.bearer(world.martin), "Observation", lab).await);
    world.end().await;
}

/// WA-07: a copy of a passkey shows in a counter that stands still or goes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_whose_counter_does_not_go_forward_signs_nothing() {
    let world = World::new().await;
    let patient = world.house.patients.enrol(&[]).await.unwrap();
    let me = world.device_of(patient, World::passkey()).await;
    let sign = async |counter: u32| {
        let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await.unwrap();
        let signed = me.counted(&draft.statement, (ORIGIN, 0x05), counter);
        world.house.consents.sign(patient, &signed).await
    };
    for (counter, good) in [(0, true), (0, true), (7, true), (7, false), (6, false), (0, false), (8, true)] {
        let done = sign(counter).await;
        assert_eq!(done.is_ok(), good, "{counter}: {done:?}");
        assert!(good || matches!(done, Err(ConsentError::Unsigned)));
    }
    // Two at once with one counter: the turn lets one pass.
    let both = crate::consent::tests::races::all((0..2).map(|_| sign(9))).await;
    assert_eq!(both.iter().filter(|done| done.is_ok()).count(), 1, "{both:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_the_law_would_never_honour_is_not_even_drafted() {
    let world = World::new().await;
    let me = world.patient().await;
    let insurer = Grantee::Organisation(world.insurer);
    let refused = |terms| async { world.draft(&me, Wish::Grant(terms)).await };
    for scope in ["DocumentReference.rs", "*.rs", "Observation.r", "ExplanationOfBenefit.crs"] {
        let terms = world.terms_for(insurer.clone(), Purpose::Hpaymt, &[scope]);
        let Err(ConsentError::Refused { article, .. }) = refused(terms).await else { panic!("{scope}") };
        assert!(article.unwrap().contains("L.1111-18"), "{scope}");
    }
    let good = world.terms_for(insurer, Purpose::Hpaymt, &["ExplanationOfBenefit.rs"]);
    let mut endless = good.clone();
    endless.valid.to = endless.valid.from.plus_secs(367 * DAY);
    assert!(matches!(refused(endless).await, Err(ConsentError::Refused { reason: "window", .. })));
    let mut over = world.terms(&["Observation.rs"]);
    (over.valid.from, over.valid.to) = (over.valid.from.plus_secs(-DAY), over.valid.from);
    assert!(matches!(refused(over).await, Err(ConsentError::Refused { reason: "window", .. })));
    let mut decades = world.terms(&["Observation.rs"]);
    decades.valid.to = decades.valid.from.plus_secs(3700 * DAY);
    assert!(matches!(refused(decades).await, Err(ConsentError::Refused { reason: "window", .. })));
    let mut empty = world.terms(&["Observation.rs"]);
    empty.scope.clear();
    assert!(matches!(refused(empty).await, Err(ConsentError::Statement(_))));

    // The lawful one opens proof of reimbursement and nothing else.
    let proof = world.admit(&me, "ExplanationOfBenefit", |f| f.class = RecordClass::Reimbursement).await;
    let medical = world.admit(&me, "ExplanationOfBenefit", |_| {}).await;
    world.done(&me, Wish::Grant(good)).await.unwrap();
    assert!(world.reads(&world.insurers(), "ExplanationOfBenefit", proof).await);
    assert!(!world.reads(&world.insurers(), "ExplanationOfBenefit", medical).await);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_or_unknown_grantee_is_given_nothing() {
    let world = World::new().await;
    let me = world.patient().await;
    world.house.enrolments.set_standing(world.martin.as_bytes(), false).await.unwrap();
    let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await;
    assert!(matches!(draft, Err(ConsentError::NoGrantee)));
    let nobody = world.terms_for(
        Grantee::Organisation(crate::id::OrganisationId::from_bytes([9; 16])),
        Purpose::Treat,
        &["Observation.rs"],
    );
    assert!(matches!(world.draft(&me, Wish::Grant(nobody)).await, Err(ConsentError::NoGrantee)));
    world.end().await;
}

/// P13
#[tokio::test(flavor = "multi_thread")]
async fn what_is_narrowed_away_is_refused_and_the_rest_stays_open() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let condition = world.admit(&me, "Condition", |_| {}).await;
    let martin = world.bearer(world.martin);
    let wide = world.terms(&["Condition.rs", "Observation.rs"]);
    let grant = world.done(&me, Wish::Grant(wide.clone())).await.unwrap();
    assert!(world.reads(&martin, "Condition", condition).await);
    let mut narrow = wide.clone();
    narrow.scope.remove(0);
    let receipt = world.done(&me, Wish::Narrow(grant.consent, narrow.clone())).await.unwrap();
    assert_eq!((receipt.revision, receipt.token.is_some()), (2, true));
    assert!(!world.reads(&martin, "Condition", condition).await);
    assert!(world.reads(&martin, "Observation", lab).await);
    let wider = world.draft(&me, Wish::Narrow(grant.consent, wide)).await;
    assert!(matches!(wider, Err(ConsentError::Wider)));
    world.house.consents.revoke(me.patient, grant.consent).await.unwrap();
    assert!(matches!(world.draft(&me, Wish::Narrow(grant.consent, narrow)).await, Err(ConsentError::Conflict)));
    world.end().await;
}

/// FR-32, F38
#[tokio::test(flavor = "multi_thread")]
async fn an_exclusion_beats_every_grant_until_it_is_lifted_by_a_signature() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let martin = world.bearer(world.martin);
    let out = world.done(&me, Wish::Exclude(world.martin)).await.unwrap();
    assert_eq!(out.token, None);
    world.granted(&me, &["Observation.rs"]).await;
    let role = Grantee::Role(world.hospital, "10".parse().unwrap());
    world.done(&me, Wish::Grant(world.terms_for(role, Purpose::Treat, &["*.rs"]))).await.unwrap();
    assert!(!world.reads(&martin, "Observation", lab).await);

    let unsigned = world.house.consents.revoke(me.patient, out.consent).await;
    assert!(matches!(unsigned, Err(ConsentError::Exclusion)));
    let thief = Me { patient: me.patient, ..world.patient().await };
    let draft = world.draft(&me, Wish::Lift(out.consent)).await.unwrap();
    assert!(draft.text.contains("le Dr\u{a0}Martin"), "{}", draft.text);
    let stolen = world.house.consents.sign(me.patient, &thief.signed(&draft.statement)).await;
    assert!(matches!(stolen, Err(ConsentError::Unsigned)));
    assert!(!world.reads(&martin, "Observation", lab).await);

    world.house.consents.sign(me.patient, &me.signed(&draft.statement)).await.unwrap();
    assert!(world.reads(&martin, "Observation", lab).await);
    assert!(matches!(world.draft(&me, Wish::Lift(out.consent)).await, Err(ConsentError::Conflict)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_are_listed_with_the_bytes_that_were_signed() {
    let world = World::new().await;
    let (me, other) = (world.patient().await, world.patient().await);
    let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await.unwrap();
    let receipt = world.house.consents.sign(me.patient, &me.signed(&draft.statement)).await.unwrap();
    world.done(&me, Wish::Exclude(world.nurse)).await.unwrap();
    let view = world.house.consents.one(me.patient, receipt.consent).await.unwrap();
    assert_eq!((view.state, view.leaf, &view.token), ("active", receipt.leaf, &receipt.token));
    assert_eq!(view.name(), Some("Dr Martin"));
    assert_eq!(view.history[0].statement, draft.statement);
    world.house.consents.revoke(me.patient, receipt.consent).await.unwrap();
    let all = world.house.consents.list(me.patient).await.unwrap();
    let ended = all.iter().find(|v| v.consent == receipt.consent).unwrap();
    assert_eq!((ended.state, ended.revision), ("ended", 2));
    assert_eq!(ended.history.iter().map(|p| p.op).collect::<Vec<_>>(), ["grant", "revoke"]);
    assert!(matches!(Statement::parse(&ended.history[1].statement).unwrap().op, Op::Revoke));
    assert!(all.iter().any(|v| v.excluded == Some(world.nurse)));
    assert!(matches!(world.house.consents.one(other.patient, receipt.consent).await, Err(ConsentError::Unknown)));
    assert!(world.house.consents.list(other.patient).await.unwrap().is_empty());
    world.end().await;
}
