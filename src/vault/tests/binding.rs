//! A ciphertext opens where it was sealed, for whom it was sealed, by whom it may be opened, and nowhere else.

use super::*;
use crate::chance::SeededChance;

#[tokio::test]
async fn no_value_opens_in_the_place_of_another() {
    let house = House::sqlite(100).await;
    let (sealer, opener) = (house.keyring.sealer(), house.keyring.opener());
    let mut all = Vec::new();
    for _ in 0..50 {
        let patient = house.patient().await;
        let keys = Arc::new(house.keyring.keys(patient).await.unwrap());
        for version in 1..=5 {
            let at = Place { version, ..place(patient) };
            let own = sealer.seal(&keys, &at, b"secret").unwrap();
            all.push((Arc::clone(&keys), at, own));
        }
    }
    let (mut tried, mut accepted) = (0, 0);
    for (i, (keys, at, own)) in all.iter().enumerate() {
        assert_eq!(&*opener.open(keys, at, own).unwrap(), b"secret");
        for (j, (_, _, foreign)) in all.iter().enumerate() {
            tried += usize::from(i != j);
            accepted += usize::from(i != j && opener.open(keys, at, foreign).is_ok());
        }
    }
    println!("{tried} pairs");
    assert_eq!(accepted, 0);
    house.end().await;
}

#[tokio::test]
async fn every_part_of_the_place_and_the_deployment_is_bound() {
    let house = House::sqlite(0).await;
    let (a, b) = (house.patient().await, house.patient().await);
    let (keys_a, keys_b) = (house.keyring.keys(a).await.unwrap(), house.keyring.keys(b).await.unwrap());
    let (sealer, opener) = (house.keyring.sealer(), house.keyring.opener());
    let good = place(a);
    let value = sealer.seal(&keys_a, &good, b"secret").unwrap();
    for bad in [
        Place { patient: b, ..good },
        Place { table: "recor", ..good },
        Place { table: "recordc", column: "ontent", ..good },
        Place { column: "narrative", ..good },
        Place { column: "facts", ..good },
        Place { row: [2; 16], ..good },
        Place { version: 2, ..good },
    ] {
        assert!(opener.open(&keys_a, &bad, &value).is_err(), "{bad:?}");
        assert!(opener.open(&keys_b, &bad, &value).is_err(), "{bad:?}");
    }
    assert!(sealer.seal(&keys_b, &good, b"secret").is_err(), "another patient's key never seals here");
    // The same database moved under another deployment's name does not even open.
    let other = Setup { deployment: "other".to_owned(), ..house.setup.clone() };
    assert!(matches!(Keyring::open(other).await, Err(VaultError::Root(_))));
    house.end().await;
}

#[tokio::test]
async fn a_capability_opens_its_own_columns_only() {
    let house = House::sqlite(0).await;
    let patient = house.patient().await;
    let keys = house.keyring.keys(patient).await.unwrap();
    let ring = &house.keyring;
    let at = |column| Place { column, ..place(patient) };
    for column in ["content", "narrative", "anything else"] {
        let sealed = ring.sealer().seal(&keys, &at(column), b"x").unwrap();
        assert!(ring.opener().open(&keys, &at(column), &sealed).is_ok());
        assert!(ring.reader().open(&keys, &at(column), &sealed).is_err(), "{column}");
        assert!(ring.log_reader().open(&keys, &at(column), &sealed).is_err(), "{column}");
        assert!(ring.log_sealer().seal(&keys, &at(column), b"x").is_err(), "{column}");
        for lie in ["facts", "found", "evidence"] {
            assert!(ring.reader().open(&keys, &at(lie), &sealed).is_err(), "{column} as {lie}");
        }
    }
    for column in ["facts", "found", "evidence"] {
        let sealed = ring.sealer().seal(&keys, &at(column), b"x").unwrap();
        assert!(ring.opener().open(&keys, &at(column), &sealed).is_ok());
        assert!(ring.reader().open(&keys, &at(column), &sealed).is_ok());
        assert!(ring.log_reader().open(&keys, &at(column), &sealed).is_err());
    }
    let sealed = ring.log_sealer().seal(&keys, &at("personal"), b"x").unwrap();
    assert!(ring.log_reader().open(&keys, &at("personal"), &sealed).is_ok());
    assert!(ring.opener().open(&keys, &at("personal"), &sealed).is_err());
    assert!(ring.reader().open(&keys, &at("personal"), &sealed).is_err());
    assert!(ring.sealer().seal(&keys, &at("personal"), b"x").is_err());
    house.end().await;
}

