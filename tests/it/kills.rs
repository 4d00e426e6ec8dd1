//! What was acknowledged survives `kill -9`; what was released is on record; a commit is a commit.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use garant::app::House;
use garant::chance::SeededChance;
use garant::ledger::Act;
use tokio::sync::Mutex;

use crate::cast::{self, Scene};
use crate::house::{self, Engine, Home, each, on, on_server, trials};
use crate::own::{Own, on_own};
use crate::process::{self, Process};
use crate::wire::{self, Line};

#[test]
fn p06_a_revoke_survives_kill_9_on_receipt_of_its_answer() {
    each("P06", async |home| {
        let (kills, each) = (trials(4, 100), 5);
        println!("P06: {kills} kills, {each} revocations on their way at each");
        let open = home.found().await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let mut consents = Vec::new();
        for _ in 0..kills * each {
            consents.push(scene.grant(&open.house).await);
        }
        let token = cast::patient_token(&open.house, scene.patient.id);
        open.close().await;
        let mut acknowledged = HashSet::new();
        for round in consents.chunks(each) {
            let mut process = Process::start(process::garant(home.path()));
            let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
            for consent in round.iter().copied() {
                let path = format!("/api/consents/{consent}/revoke");
                let request = wire::request("POST", &path, &[wire::bearer(&token)], b"");
                let (at, tell) = (process.at(), tell.clone());
                tokio::spawn(async move {
                    if let Some(answer) = wire::send(at, &request).await {
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        tell.send(consent).ok();
                    }
                });
            }
            drop(tell);
            // Killed on receipt of any of the answers; the others may be anywhere on their way.
            for _ in 0..=home.dice.below(each) {
                acknowledged.insert(told.recv().await.unwrap());
            }
            process.kill();
            while let Some(consent) = told.recv().await {
                acknowledged.insert(consent);
            }
        }
        let open = home.open().await.unwrap();
        for consent in &acknowledged {
            let row = open.house.store.consent_of(scene.patient.id, *consent).await.unwrap().unwrap();
            assert_eq!(row.state, "ended", "an acknowledged revocation is lost");
        }
        println!("P06: {} acknowledged, 0 lost", acknowledged.len());
        for consent in consents.iter().filter(|c| !acknowledged.contains(c)) {
            cast::revoke(&open.house, scene.patient.id, *consent).await;
        }
        assert!(cast::read(&open.house, &scene.clinic.bearer(), scene.record).await.is_err());
        open.close().await;
    });
}

/// What clients saw of a server that was killed under them.
#[derive(Default)]
struct Journal {
    /// Location and text of each deposit that was answered 201.
    written: Vec<(String, String)>,
    /// The leaf named by each answer of which a byte of the body arrived.
    released: Vec<u64>,
    /// Releases that named no leaf.
    unnamed: usize,
}

/// Readers and writers against `process` until it is killed at a random instant.
async fn storm(
    process: &mut Process,
    scene: &Scene,
    token: &str,
    (readers, writers): (usize, usize),
    (dice, round): (&SeededChance, usize),
) -> Journal {
    let journal = Arc::new(Mutex::new(Journal::default()));
    let over = Arc::new(AtomicBool::new(false));
    let to = process.at();
    let mut clients = Vec::new();
    let get = wire::request("GET", &format!("/fhir/Observation/{}", scene.record), &[wire::bearer(token)], b"");
    for _ in 0..readers {
        let (get, journal, over) = (get.clone(), Arc::clone(&journal), Arc::clone(&over));
        clients.push(tokio::spawn(async move {
            let Some(mut line) = Line::connect(to).await else { return };
            while !over.load(Ordering::SeqCst) {
                if line.write(&get).await.is_err() {
                    return;
                }
                let mut seen = Vec::new();
                // Only what arrives counts: the head, and at least one byte of the body.
                while seen.windows(4).position(|w| w == b"\r\n\r\n").is_none_or(|at| seen.len() <= at + 4) {
                    let some = line.some().await;
                    if some.is_empty() {
                        return;
                    }
                    seen.extend(some);
                }
                note_release(&seen, &mut *journal.lock().await);
                // The rest of the body, if it comes at all.
                drop(line);
                match Line::connect(to).await {
                    Some(next) => line = next,
                    None => return,
                }
            }
        }));
    }
    for writer in 0..writers {
        let (token, journal, over) = (token.to_owned(), Arc::clone(&journal), Arc::clone(&over));
        let patient = scene.patient.id;
        clients.push(tokio::spawn(async move {
            for number in 0.. {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let text = format!("round {round} writer {writer} number {number}");
                let body = cast::observation(patient, &text);
                let Some(answer) = wire::post_fhir(to, "/fhir/Observation", &token, body.as_bytes()).await else {
                    return;
                };
                assert_eq!(answer.status, 201, "{}", answer.text());
                let location = answer.header("location").unwrap().to_owned();
                journal.lock().await.written.push((location, text));
            }
        }));
    }
    tokio::time::sleep(Duration::from_millis(20 + dice.below(400) as u64)).await;
    process.kill();
    over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    std::mem::take(&mut *journal.lock().await)
}

