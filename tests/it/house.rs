//! A house of its own for each test, on each engine; at the end its log is replayed, verified offline and searched
//! for what must not be in it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use garant::app::{Cannot, Chores, House, Means, found};
use garant::chance::{SeededChance, SystemChance};
use garant::clock::{Clock, SystemClock};
use garant::config::{Config, Doors, RootConfig};
use garant::ledger::Entry;
use garant::ledger::checkpoint::Keys;
use garant::ledger::export::export;
use garant::ledger::law::Law;
use garant::ledger::verify::{Trust, verify};
use garant::secret::Secret;
use tempfile::TempDir;

use crate::scan;

pub const PASSPHRASE: &str = "a passphrase for tests only";
pub const BASE: &str = "http://127.0.0.1/fhir";

/// Which database is below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Where one house lives; it is opened and closed as often as a test likes.
pub struct Home {
    pub engine: Engine,
    pub folder: TempDir,
    pub config: Config,
    pub clock: Mutex<Arc<dyn Clock>>,
    /// Choices that can be made again; keys come from the system's chance.
    pub dice: SeededChance,
    pub seed: u64,
    /// What must not be found anywhere on disk.
    canaries: Mutex<Vec<String>>,
    databases: Vec<String>,
    told: AtomicBool,
    doors: Mutex<Option<Doors>>,
}

/// An open house and its tasks.
pub struct Open {
    pub house: Arc<House>,
    chores: Chores,
}

/// The PostgreSQL to use, with a slash at its end; says once when there is none.
pub fn postgres() -> Option<String> {
    static SAID: Once = Once::new();
    match std::env::var("GARANT_TEST_POSTGRES") {
        Ok(url) if !url.is_empty() => Some(format!("{}/", url.trim_end_matches('/'))),
        Ok(_) | Err(_) => {
            SAID.call_once(|| eprintln!("skipped on PostgreSQL: GARANT_TEST_POSTGRES is not set"));
            None
        }
    }
}

/// Doors that turn nobody away for coming often; tests of what the doors ask set others.
pub fn generous() -> Doors {
    let most = NonZeroU32::new(1_000_000).unwrap();
    Doors {
        dpop_nonces: false,
        per_second: most,
        strangers_per_second: most,
        at_once: 10_000,
        connections: 10_000,
        ..Doors::default()
    }
}

/// Whether the full counts are asked for.
pub fn is_full() -> bool {
    std::env::var("GARANT_FULL").is_ok_and(|v| v == "1")
}

/// `few` trials, or `many` when the full counts are asked for.
pub fn trials(few: usize, many: usize) -> usize {
    if is_full() { many } else { few }
}

fn seed() -> u64 {
    std::env::var("GARANT_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| {
        let now = SystemClock.now().0.unsigned_abs();
        now ^ (u64::from(std::process::id()) << 40)
    })
}

/// Runs `test` in a new house on SQLite and, where there is one, on PostgreSQL.
#[expect(clippy::needless_pass_by_value, reason = "a test hands its closure over")]
pub fn each(name: &str, test: impl AsyncFn(&Home)) {
    on(Engine::Sqlite, name, &test);
    if postgres().is_some() {
        on(Engine::Postgres, name, &test);
    }
}

/// Runs `test` in a new house on one engine; on PostgreSQL only where there is one.
pub fn on(engine: Engine, name: &str, test: &impl AsyncFn(&Home)) {
    if engine == Engine::Postgres && postgres().is_none() {
        return;
    }
    within(name, async || Home::new(engine).await, test);
}

/// Runs `test` in the house that `make` makes.
pub fn within(name: &str, make: impl AsyncFn() -> Home, test: &impl AsyncFn(&Home)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let started = std::time::Instant::now();
        let home = make().await;
        let engine = home.engine;
        println!("{name} on {engine:?}: seed {}", home.seed);
        test(&home).await;
        home.prove().await;
        home.forget().await;
        println!("{name} on {engine:?}: kept, {:.1} s", started.elapsed().as_secs_f64());
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
}

