//! Labels are what the text says, never less, never from the one who would profit.

use super::world::{World, observation, patient, transaction, world};
use crate::fhir::Resource;
use crate::id::PatientId;
use crate::intake::Rejected;
use crate::json::{Limits, parse};

const LEVEL: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// Labels that are sent, and those that are stored.
type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);

fn labelled(labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> = labels.iter().map(|(s, c)| format!(r#"{{"system":"{s}","code":"{c}"}}"#)).collect();
    let meta = format!(r#""Observation","meta":{{"versionId":"7","security":[{}]}}"#, labels.join(","));
    observation("urn:uuid:0").replacen("\"Observation\"", &meta, 1)
}

async fn stored(world: &World, value: &str, text: &str) -> Result<(PatientId, Vec<String>), Rejected> {
    let done = world.import(text).await?.unwrap();
    let all = world.own(done.patient, "Observation").await;
    let node = parse(all[0].as_bytes(), Limits::FHIR).unwrap();
    let mut labels: Vec<String> = Resource::of(&node).security().into_iter().map(|c| c.code).collect();
    labels.sort();
    assert_eq!(Resource::of(&node).version_id(), Some("1"), "{value}");
    Ok((done.patient, labels))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_has_one_confidentiality_and_a_sensitive_one_is_restricted() {
    let world = world().await;
    let cases: [Case; 4] = [
        (&[(LEVEL, "V")], &["V"]),
        (&[(ACT, "HIV")], &["HIV", "R"]),
        (&[(ACT, "HIV"), (LEVEL, "N")], &["HIV", "R"]),
        (&[("urn:local", "x")], &["N", "x"]),
    ];
    for (i, (labels, expected)) in cases.into_iter().enumerate() {
        let value = format!("l{i}");
        let text = transaction(&[patient(&value), labelled(labels)]);
        assert_eq!(stored(&world, &value, &text).await.unwrap().1, expected);
    }
    for bad in [&[(LEVEL, "N"), (LEVEL, "R")][..], &[(LEVEL, "X")], &[(ACT, "NOSUCH")], &[("", "R")]] {
        let text = transaction(&[patient("bad"), labelled(bad)]).replace("\"system\":\"\",", "");
        assert!(matches!(world.import(&text).await, Err(Rejected::Facts { entry: Some(1), .. })), "{bad:?}");
    }
    assert_eq!(world.find("bad").await, None, "nobody is enrolled for what is refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bundle_says_of_itself_holds_of_all_that_is_in_it() {
    let world = world().await;
    let meta = format!(
        r#""Bundle","meta":{{"security":[{{"system":"{ACT}","code":"PSY"}},{{"system":"{LEVEL}","code":"V"}}]}}"#
    );
    let text = transaction(&[patient("1"), observation("urn:uuid:0")]).replacen("\"Bundle\"", &meta, 1);
    let (p, labels) = stored(&world, "1", &text).await.unwrap();
    assert_eq!(labels, ["PSY", "V"]);
    assert!(world.own(p, "Patient").await[0].contains("\"PSY\""));
}
