//! What the guarantor imports can be read, once, whole.

use super::world::{bundle, identifier, observation, patient, transaction, world};
use crate::intake::Rejected;

#[tokio::test(flavor = "multi_thread")]
async fn what_came_in_is_read_by_the_patient_with_every_other_byte_as_it_came() {
    let world = world().await;
    let done = world.import(&bundle("1")).await.unwrap().unwrap();
    assert!(done.new_patient && !done.kept_patient);
    let p = done.patient;
    assert_eq!(world.find("1").await, Some(p));
    let all = world.own(p, "Observation").await;
    let [text] = all.as_slice() else { panic!("{all:?}") };
    let id = text.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap();
    let practitioner = world.own(p, "Practitioner").await.remove(0);
    let doctor = practitioner.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let meta = r#""meta":{"versionId":"1","lastUpdated":"2026-09-21T14:13:20.000Z","security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]}"#;
    let expected = format!(
        "{{\"resourceType\":\"Observation\",\"id\":\"{id}\",{meta} , \"status\":\"final\",\"code\":{{\"text\":\"glucose\"}},\n  \
         \"subject\":{{\"reference\":\"Patient/{p}\"}},\"performer\":[{{\"reference\":\"Practitioner/{doctor}\"}}],\
         \"effectiveDateTime\":\"2026-03-01\",\"valueQuantity\":{{\"value\":1.50,\"unit\":\"g/l\"}}}}"
    );
    assert_eq!(*text, expected);
    assert_eq!(world.read(p, "Observation", &format!("Observation/{id}")).await, expected);
    assert!(world.read(p, "Patient", &format!("Patient/{p}")).await.contains("Dupont"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_once_and_another_joins_the_known_patient() {
    let world = world().await;
    let first = world.import(&bundle("1")).await.unwrap().unwrap();
    let leaves = world.leaves().await;
    assert_eq!(world.import(&bundle("1")).await.unwrap(), None);
    assert_eq!(world.leaves().await, leaves, "nothing was recorded again");
    assert_eq!(world.own(first.patient, "Observation").await.len(), 1);
    let two = r#"{"resourceType":"Patient","identifier":[{"system":"urn:oid:1.2.250.1.213.1.4.8","value":"1"},{"system":"urn:x","value":"9"}],"name":[{"family":"Other"}]}"#;
    let more = transaction(&[two.to_owned(), observation("urn:uuid:0")]);
    let second = world.import(&more).await.unwrap().unwrap();
    assert_eq!((second.patient, second.new_patient, second.kept_patient), (first.patient, false, true));
    assert_eq!(world.own(first.patient, "Observation").await.len(), 2);
    let kept = world.own(first.patient, "Patient").await;
    assert!(kept.len() == 1 && kept[0].contains("Dupont"), "the Patient resource stays as it was");
    let mut other = identifier("9");
    "urn:x".clone_into(&mut other.system);
    assert_eq!(world.house.patients.find(&other).await.unwrap(), Some(first.patient));
    let single = observation(&format!("Patient/{}", first.patient));
    assert!(world.import(&single).await.unwrap().is_some());
    assert_eq!(world.own(first.patient, "Observation").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_dropped_half_way_leaves_nothing_half() {
    let world = world().await;
    // The future is dropped after ever more polls: before, between and after the enrolment and the admission.
    let mut whole = 0;
    for polls in 0..60 {
        let text = bundle(&format!("drop-{polls}"));
        {
            let mut import = Box::pin(world.import(&text));
            for _ in 0..polls {
                let once = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(std::future::Future::poll(import.as_mut(), context))
                });
                if once.await.is_ready() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if let Some(p) = world.find(&format!("drop-{polls}")).await {
            let count = |kind| world.own(p, kind);
            let whole_or_nothing = |counts: [usize; 3]| counts == [0; 3] || counts == [1; 3];
            let mut counts = [0, 1, 2];
            // Three readings are no snapshot: the turn may come between them. What is half stays half.
            for _ in 0..50 {
                counts = [count("Patient").await, count("Practitioner").await, count("Observation").await]
                    .map(|all| all.len());
                if whole_or_nothing(counts) {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            assert!(whole_or_nothing(counts), "polls {polls}: {counts:?}");
            whole += usize::from(counts == [1; 3]);
        }
        // The dropped deed may still be on its way to its turn; whoever comes second is told to try again.
        let mut again = world.import(&text).await;
        for _ in 0..20 {
            if !matches!(again, Err(Rejected::Conflict)) {
                break;
            }
            again = world.import(&text).await;
        }
        let again = again.unwrap();
        let p = world.find(&format!("drop-{polls}")).await.unwrap();
        assert_eq!(world.own(p, "Observation").await.len(), 1, "polls {polls}: {again:?}");
    }
    println!("of 60 dropped imports {whole} were whole and none was half");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_about_one_new_patient_at_once_make_one_patient() {
    let world = world().await;
    for round in 0..10 {
        let value = format!("race-{round}");
        let a = transaction(&[patient(&value), observation("urn:uuid:0")]);
        let b = transaction(&[patient(&value), observation("urn:uuid:0"), observation("urn:uuid:0")]);
        let (mut first, mut second) = tokio::join!(world.import(&a), world.import(&b));
        for _ in 0..3 {
            if matches!(first, Err(Rejected::Conflict)) {
                first = world.import(&a).await;
            }
            if matches!(second, Err(Rejected::Conflict)) {
                second = world.import(&b).await;
            }
        }
        let (first, second) = (first.unwrap().unwrap(), second.unwrap().unwrap());
        assert_eq!(first.patient, second.patient);
        assert_eq!(world.own(first.patient, "Observation").await.len(), 3);
        assert_eq!(world.own(first.patient, "Patient").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_and_documents_are_taken_apart_and_their_links_kept() {
    let world = world().await;
    let p = world.enrol("1").await;
    let collection = format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{{"resourceType":"Patient","id":"mine","identifier":[{{"system":"{}","value":"1"}}]}}}},{{"resource":{}}}]}}"#,
        super::world::SYSTEM,
        observation("Patient/mine")
    );
    assert_eq!(world.import(&collection).await.unwrap().unwrap().patient, p);
    assert!(world.own(p, "Observation").await[0].contains(&format!("\"reference\":\"Patient/{p}\"")));
    let document = format!(
        r#"{{"resourceType":"Bundle","type":"document","identifier":{{"system":"urn:x","value":"d"}},"timestamp":"2026-01-01T00:00:00Z","entry":[{{"fullUrl":"urn:uuid:c","resource":{{"resourceType":"Composition","status":"final","type":{{"text":"x"}},"subject":{{"reference":"Patient/{p}"}},"date":"2026-01-01","author":[{{"display":"x"}}],"title":"t","section":[{{"title":"s","entry":[{{"reference":"urn:uuid:o"}}]}}]}}}},{{"fullUrl":"urn:uuid:o","resource":{}}}]}}"#,
        observation(&format!("Patient/{p}"))
    );
    assert_eq!(world.import(&document).await.unwrap().unwrap().types.len(), 2);
    let composition = world.own(p, "Composition").await.remove(0);
    assert!(composition.contains(&format!("\"reference\":\"Observation/{p}.")), "{composition}");
    let signed = document.replace(
        "\"entry\":[{\"fullUrl\":\"urn:uuid:c\"",
        "\"signature\":{\"type\":[{\"code\":\"x\"}],\"when\":\"2026-01-01T00:00:00Z\",\"who\":{\"display\":\"x\"}},\"entry\":[{\"fullUrl\":\"urn:uuid:c\"",
    );
    assert!(matches!(world.import(&signed).await, Err(Rejected::NotSupported { .. })));
}