/// Runs one statement on the PostgreSQL server, outside every house.
pub async fn on_server(database: &str, sql: String) -> Result<Vec<String>, sqlx::Error> {
    use sqlx::{AssertSqlSafe, Connection as _, Row as _};
    let mut held = sqlx::PgConnection::connect(&format!("{}{database}", postgres().unwrap())).await?;
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut held).await?;
    drop(held.close().await);
    Ok(rows.iter().map(|r| r.try_get::<String, _>(0).unwrap_or_default()).collect())
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Home {
    /// A place for a house that is not founded yet.
    pub async fn new(engine: Engine) -> Self {
        let name = format!("it_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let mut databases = Vec::new();
        if engine == Engine::Postgres {
            for of in ["store", "keys"] {
                let database = format!("{name}_{of}");
                on_server("postgres", format!("CREATE DATABASE {database}")).await.unwrap();
                databases.push(database);
            }
        }
        let url = |i: usize| databases.get(i).map(|d| format!("{}{d}", postgres().unwrap()));
        let urls = [url(0), url(1)];
        Self { databases, ..Self::over(engine, urls) }
    }

    /// A place for a house over databases (store, keys) that are not the harness's own.
    pub fn over(engine: Engine, [store, keystore]: [Option<String>; 2]) -> Self {
        let config = Config {
            base_url: BASE.to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            development: true,
            store,
            keystore,
            root: RootConfig::File { in_production: false },
            readers: 4,
            checkpoint_secs: 1,
            origins: Vec::new(),
            // Tests of what the doors ask set it.
            doors: generous(),
        };
        let seed = seed();
        Self {
            engine,
            folder: tempfile::tempdir().unwrap(),
            config,
            clock: Mutex::new(Arc::new(SystemClock)),
            dice: SeededChance::new(seed),
            seed,
            canaries: Mutex::new(Vec::new()),
            databases: Vec::new(),
            told: AtomicBool::new(false),
            doors: Mutex::new(None),
        }
    }

    /// Houses opened from now on publish checkpoints at start and when told, not by themselves.
    pub fn publish_when_told(&self) {
        self.told.store(true, Ordering::SeqCst);
    }

    /// What the doors of every house founded or opened from now on ask.
    pub fn set_doors(&self, doors: Doors) {
        *self.doors.lock().unwrap() = Some(doors);
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The clock of every house opened from now on.
    pub fn set_clock(&self, clock: impl Clock + 'static) {
        *self.clock.lock().unwrap() = Arc::new(clock);
    }

    fn means(&self, folder: &Path) -> Means {
        let mut config = self.config.clone();
        if self.told.load(Ordering::SeqCst) {
            config.checkpoint_secs = 86_400;
        }
        if let Some(doors) = self.doors.lock().unwrap().clone() {
            config.doors = doors;
        }
        Means {
            folder: folder.to_owned(),
            config,
            passphrase: Secret::new(PASSPHRASE.to_owned()),
            clock: Arc::clone(&self.clock.lock().unwrap()),
            chance: Arc::new(SystemChance::new()),
        }
    }

    pub async fn found(&self) -> Open {
        let new = found(self.means(self.path())).await.unwrap();
        Open { house: new.house, chores: new.chores }
    }

    pub async fn open(&self) -> Result<Open, Cannot> {
        self.open_in(self.path()).await
    }

    /// Opens the house from another folder: a second node, or one with another anchor.
    pub async fn open_in(&self, folder: &Path) -> Result<Open, Cannot> {
        let (house, chores) = House::open(self.means(folder)).await?;
        Ok(Open { house, chores })
    }

    /// Opens the house from another folder, its databases behind `address`.
    pub async fn open_through(&self, folder: &Path, address: std::net::SocketAddr) -> Open {
        let mut means = self.means(folder);
        let through = |url: &String| {
            let mut url = url::Url::parse(url).unwrap();
            url.set_port(Some(address.port())).unwrap();
            url.to_string()
        };
        means.config.store = means.config.store.as_ref().map(through);
        means.config.keystore = means.config.keystore.as_ref().map(through);
        let (house, chores) = House::open(means).await.unwrap();
        Open { house, chores }
    }

    /// The folder of another node over the same databases.
    pub fn node(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in ["garant.toml", "root.json"] {
            std::fs::copy(self.path().join(file), folder.path().join(file)).unwrap();
        }
        folder
    }

    /// A text that is to be found nowhere in plain; it goes into a record or a name.
    pub fn canary(&self) -> String {
        let mut out = [0; 12];
        garant::chance::Chance::fill(&self.dice, &mut out).unwrap();
        let text = format!("Kanari{}", out.iter().map(|b| char::from(b'a' + b % 26)).collect::<String>());
        self.canaries.lock().unwrap().push(text.clone());
        text
    }

    /// All such texts so far.
    pub fn canaries(&self) -> Vec<String> {
        self.canaries.lock().unwrap().clone()
    }

    /// The end of every test: the log obeys the law, verifies offline, and nothing readable is on disk.
    async fn prove(&self) {
        if !self.path().join("garant.toml").exists() {
            return; // It was never founded.
        }
        let open = self.open().await.unwrap_or_else(|e| panic!("the house does not open again: {e}"));
        self.prove_log(&open.house).await;
        open.close().await;
        let canaries = self.canaries.lock().unwrap().clone();
        assert_eq!(scan::folder(self.path(), &canaries), Vec::<PathBuf>::new(), "readable on disk");
    }

    /// Replays all leaves, checks the live log, exports it and verifies the export with the public key alone.
    pub async fn prove_log(&self, house: &House) {
        house.publisher.publish().await.unwrap();
        house.publisher.check().await.unwrap();
        let leaves = leaves(house).await;
        let mut law = Law::new();
        for bytes in &leaves {
            law.take(&Entry::parse(bytes).unwrap()).unwrap();
        }
        // Leaves may have been added since: the checkpoint says how many are meant.
        let folder = tempfile::tempdir().unwrap();
        let note = house.publisher.newest().await.unwrap();
        export(folder.path(), &leaves, &note).unwrap();
        let keys = Keys { log: &house.publisher.verifier, witnesses: &[] };
        let trust = Trust { keys, older: None, now: house.clock.now() };
        let report = verify(folder.path(), &trust, &mut |_, _| {}).unwrap();
        assert_eq!(report.checkpoint.size, leaves.len() as u64);
    }

    async fn forget(&self) {
        for database in &self.databases {
            on_server("postgres", format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await.unwrap();
        }
    }

    /// The names of the PostgreSQL databases: store, keys.
    pub fn databases(&self) -> &[String] {
        &self.databases
    }
}

/// The bytes of all leaves, in order.
pub async fn leaves(house: &House) -> Vec<Vec<u8>> {
    let size = house.store.head().await.unwrap().unwrap().size;
    let rows = house.store.leaves(0, size).await.unwrap();
    rows.into_iter().map(|row| row.entry).collect()
}

/// All entries of the log.
pub async fn entries(house: &House) -> Vec<Entry> {
    leaves(house).await.iter().map(|bytes| Entry::parse(bytes).unwrap()).collect()
}

impl Open {
    /// Closes the house and waits for its last turn.
    pub async fn close(self) {
        let Self { house, chores } = self;
        let store = house.store.clone();
        drop(house);
        tokio::time::timeout(Duration::from_secs(20), chores.end()).await.expect("somebody keeps the ledger open");
        store.db().close().await;
    }
}
