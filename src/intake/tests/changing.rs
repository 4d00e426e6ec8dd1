//! Bundles that change what is there: all of it in one turn, or none of it.

use super::world::{bundle, observation, transaction, world};
use crate::intake::{Became, Deposited, Rejected};

/// An entry of a Bundle that is not a create.
fn entry(method: &str, url: &str, if_match: Option<i64>, resource: Option<&str>) -> String {
    let resource = resource.map_or_else(String::new, |r| format!("\"resource\":{r},"));
    let if_match = if_match.map_or_else(String::new, |n| format!(",\"ifMatch\":\"W/\\\"{n}\\\"\""));
    format!(r#"{{{resource}"request":{{"method":"{method}","url":"{url}"{if_match}}}}}"#)
}

fn of(kind: &str, entries: &[String]) -> Vec<u8> {
    format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{}]}}"#, entries.join(",")).into_bytes()
}

fn next(text: &str, reference: &str) -> String {
    let id = reference.split_once('/').unwrap().1;
    text.replacen("\"status\"", &format!("\"id\":\"{id}\",\"status\""), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn fh_56_a_transaction_makes_replaces_and_ends_records_in_one_turn_or_does_nothing() {
    let world = world().await;
    let bearer = world.hospital().await;
    let p = world.import(&bundle("1")).await.unwrap().unwrap().patient;
    world.grant(p, "Observation.cud").await;
    let intake = &world.house.intake;
    let text = observation(&format!("Patient/{p}"));
    let both = transaction(&[text.clone(), text.clone()]).into_bytes();
    let Deposited::Whole(made) = intake.deposit(&bearer, both).await.unwrap() else { panic!() };
    let [first, second] = [&made.entries[0].reference, &made.entries[1].reference];
    let replaced = next(&text.replace("glucose", "replaced"), first);
    let new = format!(
        r#"{{"fullUrl":"urn:uuid:n","resource":{},"request":{{"method":"POST","url":"Observation"}}}}"#,
        text.replacen("\"status\"", "\"derivedFrom\":[{\"reference\":\"urn:uuid:x\"}],\"status\"", 1)
    );
    let put = |version| {
        let put = entry("PUT", first, Some(version), Some(&replaced));
        put.replacen('{', "{\"fullUrl\":\"urn:uuid:x\",", 1)
    };
    let delete = entry("DELETE", second, None, None);
    let leaves = world.leaves().await;
    let stale = of("transaction", &[new.clone(), put(7), delete.clone()]);
    assert!(matches!(intake.deposit(&bearer, stale).await, Err(Rejected::Stale)));
    let twice = of("transaction", &[put(1), entry("DELETE", first, None, None)]);
    assert!(matches!(intake.deposit(&bearer, twice).await, Err(Rejected::Bundle(_))));
    let absent = entry("DELETE", &format!("Observation/{p}.{}", "0".repeat(26)), None, None);
    let hidden = of("transaction", &[new.clone(), put(1), absent]);
    assert!(matches!(intake.deposit(&bearer, hidden).await, Err(Rejected::Hidden)));
    let fixed = of("transaction", &[entry("DELETE", &format!("Patient/{p}"), None, None)]);
    assert!(matches!(intake.deposit(&bearer, fixed).await, Err(Rejected::Fixed)));
    assert_eq!(world.own(p, "Observation").await.len(), 3, "nothing was done");
    assert_eq!(world.leaves().await, leaves + 3, "two refusals, and the look just now");

    let all = of("transaction", &[new, put(1), delete]);
    let Deposited::Whole(done) = intake.deposit(&bearer, all).await.unwrap() else { panic!() };
    let became: Vec<(Became, i64)> = done.entries.iter().map(|e| (e.became, e.version)).collect();
    assert_eq!(became, [(Became::Created, 1), (Became::Updated, 2), (Became::Deleted, 2)]);
    let now = world.own(p, "Observation").await;
    assert_eq!(now.len(), 3, "one more, one less");
    assert_eq!(now.iter().filter(|text| text.contains("replaced")).count(), 1);
    let linked = format!("\"derivedFrom\":[{{\"reference\":\"{first}\"}}]");
    assert!(now.iter().any(|text| text.contains(&linked)), "FH-57: {now:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fh_58_the_changes_of_a_batch_stand_each_on_its_own() {
    let world = world().await;
    let bearer = world.hospital().await;
    let p = world.import(&bundle("1")).await.unwrap().unwrap().patient;
    world.grant(p, "Observation.cud").await;
    let intake = &world.house.intake;
    let text = observation(&format!("Patient/{p}"));
    let mut made = Vec::new();
    for _ in 0..3 {
        let one = intake.create(&bearer, "Observation", text.clone().into_bytes()).await.unwrap();
        made.push(one.entries[0].reference.clone());
    }
    let put = |reference: &str, version| entry("PUT", reference, Some(version), Some(&next(&text, reference)));
    let delete = entry("DELETE", &made[2], None, None);
    let all = of("batch", &[put(&made[0], 9), put(&made[1], 1), delete]);
    let each = world.batch(&bearer, all).await;
    let all: Vec<&str> = each.iter().map(|one| one.as_ref().map_or_else(Rejected::status, |_| "ok")).collect();
    assert_eq!(all, ["412 Precondition Failed", "ok", "ok"]);
}
