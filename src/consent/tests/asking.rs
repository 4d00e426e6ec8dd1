//! Requests and their answers.

use super::world::{DAY, World};
use crate::consent::{ConsentError, MOST_OPEN, OPEN_DAYS, Signed, Wish};
use crate::id::PatientId;
use crate::ledger::Act;
use crate::model::{Grantee, Purpose};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_by_a_grant_or_declined_once() {
    let world = World::new().await;
    let (me, other) = (world.patient().await, world.patient().await);
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let consents = &world.house.consents;
    let martin = world.bearer(world.martin);
    let terms = world.terms(&["Observation.rs"]);
    let id = consents.request(&martin, me.patient, &terms, "Pour préparer votre rendez-vous.").await.unwrap();
    // Asking opens nothing.
    assert!(!world.reads(&martin, "Observation", lab).await);
    let seen = consents.requests(me.patient).await.unwrap();
    assert_eq!((seen.len(), seen[0].id, seen[0].state.as_str()), (1, id, "open"));
    assert_eq!((&seen[0].terms, seen[0].name.as_deref()), (&terms, Some("Hôpital Nord")));
    assert!(consents.requests(other.patient).await.unwrap().is_empty());
    assert!(matches!(consents.decline(other.patient, id).await, Err(ConsentError::Unknown)));

    let draft = world.draft(&me, Wish::Grant(terms.clone())).await.unwrap();
    let signed = Signed { answers: Some(id), ..me.signed(&draft.statement) };
    consents.sign(me.patient, &signed).await.unwrap();
    assert!(world.reads(&martin, "Observation", lab).await);
    assert_eq!(consents.requests(me.patient).await.unwrap()[0].state, "accepted");
    assert!(matches!(consents.decline(me.patient, id).await, Err(ConsentError::Conflict)));

    let id = consents.request(&martin, me.patient, &terms, "").await.unwrap();
    consents.decline(me.patient, id).await.unwrap();
    let size = world.leaves().await.len();
    consents.decline(me.patient, id).await.unwrap();
    assert_eq!(world.leaves().await.len(), size);
    let draft = world.draft(&me, Wish::Grant(terms)).await.unwrap();
    let signed = Signed { answers: Some(id), ..me.signed(&draft.statement) };
    assert!(matches!(consents.sign(me.patient, &signed).await, Err(ConsentError::Conflict)));
    world.end().await;
}

/// FR-05
#[tokio::test(flavor = "multi_thread")]
async fn an_insurer_who_asks_for_more_than_the_law_allows_is_refused_at_once_and_on_record() {
    let world = World::new().await;
    let me = world.patient().await;
    let insurer = world.insurers();
    let terms = world.terms_for(Grantee::Organisation(world.insurer), Purpose::Hpaymt, &["DocumentReference.rs"]);
    let refused = world.house.consents.request(&insurer, me.patient, &terms, "").await;
    let Err(ConsentError::Refused { article, reason }) = refused else { panic!("{refused:?}") };
    assert!(article.unwrap().contains("L.1111-18"));
    assert!(world.house.consents.requests(me.patient).await.unwrap().is_empty());
    let last = world.leaves().await.pop().unwrap();
    assert_eq!((last.act, last.reason.unwrap().code()), (Act::Refuse, reason));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_asks_for_oneself_only_and_learns_nothing_about_who_is_a_patient() {
    let world = World::new().await;
    let me = world.patient().await;
    let consents = &world.house.consents;
    let (martin, insurer) = (world.bearer(world.martin), world.insurers());
    let terms = world.terms(&["Observation.rs"]);
    assert!(matches!(consents.request(&insurer, me.patient, &terms, "").await, Err(ConsentError::NotForYou)));
    let nurses = world.bearer(world.nurse);
    assert!(matches!(consents.request(&nurses, me.patient, &terms, "").await, Err(ConsentError::NotForYou)));
    for bad in ["x".repeat(501), "a\u{7}".to_owned()] {
        assert!(matches!(consents.request(&martin, me.patient, &terms, &bad).await, Err(ConsentError::BadMessage)));
    }
    assert!(consents.request(&martin, PatientId::from_bytes([8; 16]), &terms, "").await.is_ok());
    world.house.enrolments.set_standing(world.martin.as_bytes(), false).await.unwrap();
    assert!(matches!(consents.request(&martin, me.patient, &terms, "").await, Err(ConsentError::NotForYou)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_asked_and_not_worn_down() {
    let world = World::new().await;
    let me = world.patient().await;
    let (house, martin) = (&world.house, world.bearer(world.martin));
    let terms = world.terms(&["Observation.rs"]);
    let all = (0..MOST_OPEN + 6).map(|_| house.consents.request(&martin, me.patient, &terms, ""));
    let answers = crate::consent::tests::races::all(all).await;
    // Were one too many answered otherwise, it would tell that there is such a patient.
    assert!(answers.iter().all(Result::is_ok));
    let open = async || i64::try_from(house.consents.requests(me.patient).await.unwrap().len()).unwrap();
    assert_eq!(open().await, MOST_OPEN);
    let refused: Vec<_> = world.leaves().await.into_iter().filter_map(|leaf| leaf.reason).collect();
    assert_eq!((refused.len(), refused[0].code()), (6, "too-many"));
    let id = house.consents.requests(me.patient).await.unwrap()[0].id;
    house.consents.decline(me.patient, id).await.unwrap();
    house.consents.request(&martin, me.patient, &terms, "").await.unwrap();
    assert_eq!(open().await, MOST_OPEN + 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_nobody_answered_expires_and_makes_room() {
    let world = World::new().await;
    let me = world.patient().await;
    let (consents, martin) = (&world.house.consents, world.bearer(world.martin));
    let terms = world.terms(&["Observation.rs"]);
    for _ in 0..MOST_OPEN {
        consents.request(&martin, me.patient, &terms, "").await.unwrap();
    }
    world.clock.advance_secs(OPEN_DAYS * DAY - 1);
    let last = consents.requests(me.patient).await.unwrap();
    assert!(last.iter().all(|r| r.state == "open"));
    consents.decline(me.patient, last[1].id).await.unwrap();
    world.clock.advance_secs(2);
    let seen = consents.requests(me.patient).await.unwrap();
    assert_eq!((seen[0].state.as_str(), seen[1].state.as_str()), ("expired", "declined"));
    assert!(matches!(consents.decline(me.patient, seen[0].id).await, Err(ConsentError::Conflict)));
    let terms = world.terms(&["Observation.rs"]);
    let draft = world.draft(&me, Wish::Grant(terms.clone())).await.unwrap();
    let signed = Signed { answers: Some(seen[0].id), ..me.signed(&draft.statement) };
    assert!(matches!(consents.sign(me.patient, &signed).await, Err(ConsentError::Conflict)));
    let id = consents.request(&martin, me.patient, &terms, "").await.unwrap();
    let newest = &consents.requests(me.patient).await.unwrap()[0];
    assert_eq!((newest.id, newest.state.as_str()), (id, "open"));
    world.end().await;
}
