//! Shredding is real, kept apart per key, and certified.

use super::*;
use crate::clock::Clock as _;
use crate::db::DbError;
use crate::json::{self, Limits};

#[tokio::test]
async fn a_shredded_record_is_gone_for_ever_and_its_history_is_not() {
    House::each(10, async |house| {
        let (patient, other) = (house.patient().await, house.patient().await);
        let ring = &house.keyring;
        let log_place = Place { column: "personal", ..place(patient) };
        let before = ring.keys(patient).await.unwrap();
        let record = ring.sealer().seal(&before, &place(patient), b"content").unwrap();
        let log = ring.log_sealer().seal(&before, &log_place, b"history").unwrap();
        drop(before);

        ring.shred(patient, Which::Record, 30).await.unwrap();
        let after = ring.keys(patient).await.unwrap();
        assert!(matches!(ring.opener().open(&after, &place(patient), &record), Err(VaultError::NoKey)));
        assert!(matches!(ring.sealer().seal(&after, &place(patient), b"new"), Err(VaultError::NoKey)));
        assert_eq!(&*ring.log_reader().open(&after, &log_place, &log).unwrap(), b"history");

        ring.shred(patient, Which::Log, 30).await.unwrap();
        assert!(matches!(ring.keys(patient).await, Err(VaultError::NoKey)));
        assert!(matches!(ring.enrol(patient).await, Err(VaultError::Keystore(DbError::Taken))));
        assert!(ring.keys(other).await.is_ok());
        assert!(Keyring::open(house.setup.clone()).await.unwrap().keys(patient).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_shredded_log_leaves_the_record_readable() {
    House::each(10, async |house| {
        let patient = house.patient().await;
        let ring = &house.keyring;
        let record = ring.sealer().seal(&ring.keys(patient).await.unwrap(), &place(patient), b"content").unwrap();
        ring.shred(patient, Which::Log, 30).await.unwrap();
        let keys = ring.keys(patient).await.unwrap();
        assert_eq!(&*ring.opener().open(&keys, &place(patient), &record).unwrap(), b"content");
        let log = ring.log_sealer().seal(&keys, &Place { column: "personal", ..place(patient) }, b"x");
        assert!(matches!(log, Err(VaultError::NoKey)));
    })
    .await;
}

#[tokio::test]
async fn the_wrapped_bytes_are_in_no_file_after_a_shred() {
    let n = if full() { 200 } else { 20 };
    let house = House::sqlite(100).await;
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for i in 0..n * 2 {
        let patient = house.patient().await;
        let pair = [house.wrapped(patient, "record").await, house.wrapped(patient, "log").await];
        if i % 2 == 0 { gone.push((patient, pair)) } else { kept.push(pair) }
    }
    let anywhere = |bytes: &[u8]| house.files().iter().any(|(_, file)| contains(file, bytes));
    // The search must be able to find them. Salts and tails, so that a row cut by a page border is seen too.
    for (patient, [record, log]) in &gone {
        assert!(anywhere(&record[1..33]) && anywhere(&log[97..]));
        house.keyring.shred(*patient, Which::Both, 30).await.unwrap();
        for part in [&record[1..33], &record[97..], &log[1..33], &log[97..]] {
            assert!(!anywhere(part));
        }
    }
    assert!(kept.iter().all(|[record, log]| anywhere(&record[1..33]) && anywhere(&log[1..33])));
    println!("{n} patients");
    house.end().await;
}

#[tokio::test]
async fn a_certificate_is_canonical_signed_and_the_same_when_asked_again() {
    House::each(0, async |house| {
        let patient = house.patient().await;
        let certificate = house.keyring.shred(patient, Which::Both, 30).await.unwrap();
        let tree = json::parse(certificate.json.as_bytes(), Limits::TOKEN).unwrap();
        assert_eq!(json::canonical(&tree).unwrap(), certificate.json);
        assert_eq!(tree.get("keys").unwrap().items().len(), 2);
        assert_eq!(tree.text_of("engine"), Some(house.setup.db.engine()));
        let day_30 = house.clock.now().plus_secs(30 * 86_400).to_rfc3339();
        assert_eq!(tree.text_of("finalAfter"), Some(day_30.as_str()));
        assert!(!certificate.json.contains(&patient.to_string()));
        let verifier = house.keyring.registry_verifier();
        assert!(verifier.verify(certificate.json.as_bytes(), &certificate.signature).is_ok());

        house.clock.advance_secs(1000);
        assert_eq!(house.keyring.shred(patient, Which::Both, 30).await.unwrap(), certificate);
        let stranger = PatientId::random(&*house.setup.chance).unwrap();
        let nothing = house.keyring.shred(stranger, Which::Both, 30).await;
        assert!(matches!(nothing, Err(VaultError::NoKey)));
    })
    .await;
}

#[tokio::test]
async fn a_rotation_does_not_bring_a_shredded_key_back() {
    House::each(10, async |house| {
        let patients = [house.patient().await, house.patient().await, house.patient().await];
        let shredder = house.keyring.shredder();
        let rotation = house.keyring.rotate(|_| {});
        let (rotated, erased) = tokio::join!(rotation, shredder.shred(patients[1], Which::Both, 30));
        erased.unwrap();
        rotated.unwrap();
        assert!(matches!(house.keyring.keys(patients[1]).await, Err(VaultError::NoKey)));
        assert!(house.keyring.keys(patients[0]).await.is_ok());
    })
    .await;
}