fn note_release(seen: &[u8], journal: &mut Journal) {
    let text = String::from_utf8_lossy(seen);
    if !text.starts_with("HTTP/1.1 200") {
        return;
    }
    let leaf = text.lines().find_map(|l| l.strip_prefix("garant-log-index: ")?.trim().parse().ok());
    match leaf {
        Some(leaf) => journal.released.push(leaf),
        None => journal.unnamed += 1,
    }
}

/// A release is on record as a disclosure under the leaf that its answer named.
async fn on_record(house: &House, journal: &Journal) {
    let entries = house::entries(house).await;
    assert_eq!(journal.unnamed, 0);
    for leaf in &journal.released {
        let entry = entries.get(usize::try_from(*leaf).unwrap());
        assert!(entry.is_some_and(|e| e.act == Act::Disclose), "leaf {leaf} of a released read is not on record");
    }
}

async fn killed(home: &Home, kills: usize, (readers, writers): (usize, usize)) {
    let open = home.found().await;
    let scene = Scene::set(&open.house, &home.canary()).await;
    scene.grant(&open.house).await;
    open.close().await;
    let (mut written, mut released) = (0, 0);
    for round in 0..kills {
        let open = home.open().await.unwrap();
        let token = scene.clinic.token(&open.house).await;
        open.close().await;
        let mut process = Process::start(process::garant(home.path()));
        let journal = storm(&mut process, &scene, &token, (readers, writers), (&home.dice, round)).await;
        drop(process);
        sound_database(home).await;
        let open = home.open().await.unwrap();
        on_record(&open.house, &journal).await;
        for (location, text) in &journal.written {
            let key = location.split("/Observation/").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
            let found = cast::read(&open.house, &scene.clinic.bearer(), key).await.unwrap();
            assert!(String::from_utf8_lossy(found.as_ref()).contains(text), "an acknowledged write is lost");
        }
        written += journal.written.len();
        released += journal.released.len();
        open.close().await;
    }
    println!("{kills} kills: {written} acknowledged writes, {released} released reads, 0 lost");
    assert!(released > 0 && (writers == 0 || written > 0), "the storm was too short to say anything");
}

/// The engine itself finds nothing wrong.
async fn sound_database(home: &Home) {
    use sqlx::{Connection as _, Row as _};
    if home.engine == Engine::Sqlite {
        for file in ["store.sqlite", "keys.sqlite"] {
            let url = format!("sqlite:{}", home.path().join(file).display());
            let mut held = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut held).await.unwrap();
            assert_eq!(row.get::<String, _>(0), "ok");
            held.close().await.unwrap();
        }
    }
}

#[test]
fn p27_every_byte_released_has_an_entry_after_kill_9() {
    each("P27", async |home| {
        let kills = trials(3, 500);
        println!("P27: {kills} kills under {} parallel reads", trials(16, 100));
        killed(home, kills, (trials(16, 100), 0)).await;
    });
}

#[test]
fn p33_kill_9_at_any_instant_loses_no_acknowledged_write_and_no_entry_of_a_released_read() {
    each("P33", async |home| {
        let kills = trials(3, 500);
        println!("P33: {kills} kills under 6 writers and 4 readers");
        killed(home, kills, (4, 6)).await;
    });
}

#[test]
fn a_founding_killed_anywhere_is_finished_by_asking_again() {
    let homes = trials(2, 60);
    println!("{homes} foundings, killed at random until one is done");
    for _ in 0..homes {
        each("founding", async |home| {
            let (mut kills, mut longest) = (0, 40);
            loop {
                let mut init = process::init(home);
                let lives = Duration::from_millis(home.dice.below(longest) as u64);
                match init.ended_within(lives) {
                    Some(well) => {
                        // The one before may have been killed when all was done.
                        let stands = init.said.iter().any(|line| line.contains("founded before"));
                        assert!(well || stands, "{:?}", init.said);
                        break;
                    }
                    None => init.kill(),
                }
                kills += 1;
                longest = longest * 3 / 2;
            }
            println!("killed {kills} times");
            // A house that stands is not founded again.
            let mut again = process::init(home);
            assert_eq!(again.ended(), Some(false));
            assert!(again.said.iter().any(|line| line.contains("founded before")), "{:?}", again.said);
            let open = home.open().await.unwrap();
            let scene = Scene::set(&open.house, &home.canary()).await;
            scene.grant(&open.house).await;
            cast::read(&open.house, &scene.clinic.bearer(), scene.record).await.unwrap();
            open.close().await;
        });
    }
}

