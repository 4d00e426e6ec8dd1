//! Deposits rest on the patient's consent, at their turn.

use super::world::{bundle, observation, themself, transaction, world};
use crate::intake::{Deposited, Rejected};

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_needs_a_consent_for_all_of_it() {
    let world = world().await;
    let bearer = world.hospital().await;
    let p = world.import(&bundle("1")).await.unwrap().unwrap().patient;
    let of = |kind: &str| observation(&format!("Patient/{p}")).replace("\"Observation\"", &format!("\"{kind}\""));
    let text = transaction(&[of("Observation"), of("Observation")]).into_bytes();
    let before = world.leaves().await;
    let intake = &world.house.intake;
    assert!(matches!(intake.deposit(&bearer, text.clone()).await, Err(Rejected::Hidden)));
    assert_eq!(world.leaves().await, before + 1, "the refusal is on record");

    let consent = world.grant(p, "Observation.c").await;
    let Deposited::Whole(receipt) = intake.deposit(&bearer, text.clone()).await.unwrap() else { panic!() };
    let mut entries = String::new();
    receipt.write(&mut entries);
    let response = crate::fhir::bundle::response("transaction-response", &[entries]);
    assert_eq!(receipt.entries.len(), 2);
    let [first, second] = [&receipt.entries[0].reference, &receipt.entries[1].reference];
    assert_eq!(
        response,
        format!(
            r#"{{"resourceType":"Bundle","type":"transaction-response","entry":[{{"response":{{"status":"201 Created","location":"{first}/_history/1","etag":"W/\"1\"","lastModified":"2026-09-21T14:13:20.000Z"}}}},{{"response":{{"status":"201 Created","location":"{second}/_history/1","etag":"W/\"1\"","lastModified":"2026-09-21T14:13:20.000Z"}}}}]}}"#
        )
    );
    assert_eq!(crate::fhir::validate(&crate::json::parse(response.as_bytes(), crate::json::Limits::FHIR).unwrap()), []);
    assert!(world.read(p, "Observation", first).await.contains("1.50"));

    // One entry beyond the consent refuses the whole, with the very same answer.
    let condition = format!(
        r#"{{"resourceType":"Condition","subject":{{"reference":"Patient/{p}"}},"clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}}]}}}}"#
    );
    let mixed = transaction(&[of("Observation"), condition]).into_bytes();
    assert!(matches!(intake.deposit(&bearer, mixed).await, Err(Rejected::Hidden)));
    assert_eq!(world.own(p, "Observation").await.len(), 3);

    world.revoke(p, consent).await;
    assert!(matches!(intake.deposit(&bearer, text).await, Err(Rejected::Hidden)));
    assert_eq!(world.own(p, "Observation").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_revoked_before_the_turn_refuses_the_deposit_in_its_turn() {
    let world = world().await;
    let bearer = world.hospital().await;
    let p = world.import(&bundle("1")).await.unwrap().unwrap().patient;
    let consent = world.grant(p, "Observation.c").await;
    let text = observation(&format!("Patient/{p}")).into_bytes();
    let mut rounds = (0, 0);
    // Revoked while the deposit is on its way: either it stands before the revocation in the log, or not at all.
    let deposit = world.house.intake.deposit(&bearer, text.clone());
    let revoke = async {
        tokio::task::yield_now().await;
        world.revoke(p, consent).await;
    };
    let (deposited, ()) = tokio::join!(deposit, revoke);
    match deposited {
        Ok(_) => rounds.0 += 1,
        Err(Rejected::Hidden) => rounds.1 += 1,
        Err(other) => panic!("{other:?}"),
    }
    assert_eq!(world.own(p, "Observation").await.len(), 1 + rounds.0);
    assert!(matches!(world.house.intake.deposit(&bearer, text).await, Err(Rejected::Hidden)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_prepared_under_a_consent_that_ended_is_stale() {
    use super::super::admit::Allowed;
    use super::super::current::Current;
    use crate::ledger::{Ground, Personal, entry::Basis};
    let world = world().await;
    let p = world.import(&bundle("1")).await.unwrap().unwrap().patient;
    let consent = world.grant(p, "Observation.c").await;
    let intake = &world.house.intake;
    let reading = intake.read(observation(&format!("Patient/{p}")).into_bytes()).unwrap();
    let keys = std::sync::Arc::new(world.house.keyring.unwrapper().keys(p).await.unwrap());
    let prepared = intake
        .prepare(reading, &crate::intake::Owner { keys, patient_resource: None, author: None }, &Current::default())
        .unwrap();
    world.revoke(p, consent).await;
    let deed = crate::id::DeedId::ordered(&*world.house.clock, &*world.house.chance).unwrap();
    let allowed =
        Allowed { ground: Ground::Consent, basis: vec![Basis { consent, revision: 1 }], ..Allowed::GUARANTOR };
    let about = Personal { patient: Some(p), route: "deposit".into(), ..Personal::default() };
    assert!(matches!(intake.admit(deed, prepared, about, allowed, Vec::new()).await, Err(Rejected::Hidden)));
    assert_eq!(world.own(p, "Observation").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_who_is_enrolled() {
    let world = world().await;
    let bearer = world.hospital().await;
    let known = world.import(&bundle("known")).await.unwrap().unwrap().patient;
    let other = world.enrol("other").await;
    let unknown = crate::id::PatientId::from_bytes([9; 16]);
    let intake = &world.house.intake;
    for text in [
        observation(&format!("Patient/{known}")),
        observation(&format!("Patient/{unknown}")),
        bundle("known"),
        bundle("unknown"),
        bundle("known")
            .replace("\"reference\":\"urn:uuid:d\"", &format!("\"reference\":\"Observation/{other}.{known}\"")),
    ] {
        let got = intake.deposit(&bearer, text.clone().into_bytes()).await;
        assert!(matches!(got, Err(Rejected::Hidden)), "{text}: {got:?}");
    }
    assert_eq!(world.find("unknown").await, None, "a deposit enrols nobody");
    let themself = themself(known);
    let own = observation(&format!("Patient/{known}")).into_bytes();
    assert!(matches!(intake.deposit(&themself, own.clone()).await, Err(Rejected::Patient)));
    let reader = crate::model::Bearer { scopes: vec!["*.rs".parse().unwrap()], ..bearer };
    assert!(matches!(intake.deposit(&reader, own).await, Err(Rejected::OutOfScope)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_entries_of_a_batch_stand_each_on_its_own() {
    let world = world().await;
    let bearer = world.hospital().await;
    let p = world.import(&bundle("1")).await.unwrap().unwrap().patient;
    world.grant(p, "Observation.c").await;
    let good = observation(&format!("Patient/{p}"));
    let batch = transaction(&[good.clone(), good.replace("final", "done"), observation("urn:uuid:0"), good.clone()])
        .replace("transaction", "batch");
    let each = world.batch(&bearer, batch.into_bytes()).await;
    let statuses: Vec<&str> = each.iter().map(|one| one.as_ref().map_or_else(Rejected::status, |_| "ok")).collect();
    assert_eq!(statuses, ["ok", "422 Unprocessable Entity", "403 Forbidden", "ok"]);
    assert_eq!(world.own(p, "Observation").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_resource_is_created_at_the_address_of_its_type_only() {
    let world = world().await;
    let bearer = world.hospital().await;
    let p = world.import(&bundle("1")).await.unwrap().unwrap().patient;
    world.grant(p, "Observation.c Patient.c").await;
    let intake = &world.house.intake;
    let text =
        observation(&format!("Patient/{p}")).replacen("\"status\"", "\"id\":\"mine\",\"status\"", 1).into_bytes();
    assert!(matches!(intake.create(&bearer, "Condition", text.clone()).await, Err(Rejected::WrongType)));
    let receipt = intake.create(&bearer, "Observation", text).await.unwrap();
    assert!(!receipt.entries[0].reference.contains("mine"), "the client's id is ignored (FH-12)");
    let again = intake.create(&bearer, "Patient", super::world::patient("1").into_bytes()).await;
    assert!(matches!(again, Err(Rejected::Exists)), "{again:?}");
}
