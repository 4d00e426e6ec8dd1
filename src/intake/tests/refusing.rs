//! Bad input: a clear answer, and nothing stored.

use super::world::{bundle, observation, patient, transaction, world};
use crate::intake::Rejected;
use crate::json::{Limits, parse};

fn refusal(world: &super::world::World, text: &[u8]) -> Rejected {
    let rejected = world.house.intake.read(text.to_vec()).unwrap_err();
    let outcome = rejected.outcome();
    let node = parse(outcome.as_bytes(), Limits::FHIR).unwrap();
    assert_eq!(crate::fhir::validate(&node), [], "{outcome}");
    assert!(!rejected.issues().is_empty() && !rejected.status().is_empty());
    rejected
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_texts_are_refused_with_the_place_of_the_fault() {
    let world = world().await;
    let good = bundle("1");
    let place = |text: &str| {
        let Rejected::Broken(broken) = refusal(&world, text.as_bytes()) else { panic!("{text}") };
        (broken.line, broken.column)
    };
    assert_eq!(place(&good.replace("1.50", "01.5")).0, 5);
    assert_eq!(place(&good.replace("\"unit\":\"g/l\"", "\"unit\":\"\\u0000\"")).0, 5);
    assert_eq!(place(&good.replace("\"g/l\"", "\"\\ud800\"")).0, 5);
    assert_eq!(place(&good.replace("\"unit\":\"g/l\"", "\"value\":2")).0, 5, "a name twice");
    assert_eq!(place(&good.replace("\"type\":\"transaction\",", "\"type\":\"transaction\",\"type\":\"batch\",")).0, 1);
    assert_eq!(place("").0, 1);
    for cut in (0..good.len()).step_by(7) {
        assert!(matches!(refusal(&world, &good.as_bytes()[..cut]), Rejected::Broken(_)), "{cut}");
    }
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(matches!(refusal(&world, deep.as_bytes()), Rejected::Broken(_)));
    let deep = good.replace("1.50", &deep);
    assert!(matches!(refusal(&world, deep.as_bytes()), Rejected::Broken(_)));
    assert!(matches!(refusal(&world, b"{\"resourceType\":\"\xff\"}"), Rejected::Broken(_)));
    assert!(matches!(refusal(&world, &vec![b' '; Limits::FHIR.bytes + 1]), Rejected::Broken(_)));
    assert_eq!(world.leaves().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_within_a_bundle_is_no_deeper_than_the_whole_may_be() {
    let world = world().await;
    let nested = |levels: usize| {
        let extension =
            format!("{}{}", "{\"url\":\"u\",\"extension\":[".repeat(levels), "{\"url\":\"u\",\"valueInteger\":1}");
        let extension = format!("{extension}{}", "]}".repeat(levels));
        let text =
            observation("urn:uuid:0").replacen("\"status\"", &format!("\"extension\":[{extension}],\"status\""), 1);
        transaction(&[patient("1"), text])
    };
    for levels in [5, 20, 28, 29, 30, 31, 40] {
        let text = nested(levels);
        let whole = parse(text.as_bytes(), Limits::FHIR).is_ok();
        assert_eq!(world.house.intake.read(text.into_bytes()).is_ok(), whole, "{levels} levels");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_entries_are_named_and_nothing_of_the_bundle_is_stored() {
    let world = world().await;
    let half =
        transaction(&[patient("1"), observation("urn:uuid:0"), observation("urn:uuid:0").replace("final", "done")]);
    let Err(Rejected::Invalid(issues)) = world.import(&half).await else { panic!() };
    assert_eq!(issues[0].expression, "Bundle.entry[2].resource.status");
    let unknown = transaction(&[patient("1"), observation("urn:uuid:0")]).replace("\"Observation\"", "\"Horoscope\"");
    assert!(matches!(world.import(&unknown).await, Err(Rejected::Invalid(_))));
    let extra = bundle("1").replacen("\"type\"", "\"colour\":1,\"type\"", 1);
    assert!(matches!(world.import(&extra).await, Err(Rejected::Invalid(_))));
    let id = "0".repeat(26) + "." + &"1".repeat(25) + "0";
    for (method, entry) in [("PUT", 2), ("DELETE", 2), ("GET", 2), ("PATCH", 2)] {
        let url = "\"request\":{\"method\":\"POST\",\"url\":\"Observation\"}";
        let asked =
            format!("\"request\":{{\"method\":\"{method}\",\"url\":\"Observation/{id}\",\"ifMatch\":\"W/\\\"1\\\"\"}}");
        let named = bundle("1").replace("\"Observation\" ,", &format!("\"Observation\",\"id\":\"{id}\","));
        // A first Bundle that may change what is there would let a file overwrite what a patient's record says.
        let text = named.replace(url, &asked).replace("urn:uuid:p", &format!("urn:uuid:{method}"));
        let got = world.import(&text).await;
        assert!(matches!(got, Err(Rejected::NotSupported { entry: Some(e), .. }) if e == entry), "{method}: {got:?}");
    }
    let conditional =
        bundle("1").replace("\"url\":\"Observation\"", "\"url\":\"Observation\",\"ifNoneExist\":\"code=x\"");
    assert!(matches!(world.import(&conditional).await, Err(Rejected::NotSupported { entry: Some(2), .. })));
    let twice = bundle("1").replace("urn:uuid:d\",\"resource", "urn:uuid:o\",\"resource");
    assert!(matches!(world.import(&twice).await, Err(Rejected::Bundle(_))));
    let dangling = bundle("1").replace("\"reference\":\"urn:uuid:d\"", "\"reference\":\"urn:uuid:nobody\"");
    assert!(matches!(world.import(&dangling).await, Err(Rejected::Link { entry: Some(2), .. })));
    let searching = bundle("1").replace("\"reference\":\"urn:uuid:d\"", "\"reference\":\"Practitioner?name=x\"");
    assert!(matches!(world.import(&searching).await, Err(Rejected::Link { entry: Some(2), .. })));
    let consent = r#"{"resourceType":"AuditEvent","type":{"code":"x"},"recorded":"2026-01-01T00:00:00Z","agent":[{"requestor":true}],"source":{"observer":{"display":"x"}},"entity":[{"what":{"reference":"urn:uuid:0"}}]}"#;
    let got = world.import(&transaction(&[patient("1"), consent.to_owned()])).await;
    assert!(matches!(got, Err(Rejected::NotSupported { entry: Some(1), .. })), "{got:?}");
    assert_eq!((world.leaves().await, world.find("1").await), (1, None), "nobody was enrolled, nothing recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_another_patient_or_nobody_is_refused_and_nothing_stored() {
    let world = world().await;
    let (a, b) = (world.enrol("a").await, world.enrol("b").await);
    let leaves = world.leaves().await;
    let of = |p| observation(&format!("Patient/{p}"));
    let refused = async |text: String| world.import(&text).await.unwrap_err();
    assert!(matches!(refused(transaction(&[patient("a"), of(b)])).await, Rejected::OtherPatient));
    assert!(matches!(refused(transaction(&[of(a), of(b)])).await, Rejected::OtherPatient));
    assert!(matches!(refused(transaction(&[patient("new"), of(a)])).await, Rejected::OtherPatient));
    assert!(matches!(refused(observation("Patient/someone-else")).await, Rejected::OtherPatient));
    assert!(matches!(refused(observation("http://elsewhere.example/fhir/Patient/1")).await, Rejected::OtherPatient));
    assert!(matches!(refused(of(crate::id::PatientId::from_bytes([9; 16]))).await, Rejected::NoSuchPatient));
    assert!(matches!(refused(transaction(&[patient("a"), patient("b")])).await, Rejected::SeveralPatients));
    let both =
        patient("a").replacen("[{", &format!("[{{\"system\":\"{}\",\"value\":\"b\"}},{{", super::world::SYSTEM), 1);
    assert!(matches!(refused(both).await, Rejected::SeveralPatients));
    let missing = observation("x").replace("\"subject\":{\"reference\":\"x\"},", "");
    assert!(matches!(refused(missing).await, Rejected::Subject { .. }));
    let nobody = "{\"resourceType\":\"Practitioner\",\"name\":[{\"family\":\"x\"}]}".to_owned();
    assert!(matches!(refused(nobody).await, Rejected::NoPatient));
    let anonymous = "{\"resourceType\":\"Patient\",\"identifier\":[{\"value\":\"7\"}]}".to_owned();
    assert!(matches!(refused(anonymous).await, Rejected::NoIdentifier));
    // A record of B that a record of A points at.
    let pointing = of(a).replacen(
        "\"status\"",
        &format!("\"hasMember\":[{{\"reference\":\"Observation/{b}.{b}\"}}],\"status\""),
        1,
    );
    let pointing = pointing.replace(&format!("{b}.{b}"), &format!("{b}.{a}"));
    assert!(matches!(refused(pointing).await, Rejected::OtherPatient));
    let ours = format!("http://localhost:8750/fhir/Patient/{a}");
    assert!(world.import(&observation(&ours)).await.unwrap().is_some(), "our own absolute address is known");
    assert_eq!(world.leaves().await, leaves + 1);
    assert_eq!(world.own(b, "Observation").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outline_changes_nothing_in_what_is_accepted() {
    let world = world().await;
    let escaped = bundle("1")
        .replace("{\"fullUrl\":\"urn:uuid:o\",\"resource\"", "{\"fullUrl\":\"urn:uuid:o\",\"resourc\\u0065\"");
    assert!(matches!(refusal(&world, escaped.as_bytes()), Rejected::NotSupported { .. }));
    for (from, to) in [
        (
            "\"resource\": {\"resourceType\":\"Observation\"",
            "\"resource\":{},\"resource\":{\"resourceType\":\"Observation\"",
        ),
        ("\"resourceType\":\"Bundle\"", "\"resourceType\":\"Bundle\",\"entry\":[]"),
        ("\"entry\":[", "\"entry\":[,"),
        ("\"entry\":[", "\"entry\":[null,"),
        ("\"entry\":[", "\"entry\":[{\"resource\":\"Patient\"},"),
        ("\n]}", "\n,]}"),
        ("\n]}", "\n]}}"),
        ("\n]}", "\n]"),
    ] {
        let text = bundle("1").replacen(from, to, 1);
        assert_ne!(text, bundle("1"), "{from}");
        refusal(&world, text.as_bytes());
    }
    let nested = bundle("1")
        .replace("{\"resourceType\":\"Practitioner\"", "{\"resourceType\":\"Bundle\",\"type\":\"collection\"");
    refusal(&world, nested.as_bytes());
    for value in ["\"[{\\\"\"", "\"}]\\\\\"", "\"\\u0022}\""] {
        let text = bundle("1").replace("\"glucose\"", value);
        assert!(world.house.intake.read(text.into_bytes()).is_ok(), "{value}");
    }
}
