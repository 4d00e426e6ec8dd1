//! Founding, cut off and finished.

use std::path::Path;
use std::sync::Arc;

use super::{House, Means, found};
use crate::chance::SystemChance;
use crate::clock::{TestClock, Timestamp};
use crate::config::{Config, RootConfig, SignInConfig};
use crate::id::DeedId;
use crate::ledger::entry::Entry;
use crate::ledger::{Act, Personal, Unplaced, Unrecorded};
use crate::secret::Secret;
use crate::store::turn::Write;

fn means(folder: &Path) -> Means {
    Means {
        folder: folder.to_owned(),
        config: Config {
            base_url: "http://localhost:8750/fhir".to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            development: true,
            store: None,
            keystore: None,
            root: RootConfig::File { in_production: false },
            readers: 2,
            checkpoint_secs: 3600,
            doors: crate::config::Doors::default(),
            origins: Vec::new(),
            sign_in: SignInConfig::default(),
        },
        passphrase: Secret::new("a passphrase for tests".to_owned()),
        clock: Arc::new(TestClock::at(Timestamp::from_secs(1_790_000_000))),
        chance: Arc::new(SystemChance::new()),
    }
}

async fn first_act(house: &House) -> Act {
    let rows = house.store.leaves(0, 1).await.unwrap();
    Entry::parse(&rows[0].entry).unwrap().act
}

/// A log whose first leaf is anything else breaks its own law for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_house_whose_founding_was_cut_off_before_its_first_leaf_begins_its_log_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let founded = found(means(folder.path())).await.unwrap();
    // As the process left it when it was killed between naming the store and the first leaf.
    for sql in [
        "DELETE FROM log_leaf",
        "DELETE FROM log_checkpoint",
        "UPDATE log_head SET size = 0, time = 0, chain = zeroblob(32)",
    ] {
        founded.house.store.db().transact("test", vec![(sql, vec![])]).await.unwrap();
    }
    std::fs::remove_file(folder.path().join("anchor")).unwrap();
    drop(founded.house);
    founded.chores.end().await;

    let (house, chores) = House::open(means(folder.path())).await.unwrap();
    house.patients.enrol(&[]).await.unwrap();
    assert_eq!(first_act(&house).await, Act::Genesis);
    drop(house);
    chores.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_begun_is_not_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let founded = found(means(folder.path())).await.unwrap();
    let house = founded.house;
    let deed = DeedId::ordered(&*house.clock, &*house.chance).unwrap();
    let second = house.ledger.prepare(deed, Act::Genesis, Personal::default(), None).await.unwrap();
    let refused = house.ledger.record(second).await;
    assert!(matches!(refused, Err(Unrecorded::Unplaced(Unplaced::Failed(_)))), "{refused:?}");
    assert_eq!(house.store.head().await.unwrap().unwrap().size, 1);
    drop(house);
    founded.chores.end().await;
}

/// Kept open, a failed turn would keep tokens from being made and other processes from their turns.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_failed_alone_keeps_nobody_from_writing() {
    let folder = tempfile::tempdir().unwrap();
    let founded = found(means(folder.path())).await.unwrap();
    let house = founded.house;
    for again in [false, true] {
        let deed = DeedId::ordered(&*house.clock, &*house.chance).unwrap();
        let mut deed = house.ledger.prepare(deed, Act::Admit, Personal::default(), None).await.unwrap();
        deed.writes.push(Write::Import { tag: [7; 32] });
        assert_eq!(house.ledger.record(deed).await.is_err(), again);
    }
    let now = house.clock.now();
    assert!(house.store.use_once("test", [1; 32], now, now.plus_secs(60)).await.unwrap());
    drop(house);
    founded.chores.end().await;
}
