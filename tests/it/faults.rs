//! No log, no data: whatever keeps a leaf from being durable keeps the record from leaving, and nothing else is
//! needed than to lift the fault.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use garant::ledger::Act;

use crate::cast::{self, Scene};
use crate::doors::Served;
use crate::house::{self, Engine, Home, each, on, trials};
use crate::logs::tamper;
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

/// A file system of a few megabytes; unmounted when dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        done.is_ok_and(|out| out.status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left, to the last byte.
    fn fill(&self) -> PathBuf {
        use std::io::Write as _;
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.path()).output());
    }
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

/// A PostgreSQL of its own, which may be stopped without harm to other tests.
struct Own {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
}

impl Own {
    fn make() -> Option<Self> {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|d| d.path()).collect();
        found.sort();
        let programs = found.pop()?.join("bin");
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let own = Self { folder: tempfile::tempdir().ok()?, programs, port };
        drop(Command::new("chown").arg("postgres").arg(own.folder.path()).output());
        let data = own.folder.path().join("data");
        let made = own.run("initdb", &["-D", data.to_str()?, "-U", "garant", "-A", "trust", "--no-sync"]);
        made.then_some(own)
    }

    /// Runs a program of PostgreSQL's, which refuses to be root.
    fn run(&self, program: &str, args: &[&str]) -> bool {
        let program = self.programs.join(program);
        let root = rustix::process::geteuid().is_root();
        let mut command = if root { Command::new("runuser") } else { Command::new(&program) };
        if root {
            command.args(["-u", "postgres", "--"]).arg(&program);
        }
        command.args(args).output().is_ok_and(|out| out.status.success())
    }

    fn ctl(&self, args: &[&str]) -> bool {
        let data = self.folder.path().join("data");
        let log = self.folder.path().join("log");
        let words = [&["-D", data.to_str().unwrap(), "-l", log.to_str().unwrap(), "-w"], args].concat();
        self.run("pg_ctl", &words)
    }

    fn start(&self) -> bool {
        let socket = self.folder.path().display();
        let options = format!("-p {} -k {socket} -c listen_addresses=127.0.0.1 -c shared_buffers=16MB", self.port);
        self.ctl(&["-o", &options, "start"])
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.ctl(&["stop", "-m", "immediate"]);
    }
}

#[test]
fn p26_p33_no_log_no_data_when_postgresql_is_gone_and_nothing_acknowledged_is_lost_by_its_crash() {
    let test = async |home: &Home| {
        let Some(own) = Own::make().filter(Own::start) else {
            println!("P26: skipped: no PostgreSQL of its own can be started here");
            return;
        };
        let (rounds, n) = (trials(2, 50), trials(8, 100));
        println!("P26: PostgreSQL crashes {rounds} times, {n} reads at each");
        let url = |name: &str| format!("postgres://garant@127.0.0.1:{}/{name}", own.port);
        for name in ["store", "keys"] {
            let (port, host) = (own.port.to_string(), "127.0.0.1");
            assert!(own.run("createdb", &["-h", host, "-p", &port, "-U", "garant", name]));
        }
        let open = home.found_at(url("store"), url("keys")).await;
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
        home.prove_log(&open.house).await;
        served.end().await;
        open.close().await;
        // The server of this house ends with the test: there is nothing for the harness to open.
        std::fs::remove_file(home.path().join("garant.toml")).unwrap();
    };
    if house::postgres().is_some() {
        on(Engine::Sqlite, "P26 crash", &test);
    }
}
