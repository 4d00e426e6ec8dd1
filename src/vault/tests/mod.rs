//! The vault's promises, each on both engines where it touches the keystore.
//!
//! `GARANT_TEST_POSTGRES` is a URL up to the database's name (`postgres://user@127.0.0.1:5432/`); without it the
//! PostgreSQL half is skipped and says so. `GARANT_FULL=1` runs the large counts.

mod binding;
mod commitment;
mod erasure;
mod keeping;
mod rotation;
mod sealing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::bind::Binding;
use super::wrap::{self, Key};
use super::*;
use crate::chance::{Chance, SystemChance};
use crate::clock::{TestClock, Timestamp};
use crate::db::{Arg, Db, Holds, Location, Settings};
use crate::id::PatientId;
use crate::model::Sealed;
use crate::secret::Secret;

/// A root key that costs nothing to open and is the same for the same number.
struct TestRoot(Key, SystemChance);

impl TestRoot {
    fn numbered(number: u8) -> Arc<dyn Root> {
        Arc::new(Self(Key([number; 32]), SystemChance::new()))
    }
}

impl Root for TestRoot {
    fn wrap(&self, aad: &[u8], secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        wrap::wrap(&self.0, &Binding::new().field(aad)?, secret, &self.1)
    }
    fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, VaultError> {
        wrap::unwrap(&self.0, &Binding::new().field(aad)?, wrapped).map_err(|_| root::DOES_NOT_OPEN)
    }
    fn kind(&self) -> &'static str {
        "test"
    }
    fn production_safe(&self) -> bool {
        false
    }
}

/// A keystore with its keyring.
struct House {
    keyring: Keyring,
    setup: Setup,
    clock: TestClock,
    folder: Option<tempfile::TempDir>,
    database: Option<(String, String)>,
}

fn settings(location: Location) -> Settings {
    Settings { location, holds: Holds::Keys, create: true, readers: 4 }
}

fn setup_of(db: Db, clock: &TestClock, cached_patients: usize) -> Setup {
    Setup {
        db,
        root: TestRoot::numbered(1),
        clock: Arc::new(clock.clone()),
        chance: Arc::new(SystemChance::new()),
        deployment: "test".to_owned(),
        cached_patients,
        cached_seconds: 30,
    }
}

async fn open_file(path: &Path) -> Db {
    Db::open(&settings(Location::File(path.to_owned())), MIGRATIONS).await.unwrap()
}

impl House {
    async fn sqlite(cached_patients: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = open_file(&folder.path().join("keys.db")).await;
        Self::build(db, cached_patients, Some(folder), None).await
    }

    async fn postgres(cached_patients: usize) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let prefix = std::env::var_os("GARANT_TEST_POSTGRES")?.into_string().unwrap();
        let name = format!("garant_vault_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        admin(&prefix, format!("CREATE DATABASE {name}")).await;
        let db = Db::open(&settings(Location::Url(format!("{prefix}{name}"))), MIGRATIONS).await.unwrap();
        Some(Self::build(db, cached_patients, None, Some((prefix, name))).await)
    }

    async fn build(
        db: Db,
        cached_patients: usize,
        folder: Option<tempfile::TempDir>,
        database: Option<(String, String)>,
    ) -> Self {
        let clock = TestClock::at(Timestamp::from_secs(1_790_000_000));
        let setup = setup_of(db, &clock, cached_patients);
        Self { keyring: Keyring::init(setup.clone()).await.unwrap(), setup, clock, folder, database }
    }

    /// The house on each engine that is there; `cached_patients` 0 makes every read see the tables.
    async fn each(cached_patients: usize, promise: impl AsyncFn(&House)) {
        let house = Self::sqlite(cached_patients).await;
        promise(&house).await;
        house.end().await;
        match Self::postgres(cached_patients).await {
            Some(house) => {
                promise(&house).await;
                house.end().await;
            }
            None => println!("skipped on PostgreSQL: GARANT_TEST_POSTGRES is not set"),
        }
    }

    async fn end(self) {
        self.setup.db.close().await;
        if let Some((prefix, name)) = self.database {
            admin(&prefix, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    async fn patient(&self) -> PatientId {
        let patient = PatientId::random(&*self.setup.chance).unwrap();
        self.keyring.enrol(patient).await.unwrap();
        patient
    }

    /// Changes the keystore behind the keyring's back.
    async fn tamper(&self, sql: &'static str, args: Vec<Arg<'static>>) {
        self.setup.db.transact("tamper", vec![(sql, args)]).await.unwrap();
    }

    async fn wrapped(&self, patient: PatientId, purpose: &'static str) -> Vec<u8> {
        const SQL: &str = "SELECT wrapped FROM patient_key WHERE patient = $1 AND use = $2";
        let args = [patient.as_bytes().into(), purpose.into()];
        self.setup.db.maybe("patient_key", SQL, &args, |row| Ok(row.bytes(0)?.to_vec())).await.unwrap().unwrap()
    }

    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let folder = self.folder.as_ref().unwrap().path();
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }
}

async fn admin(prefix: &str, sql: String) {
    let mut server = PgConnection::connect(&format!("{prefix}postgres")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut server).await.unwrap();
}

fn full() -> bool {
    std::env::var_os("GARANT_FULL").is_some()
}

fn place(patient: PatientId) -> Place {
    Place { patient, table: "record", column: "content", row: [1; 16], version: 1 }
}

fn forged(number: u8) -> PatientKeys {
    PatientKeys::forge(PatientId::from_bytes([9; 16]), [number; 32])
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
