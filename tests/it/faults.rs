//! No log, no data: whatever keeps a leaf from being durable keeps the record from leaving, and nothing else is
//! needed than to lift the fault.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use garant::ledger::Act;

use crate::cast::{self, Scene};
use crate::doors::Served;
use crate::house::{self, Engine, Home, each, on, trials};
use crate::logs::tamper;
use crate::own::{Own, Small, on_own};
use crate::process::{self, Process};
use crate::proxy::Proxy;
use crate::wire::{self, Answer};

/// Asks for records in many ways at once.
async fn ask(at: SocketAddr, scene: &Scene, token: &str, n: usize) -> Vec<Answer> {
    let paths = [
        format!("/fhir/Observation/{}", scene.record),
        format!("/fhir/Observation?patient=Patient/{}", scene.patient.id),
    ];
    let mut asked = tokio::task::JoinSet::new();
    for i in 0..n {
        let (path, token) = (paths[i % 2].clone(), token.to_owned());
        asked.spawn(async move { wire::get(at, &path, &token).await });
    }
    asked.join_all().await.into_iter().flatten().collect()
}

/// All are 503 and hold nothing of the record.
fn nothing_left(answers: &[Answer], canary: &str, n: usize) {
    assert_eq!(answers.len(), n, "a request without an answer");
    for answer in answers {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(!answer.text().contains(canary) && answer.leaf().is_none());
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

/// Data flow again within ten seconds.
async fn recovers(at: SocketAddr, scene: &Scene, token: &str) -> Duration {
    let began = Instant::now();
    loop {
        let answers = ask(at, scene, token, 2).await;
        if answers.len() == 2 && answers.iter().all(|a| a.status == 200 && a.leaf().is_some()) {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "it does not recover: {answers:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn p26_no_log_no_data_when_the_log_alone_cannot_be_written() {
    each("P26 log", async |home| {
        let n = trials(40, 500);
        println!("P26: {n} reads while no leaf can be written");
        let open = home.found().await;
        let canary = home.canary();
        let scene = Scene::set(&open.house, &canary).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let served = Served::by(&open.house).await;
        assert_eq!(ask(served.at, &scene, &token, 4).await.iter().filter(|a| a.status == 200).count(), 4);
        // Records, keys, consents and policies all answer; only the leaf has nowhere to go.
        alter(home, "ALTER TABLE log_leaf RENAME TO log_leaf_elsewhere").await;
        nothing_left(&ask(served.at, &scene, &token, n).await, &canary, n);
        alter(home, "ALTER TABLE log_leaf_elsewhere RENAME TO log_leaf").await;
        println!("P26: recovered in {:?}", recovers(served.at, &scene, &token).await);
        served.end().await;
        open.close().await;
    });
}

/// Changes a table; a statement that touches no row.
async fn alter(home: &Home, sql: &str) {
    // `tamper` counts rows: give it one to count.
    tamper(home, &format!("{sql}; UPDATE log_head SET updated_by = 'test'")).await;
}

#[test]
fn p26_no_log_no_data_when_the_network_to_postgresql_is_cut() {
    on(Engine::Postgres, "P26 cut", &async |home: &Home| {
        let n = trials(12, 500);
        println!("P26: {n} reads while the network is cut");
        home.found().await.close().await;
        let server = url::Url::parse(&house::postgres().unwrap()).unwrap();
        let proxy = Proxy::before(server.socket_addrs(|| Some(5432)).unwrap()[0]).await;
        let folder = home.node();
        let open = home.open_through(folder.path(), proxy.address).await;
        let canary = home.canary();
        let scene = Scene::set(&open.house, &canary).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let served = Served::by(&open.house).await;
        recovers(served.at, &scene, &token).await;
        proxy.cut(true);
        nothing_left(&ask(served.at, &scene, &token, n).await, &canary, n);
        proxy.cut(false);
        println!("P26: recovered in {:?}", recovers(served.at, &scene, &token).await);
        served.end().await;
        open.close().await;
    });
}

#[test]
fn p26_p37_a_full_disk_releases_nothing_and_recovers_when_there_is_room_again() {
    on(Engine::Sqlite, "P37", &async |home: &Home| {
        let Some(disk) = Small::mount(24) else {
            println!("P37: skipped: a small file system cannot be mounted here (not root)");
            return;
        };
        let (rounds, n) = (trials(2, 50), trials(30, 500));
        println!("P37: {rounds} times full, {n} reads at each");
        let open = home.found().await;
        let canary = home.canary();
        let scene = Scene::set(&open.house, &canary).await;
        scene.grant(&open.house).await;
        open.close().await;
        for file in ["garant.toml", "root.json", "store.sqlite", "keys.sqlite", "anchor"] {
            std::fs::copy(home.path().join(file), disk.path().join(file)).unwrap();
        }
        let open = home.open_in(disk.path()).await.unwrap();
        let token = scene.clinic.token(&open.house).await;
        open.close().await;
        let process = Process::start(process::garant(disk.path()));
        let mut released = Vec::new();
        for round in 0..rounds {
            recovers(process.at(), &scene, &token).await;
            let filler = disk.fill();
            let answers = ask(process.at(), &scene, &token, n).await;
            assert_eq!(answers.len(), n, "a request without an answer");
            let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
            // What the log still had room for is released and on record.
            released.extend(good.iter().map(|a| a.leaf().unwrap()));
            nothing_left(&refused, &canary, refused.len());
            assert!(!refused.is_empty(), "the disk was never full");
            std::fs::remove_file(filler).unwrap();
            let took = recovers(process.at(), &scene, &token).await;
            println!("P37: round {round}: {} refused, recovered in {took:?}", refused.len());
        }
        assert!(process.end());
        let open = home.open_in(disk.path()).await.unwrap();
        let entries = house::entries(&open.house).await;
        assert!(released.iter().all(|leaf| entries[usize::try_from(*leaf).unwrap()].act == Act::Disclose));
        home.prove_log(&open.house).await;
        open.close().await;
    });
}

#[test]
fn p26_p37_a_full_disk_below_postgresql_releases_nothing_and_recovers_when_there_is_room_again() {
    let test = async |home: &Home, own: &Own| {
        let (rounds, n) = (trials(2, 50), trials(30, 500));
        println!("P37: {rounds} times full, {n} reads at each");
        let open = home.found().await;
        let canary = home.canary();
        let scene = Scene::set(&open.house, &canary).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let served = Served::by(&open.house).await;
        let mut released = Vec::new();
        for round in 0..rounds {
            recovers(served.at, &scene, &token).await;
            let filler = own.small.as_ref().unwrap().fill();
            let mut refused = 0;
            // Segments of the log of writes that were made before still have room for some.
            for _ in 0..40 {
                let answers = ask(served.at, &scene, &token, n).await;
                assert_eq!(answers.len(), n, "a request without an answer");
                let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
                released.extend(good.iter().map(|a| a.leaf().unwrap()));
                nothing_left(&bad, &canary, bad.len());
                refused += bad.len();
                if good.is_empty() {
                    break;
                }
            }
            assert!(refused > 0, "the disk was never full");
            std::fs::remove_file(filler).unwrap();
            // PostgreSQL stops itself when it cannot write its log; whoever looks after it starts it again.
            let stopped = !own.ctl(&["status"]);
            assert!(!stopped || own.start());
            let took = recovers(served.at, &scene, &token).await;
            println!("P37: round {round}: {refused} refused, stopped itself: {stopped}, recovered in {took:?}");
        }
        let entries = house::entries(&open.house).await;
        assert!(released.iter().all(|leaf| entries[usize::try_from(*leaf).unwrap()].act == Act::Disclose));
        served.end().await;
        open.close().await;
    };
    match Small::mount(96) {
        Some(disk) => on_own("P37", Some(disk), &test),
        None => println!("P37: skipped: a small file system cannot be mounted here (not root)"),
    }
}

#[test]
fn p26_p33_no_log_no_data_when_postgresql_is_gone_and_nothing_acknowledged_is_lost_by_its_crash() {
    let test = async |home: &Home, own: &Own| {
        let (rounds, n) = (trials(2, 50), trials(8, 100));
        println!("P26: PostgreSQL crashes {rounds} times, {n} reads at each");
        let open = home.found().await;
        let canary = home.canary();
        let scene = Scene::set(&open.house, &canary).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let served = Served::by(&open.house).await;
        for round in 0..rounds {
            recovers(served.at, &scene, &token).await;
            let consent = scene.grant(&open.house).await;
            cast::revoke(&open.house, scene.patient.id, consent).await.unwrap();
            assert!(own.ctl(&["stop", "-m", "immediate"]));
            nothing_left(&ask(served.at, &scene, &token, n).await, &canary, n);
            assert!(own.start());
            println!("P26: crash {round}: recovered in {:?}", recovers(served.at, &scene, &token).await);
            let row = open.house.store.consent_of(scene.patient.id, consent).await.unwrap().unwrap();
            assert_eq!(row.state, "ended");
        }
        served.end().await;
        open.close().await;
    };
    on_own("P26 crash", None, &test);
}