/// Deposits one after the other, each awaited; how many were acknowledged and how many flushes were seen meanwhile.
async fn flushed(process: &Process, scene: &Scene, token: &str, told: &std::path::Path) {
    let commits = trials(25, 500);
    let before = flushes(told);
    for number in 0..commits {
        let body = cast::observation(scene.patient.id, &format!("commit {number}"));
        let answer = wire::post_fhir(process.at(), "/fhir/Observation", token, body.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let flushed = flushes(told) - before;
    println!("P34: {commits} commits one after the other, {flushed} flushes");
    assert!(flushed >= commits, "a commit was acknowledged before it was on the disk");
}

fn has_strace() -> bool {
    let has = std::process::Command::new("strace").arg("-V").output().is_ok();
    if !has {
        println!("P34: skipped: strace is not installed");
    }
    has
}

#[test]
fn p34_each_acknowledged_commit_is_flushed_to_the_disk() {
    let test = async |home: &Home| {
        let open = home.found().await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        open.close().await;
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("strace.txt");
        let plain = process::garant(home.path());
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=fdatasync,fsync", "-o"]).arg(&told).arg(plain.get_program());
        command.args(plain.get_args());
        let mut process = Process::start(command);
        flushed(&process, &scene, &token, &told).await;
        assert!(process.end_traced());
    };
    if has_strace() {
        on(Engine::Sqlite, "P34", &test);
    }
}

#[test]
fn p34_each_acknowledged_commit_is_flushed_to_the_disk_by_postgresql() {
    let test = async |home: &Home, own: &Own| {
        let open = home.found().await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        open.close().await;
        assert!(own.ctl(&["stop", "-m", "fast"]));
        let told = own.start_traced().expect("PostgreSQL does not start under strace");
        let process = Process::start(process::garant(home.path()));
        flushed(&process, &scene, &token, &told).await;
        assert!(process.end());
    };
    if has_strace() {
        on_own("P34", None, &test);
    }
}

#[test]
fn p34_a_postgresql_that_acknowledges_before_it_flushes_is_not_opened() {
    let test = async |home: &Home| {
        home.found().await.close().await;
        for database in home.databases() {
            let set = |value: &str| format!("ALTER DATABASE {database} SET synchronous_commit = {value}");
            on_server("postgres", set("off")).await.unwrap();
            let refused = home.open().await.err().map(|e| e.to_string()).unwrap_or_default();
            assert!(refused.contains("synchronous_commit = off"), "{refused}");
            on_server("postgres", set("on")).await.unwrap();
        }
    };
    on(Engine::Postgres, "P34 settings", &test);
}

fn flushes(file: &std::path::Path) -> usize {
    let text = std::fs::read_to_string(file).unwrap();
    // An interrupted call is written in two lines; its end has "resumed".
    text.lines().filter(|l| l.contains("sync(") && !l.contains("resumed")).count()
}

#[test]
fn p38_a_session_killed_at_any_statement_leaves_a_write_applied_once_or_not_at_all() {
    let test = async |home: &Home| {
        let writes = trials(60, 2_000);
        println!("P38: {writes} writes while sessions are terminated");
        let open = home.found().await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let over = Arc::new(AtomicBool::new(false));
        let reaper = {
            let (over, databases) = (Arc::clone(&over), home.databases().to_vec());
            let dice = SeededChance::new(home.seed);
            tokio::spawn(async move {
                let mut terminated = 0;
                while !over.load(Ordering::SeqCst) {
                    let names = databases.iter().map(|d| format!("'{d}'")).collect::<Vec<_>>().join(",");
                    let sql = format!(
                        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                         WHERE datname IN ({names}) ORDER BY random() LIMIT 1"
                    );
                    terminated += on_server("postgres", sql).await.unwrap().len();
                    tokio::time::sleep(Duration::from_millis(dice.below(60) as u64)).await;
                }
                terminated
            })
        };
        let (mut failed, mut unread) = (0, 0);
        for number in 0..writes {
            let resource = cast::observation(scene.patient.id, &format!("write {number}"));
            // The same bytes until somebody says they are in: the repeat must not double them.
            let before = failed;
            while open.house.intake.import(resource.clone().into_bytes()).await.is_err() {
                failed += 1;
                assert!(failed - before < 200, "a write that is never taken");
            }
            unread += usize::from(cast::read(&open.house, &scene.clinic.bearer(), scene.record).await.is_err());
        }
        over.store(true, Ordering::SeqCst);
        println!(
            "P38: {} sessions terminated, {failed} writes repeated, {unread} reads refused",
            reaper.await.unwrap()
        );
        // Each connection that was terminated while it lay idle costs the one read that meets it, and no more.
        for _ in 0..open.house.config.readers {
            drop(cast::read(&open.house, &scene.clinic.bearer(), scene.record).await);
        }
        assert_eq!(cast::records(&open.house, scene.patient.id, "Observation").await.len(), writes + 1);
        cast::read(&open.house, &scene.clinic.bearer(), scene.record).await.unwrap();
        open.close().await;
    };
    on(Engine::Postgres, "P38", &test);
}