#[tokio::test]
async fn any_change_to_a_wrapped_key_is_refused() {
    const WRAPPED: &str = "UPDATE patient_key SET wrapped = $1 WHERE patient = $2 AND use = $3";
    House::each(0, async |house| {
        let (a, b) = (house.patient().await, house.patient().await);
        let id = |p: PatientId| Arg::from(p.as_bytes().to_vec());
        let refused = async |what: &str| {
            assert!(matches!(house.keyring.keys(a).await, Err(VaultError::Refused)), "{what}");
        };
        let seed = 17;
        let chance = SeededChance::new(seed);
        let (record, log) = (house.wrapped(a, "record").await, house.wrapped(a, "log").await);
        for (purpose, good) in [("record", &record), ("log", &log)] {
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1 << chance.below(8);
                house.tamper(WRAPPED, vec![bad.into(), id(a), purpose.into()]).await;
                refused("a flipped byte").await;
            }
            house.tamper(WRAPPED, vec![good.clone().into(), id(a), purpose.into()]).await;
            assert!(house.keyring.keys(a).await.is_ok());
        }
        println!("{}: seed {seed}, {} flips", house.setup.db.engine(), record.len() + log.len());

        // C02: another patient's whole key; the same patient's other key; another version; another epoch.
        house.tamper(WRAPPED, vec![house.wrapped(b, "record").await.into(), id(a), "record".into()]).await;
        refused("another patient's key").await;
        house.tamper(WRAPPED, vec![log.into(), id(a), "record".into()]).await;
        refused("the log key as record key").await;
        house.tamper(WRAPPED, vec![record.into(), id(a), "record".into()]).await;
        assert!(house.keyring.keys(a).await.is_ok());
        house.tamper("UPDATE patient_key SET version = 2 WHERE patient = $1", vec![id(a)]).await;
        refused("another version").await;
        house.tamper("UPDATE patient_key SET version = 1 WHERE patient = $1", vec![id(a)]).await;
        let other_epoch = "INSERT INTO epoch SELECT 9, wrapped, check_value, 'old', 0, 'tamper' FROM epoch";
        house.tamper(other_epoch, vec![]).await;
        house.tamper("UPDATE patient_key SET epoch = 9 WHERE patient = $1", vec![id(a)]).await;
        assert!(house.keyring.keys(a).await.is_err(), "an epoch whose key was copied");
    })
    .await;
}

#[tokio::test]
async fn a_changed_epoch_or_service_key_keeps_the_keyring_shut() {
    House::each(0, async |house| {
        for (read, write) in [
            ("SELECT wrapped FROM epoch", "UPDATE epoch SET wrapped = $1"),
            ("SELECT check_value FROM epoch", "UPDATE epoch SET check_value = $1"),
            (
                "SELECT wrapped FROM service_key WHERE name = 'log'",
                "UPDATE service_key SET wrapped = $1 WHERE name = 'log'",
            ),
            (
                "SELECT public_key FROM service_key WHERE name = 'registry'",
                "UPDATE service_key SET public_key = $1 WHERE name = 'registry'",
            ),
            (
                "SELECT wrapped FROM service_key WHERE name = 'consent'",
                "UPDATE service_key SET wrapped = $1 WHERE name = 'consent'",
            ),
        ] {
            let good = house.setup.db.maybe("any", read, &[], |row| Ok(row.bytes(0)?.to_vec())).await.unwrap().unwrap();
            for at in (0..good.len()).step_by(if full() { 1 } else { 7 }) {
                let mut bad = good.clone();
                bad[at] ^= 1;
                house.tamper(write, vec![bad.into()]).await;
                assert!(Keyring::open(house.setup.clone()).await.is_err(), "{write} byte {at}");
            }
            house.tamper(write, vec![good.into()]).await;
            assert!(Keyring::open(house.setup.clone()).await.is_ok());
        }
        // Two keys that exchange places would let the log's signer sign registry entries.
        house.tamper("UPDATE service_key SET name = 'spare' WHERE name = 'log'", vec![]).await;
        house.tamper("UPDATE service_key SET name = 'log' WHERE name = 'registry'", vec![]).await;
        house.tamper("UPDATE service_key SET name = 'registry' WHERE name = 'spare'", vec![]).await;
        assert!(Keyring::open(house.setup.clone()).await.is_err());
    })
    .await;
}
