//! Rotation goes on under load, survives being killed, and leaves nothing on the old epoch.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::chance::SeededChance;

/// A value sealed for each patient, to see that their keys are still the same.
async fn witnesses(house: &House, n: usize) -> Vec<(PatientId, Sealed)> {
    let mut all = Vec::with_capacity(n);
    for _ in 0..n {
        let patient = house.patient().await;
        let keys = house.keyring.keys(patient).await.unwrap();
        all.push((patient, house.keyring.sealer().seal(&keys, &place(patient), b"witness").unwrap()));
    }
    all
}

async fn readable(ring: &Keyring, (patient, sealed): &(PatientId, Sealed)) {
    let keys = ring.keys(*patient).await.unwrap();
    assert_eq!(&*ring.opener().open(&keys, &place(*patient), sealed).unwrap(), b"witness");
}

async fn epochs(house: &House) -> Vec<i64> {
    house.setup.db.all("epoch", "SELECT epoch FROM epoch ORDER BY epoch", &[], |row| row.int(0)).await.unwrap()
}

#[tokio::test]
async fn a_rotation_moves_every_key_and_removes_the_old_epoch() {
    House::each(0, async |house| {
        let all = witnesses(house, 150).await;
        let old_wrapped = house.wrapped(all[0].0, "record").await;
        let mut told = Vec::new();
        let rotation = house.keyring.rotate(|progress| told.push(progress)).await.unwrap();
        assert_eq!(rotation, Rotation { epoch: 2, resumed: false, rewrapped: 310, left: 0 });
        assert!(told.len() > 3 && told.windows(2).all(|pair| pair[0].left >= pair[1].left));
        assert_eq!(epochs(house).await, [2]);
        assert_eq!(house.keyring.epochs().len(), 1);
        let reopened = Keyring::open(house.setup.clone()).await.unwrap();
        for witness in &all {
            readable(&house.keyring, witness).await;
            readable(&reopened, witness).await;
        }
        assert_eq!(reopened.log_signer().public(), house.keyring.log_signer().public());
        if house.folder.is_some() {
            assert!(!house.files().iter().any(|(_, bytes)| contains(bytes, &old_wrapped[1..33])), "residue");
        }
    })
    .await;
}

#[tokio::test]
async fn another_process_follows_a_rotation_by_itself() {
    House::each(10, async |house| {
        let all = witnesses(house, 3).await;
        let other = Keyring::open(house.setup.clone()).await.unwrap();
        readable(&other, &all[0]).await;
        house.keyring.rotate(|_| {}).await.unwrap();
        // One patient from the other's cache, one it never read, one it enrols under an epoch that is gone.
        readable(&other, &all[0]).await;
        readable(&other, &all[1]).await;
        house.keyring.rotate(|_| {}).await.unwrap();
        let new = PatientId::random(&*house.setup.chance).unwrap();
        other.enrol(new).await.unwrap();
        assert!(house.keyring.keys(new).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_key_that_does_not_unwrap_stays_where_it_is_and_stops_nobody_else() {
    House::each(0, async |house| {
        let all = witnesses(house, 5).await;
        let bad = vec![Arg::from(vec![0; 113]), all[2].0.as_bytes().to_vec().into()];
        house.tamper("UPDATE patient_key SET wrapped = $1 WHERE patient = $2 AND use = 'log'", bad).await;
        let rotation = house.keyring.rotate(|_| {}).await.unwrap();
        assert_eq!((rotation.rewrapped, rotation.left), (19, 1));
        assert_eq!(epochs(house).await, [1, 2]);
        readable(&house.keyring, &all[0]).await;
        let next = house.keyring.rotate(|_| {}).await.unwrap();
        assert_eq!((next.epoch, next.resumed, next.left), (3, false, 1), "it does not stop later rotations");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_dropped_anywhere_under_load_loses_nothing() {
    House::each(5, async |house| {
        let (seed, n) = (24, if full() { 200 } else { 25 });
        let chance = SeededChance::new(seed);
        let all = witnesses(house, 40).await;
        let mut dropped = 0;
        for _ in 0..n {
            let pause = Duration::from_micros(chance.below(40_000) as u64);
            let reads = async {
                for _ in 0..20 {
                    readable(&house.keyring, &all[chance.below(all.len())]).await;
                    house.clock.advance_secs(7);
                }
            };
            let rotation = tokio::time::timeout(pause, house.keyring.rotate(|_| {}));
            let (ended, ()) = tokio::join!(rotation, reads);
            dropped += usize::from(ended.is_err());
        }
        while house.keyring.rotate(|_| {}).await.unwrap().resumed {}
        assert_eq!(house.keyring.left().await.unwrap(), 0);
        assert_eq!(epochs(house).await.len(), 1);
        for witness in &all {
            readable(&house.keyring, witness).await;
        }
        println!("{}: seed {seed}, {n} rotations, {dropped} dropped midway", house.setup.db.engine());
        assert!(dropped > 0);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_killed_anywhere_loses_nothing() {
    let (seed, n) = (42, if full() { 200 } else { 8 });
    let chance = SeededChance::new(seed);
    let house = House::sqlite(0).await;
    let all = witnesses(&house, 30).await;
    let path = house.folder.as_ref().unwrap().path().join("keys.db");
    for _ in 0..n {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "vault::tests::rotation::rotates_until_killed", "--ignored", "--nocapture"])
            .env("GARANT_VAULT_KILL", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut told = Vec::new();
        while !contains(&told, b"begins") {
            let mut byte = [0];
            out.read_exact(&mut byte).unwrap();
            told.push(byte[0]);
        }
        std::thread::sleep(Duration::from_micros(chance.below(60_000) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        let reopened = Keyring::open(house.setup.clone()).await.unwrap();
        for witness in &all {
            readable(&reopened, witness).await;
        }
    }
    let ring = Keyring::open(house.setup.clone()).await.unwrap();
    while ring.rotate(|_| {}).await.unwrap().resumed {}
    assert_eq!((ring.left().await.unwrap(), epochs(&house).await.len()), (0, 1));
    println!("seed {seed}, {n} kills, epoch {:?}", epochs(&house).await);
    assert!(epochs(&house).await[0] > 2);
    house.end().await;
}

#[tokio::test]
#[ignore = "started and killed by the test above"]
async fn rotates_until_killed() {
    let Some(path) = std::env::var_os("GARANT_VAULT_KILL") else { return };
    let db = open_file(Path::new(&path)).await;
    let ring = Keyring::open(setup_of(db, &TestClock::at(Timestamp(0)), 0)).await.unwrap();
    println!("begins");
    loop {
        ring.rotate(|_| {}).await.unwrap();
    }
}
