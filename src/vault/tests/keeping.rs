//! The keystore holds wrapped keys, and the keyring opens only on its own.

use super::*;
use crate::db::DbError;

#[tokio::test]
async fn a_patient_is_given_keys_once() {
    House::each(10, async |house| {
        let patient = PatientId::random(&*house.setup.chance).unwrap();
        assert!(matches!(house.keyring.keys(patient).await, Err(VaultError::NoKey)));
        house.keyring.enrol(patient).await.unwrap();
        let first = house.keyring.keys(patient).await.unwrap().dump();
        let again = house.keyring.enrol(patient).await;
        assert!(matches!(again, Err(VaultError::Keystore(DbError::Taken))));
        assert_eq!(house.keyring.keys(patient).await.unwrap().dump(), first);
        assert_ne!(first[0], first[1], "record and log have keys of their own");
        let reopened = Keyring::open(house.setup.clone()).await.unwrap();
        assert_eq!(reopened.keys(patient).await.unwrap().dump(), first);
    })
    .await;
}

#[tokio::test]
async fn a_keystore_is_made_once_and_opens_under_its_own_root_only() {
    House::each(0, async |house| {
        let again = Keyring::init(house.setup.clone()).await;
        assert!(matches!(again, Err(VaultError::Keystore(DbError::Taken))));
        let foreign = Setup { root: TestRoot::numbered(2), ..house.setup.clone() };
        assert!(matches!(Keyring::open(foreign).await, Err(VaultError::Root(_))));
        let unnamed = Setup { deployment: String::new(), ..house.setup.clone() };
        assert!(matches!(Keyring::open(unnamed).await, Err(VaultError::Root(_))));
    })
    .await;
}

#[tokio::test]
async fn an_empty_keystore_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let db = open_file(&folder.path().join("keys.db")).await;
    let setup = setup_of(db, &TestClock::at(Timestamp(0)), 0);
    let Err(VaultError::Root(reason)) = Keyring::open(setup).await else { panic!("it must not open") };
    assert!(reason.contains("holds no epoch"));
}

#[tokio::test]
async fn no_unwrapped_key_is_in_any_file() {
    let house = House::sqlite(100).await;
    let mut keys = house.keyring.0.epochs().dump();
    for _ in 0..30 {
        let patient = house.patient().await;
        keys.extend(house.keyring.keys(patient).await.unwrap().dump());
    }
    house.keyring.rotate(|_| {}).await.unwrap();
    keys.extend(house.keyring.0.epochs().dump());
    let files = house.files();
    assert!(files.iter().any(|(_, bytes)| bytes.len() > 10_000), "the keystore is among them");
    for (path, bytes) in &files {
        for key in &keys {
            // Halves too: a key may straddle two pages.
            assert!(!contains(bytes, &key[..16]) && !contains(bytes, &key[16..]), "{}", path.display());
        }
    }
    println!("{} keys, {} files", keys.len(), files.len());
    house.end().await;
}

#[tokio::test]
async fn the_services_keys_stay_the_same_and_differ_from_each_other() {
    House::each(0, async |house| {
        let again = Keyring::open(house.setup.clone()).await.unwrap();
        let ring = &house.keyring;
        assert_eq!(ring.indexer().tag("ins", &[b"1"]), again.indexer().tag("ins", &[b"1"]));
        assert_eq!(ring.row_mac().mac(&[b"1"]), again.row_mac().mac(&[b"1"]));
        assert_ne!(ring.indexer().tag("garant row", &[b"1"]), ring.row_mac().mac(&[b"1"]));
        assert_eq!(ring.access_signer().kid(), again.access_signer().kid());
        assert_eq!(ring.consent_signer().kid(), again.consent_signer().kid());
        assert_ne!(ring.access_signer().kid(), ring.consent_signer().kid());
        assert_eq!(ring.log_signer().public(), again.log_signer().public());
        assert_ne!(ring.log_signer().public(), ring.registry_verifier().public());
        assert_eq!(ring.epochs(), again.epochs());

        let signature = ring.registry_signer().sign(b"entry").unwrap();
        assert!(again.registry_verifier().verify(b"entry", &signature).is_ok());
        assert!(again.registry_verifier().verify(b"entrz", &signature).is_err());
        let by_log = ring.log_signer().sign(b"entry").unwrap();
        assert!(again.registry_verifier().verify(b"entry", &by_log).is_err());
    })
    .await;
}

#[tokio::test]
async fn a_cached_row_answers_without_the_keystore_and_not_for_long() {
    let house = House::sqlite(10).await;
    let patient = house.patient().await;
    house.keyring.keys(patient).await.unwrap();
    house.tamper("DELETE FROM patient_key", vec![]).await;
    assert!(house.keyring.keys(patient).await.is_ok(), "from the cache");
    house.clock.advance_secs(30);
    assert!(matches!(house.keyring.keys(patient).await, Err(VaultError::NoKey)));
    house.end().await;
}
