//! Nothing readable lies anywhere, and what was erased opens with nothing that is left.

use std::path::PathBuf;

use garant::identity::Identifier;
use garant::model::Sealed;
use garant::vault::Place;
use sqlx::{Connection as _, Row as _};

use crate::cast::{self, Clinic, Patient, Scene};
use crate::doors::Served;
use crate::house::{Engine, Home, each, on_server, trials};
use crate::own::{Own, on_own};
use crate::process::{self, Process};
use crate::{scan, wire};

/// The wrapped keys of a patient's records, as the keystore holds them.
async fn wrapped(home: &Home, patient: garant::id::PatientId) -> Vec<Vec<u8>> {
    let hex: String = patient.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let sql = "SELECT lower(hex(wrapped)) FROM patient_key WHERE use = 'record' AND patient = x'ID'";
    let rows: Vec<String> = match home.engine {
        Engine::Sqlite => {
            let url = format!("sqlite:{}", home.path().join("keys.sqlite").display());
            let mut held = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let sql = sqlx::AssertSqlSafe(sql.replace("ID", &hex));
            let rows = sqlx::raw_sql(sql).fetch_all(&mut held).await.unwrap();
            held.close().await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
        Engine::Postgres => {
            let sql = format!(
                "SELECT encode(wrapped, 'hex') FROM patient_key WHERE use = 'record' AND patient = '\\x{hex}'::bytea"
            );
            on_server(&home.databases()[1], sql).await.unwrap()
        }
    };
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    rows.iter().map(|row| row.as_bytes().chunks(2).map(byte).collect()).collect()
}

#[test]
fn p19_p36_an_erased_patient_opens_with_nothing_that_is_left_and_the_log_still_verifies() {
    each("P36", async |home| {
        let n = trials(5, 200);
        println!("P36: {n} patients erased");
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let clinic = Clinic::enrol(&open.house).await;
        for _ in 0..n {
            let patient = Patient::enrol(&open.house).await;
            let record = cast::import(&open.house, cast::observation(patient.id, &home.canary())).await;
            let scene = Scene { patient, record, clinic: Clinic::enrol(&open.house).await };
            scene.grant(&open.house).await;
            let bearer = scene.clinic.bearer();
            cast::read(&open.house, &bearer, record).await.unwrap();
            // Whoever kept yesterday's data has this.
            let old = open.house.store.contents(scene.patient.id, &[(record.record, 1)]).await.unwrap();
            let (_, version, sealed): &(_, i64, Sealed) = &old[0];
            let keys = wrapped(home, scene.patient.id).await;
            assert!(!keys.is_empty() && !on_disk(home, &keys).is_empty() || home.engine == Engine::Postgres);
            let own = cast::patient_token(&open.house, scene.patient.id);
            let path = format!("/fhir/Observation/{record}");
            assert_eq!(wire::get(served.at, &path, &own).await.unwrap().status, 200);

            open.house.patients.erase(scene.patient.id, 30).await.unwrap();

            assert!(cast::read(&open.house, &bearer, record).await.is_err());
            assert_eq!(wire::get(served.at, &path, &own).await.unwrap().status, 404);
            assert!(open.house.store.contents(scene.patient.id, &[(record.record, 1)]).await.unwrap().is_empty());
            if let Ok(left) = open.house.keyring.unwrapper().keys(scene.patient.id).await {
                let place = Place::content(record, *version);
                assert!(open.house.keyring.opener().open(&left, &place, sealed).is_err(), "old data opens");
            }
            assert!(wrapped(home, scene.patient.id).await.is_empty());
            if home.engine == Engine::Sqlite {
                assert_eq!(on_disk(home, &keys), Vec::<PathBuf>::new(), "a destroyed key lies on disk");
            }
            home.prove_log(&open.house).await;
        }
        drop(clinic);
        served.end().await;
        open.close().await;
    });
}

/// The files of a PostgreSQL in which any of these bytes lie: of its tables, and of its write-ahead log.
fn in_files(own: &Own, keys: &[Vec<u8>]) -> (usize, usize) {
    let (mut tables, mut log) = (0, 0);
    let mut folders = vec![own.data()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().flatten().map(|item| item.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).is_ok_and(|bytes| scan::holds(&bytes, keys)) {
                let of_log = path.components().any(|part| part.as_os_str() == "pg_wal");
                *(if of_log { &mut log } else { &mut tables }) += 1;
            }
        }
    }
    (tables, log)
}

#[test]
fn p19_what_postgresql_keeps_of_a_destroyed_key_and_what_takes_it_away() {
    let test = async |home: &Home, own: &Own| {
        let n = trials(5, 200);
        println!("P19: the keys of {n} patients destroyed on PostgreSQL");
        let open = home.found().await;
        // Pieces: a row may be cut by a page's border or stored compressed; salts and tails are as random as keys.
        let (mut pieces, mut patients) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let patient = Patient::enrol(&open.house).await;
            let hex: String = patient.id.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
            let sql = format!(
                "SELECT encode(wrapped, 'hex') FROM patient_key WHERE use = 'record' AND patient = '\\x{hex}'::bytea"
            );
            let wrapped = own.sql("keys", &[&sql]).await.remove(0);
            let byte = |at: usize| u8::from_str_radix(&wrapped[2 * at..2 * at + 2], 16).unwrap();
            let whole: Vec<u8> = (0..wrapped.len() / 2).map(byte).collect();
            pieces.extend([whole[1..33].to_vec(), whole[97..].to_vec()]);
            patients.push((patient.id, sql));
        }
        own.sql("keys", &["CHECKPOINT"]).await;
        assert!(in_files(own, &pieces).0 > 0, "the search is blind");
        for (patient, sql) in patients {
            open.house.patients.erase(patient, 30).await.unwrap();
            assert!(own.sql("keys", &[&sql]).await.is_empty());
        }
        own.sql("keys", &["CHECKPOINT"]).await;
        println!("P19: after erasure, in tables and log: {:?} files", in_files(own, &pieces));
        own.sql("keys", &["VACUUM FULL patient_key", "CHECKPOINT"]).await;
        let (tables, log) = in_files(own, &pieces);
        println!("P19: after VACUUM FULL: {:?} files", (tables, log));
        assert_eq!(tables, 0, "a destroyed key lies in a table");
        // What SECURITY.md warns of is true: if this ever fails, tell people the better news there.
        assert!(log > 0, "the write-ahead log holds none of it");
        // Segments that are used again keep their old bytes until these are written over; so let none be.
        let keep_none = ["ALTER SYSTEM SET wal_recycle = off", "SELECT pg_reload_conf()::text"];
        own.sql("keys", &keep_none).await;
        for _ in 0..3 {
            own.sql("keys", &["SELECT pg_switch_wal()::text", "CHECKPOINT"]).await;
        }
        let left = in_files(own, &pieces);
        println!("P19: after the log was renewed: {left:?} files");
        assert_eq!(left, (0, 0), "a destroyed key lies in a file");
        open.close().await;
    };
    on_own("P19", None, &test);
}

/// The files of the keystore that hold any of these bytes.
fn on_disk(home: &Home, keys: &[Vec<u8>]) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(home.path()).unwrap().flatten().map(|item| item.path());
    listing
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("keys.sqlite")))
        .filter(|path| std::fs::read(path).is_ok_and(|bytes| scan::holds(&bytes, keys)))
        .collect()
}

/// The files in which PostgreSQL may have written what these databases hold; `None` when they cannot be read.
async fn server_files(home: &Home) -> Option<Vec<PathBuf>> {
    let data = PathBuf::from(on_server("postgres", "SHOW data_directory".to_owned()).await.ok()?.pop()?);
    on_server("postgres", "CHECKPOINT".to_owned()).await.ok()?;
    let names = home.databases().iter().map(|d| format!("'{d}'")).collect::<Vec<_>>().join(",");
    let sql = format!("SELECT oid::text FROM pg_database WHERE datname IN ({names})");
    let mut folders: Vec<PathBuf> =
        on_server("postgres", sql).await.ok()?.iter().map(|oid| data.join("base").join(oid)).collect();
    folders.extend(["pg_wal", "log", "base/pgsql_tmp"].map(|name| data.join(name)));
    let mut files: Vec<PathBuf> = std::fs::read_dir(data.parent()?).ok()?.flatten().map(|i| i.path()).collect();
    std::fs::read_dir(&data).ok()?;
    for folder in folders {
        files.extend(std::fs::read_dir(folder).into_iter().flatten().flatten().map(|item| item.path()));
    }
    // What was not written since this house was founded holds nothing of it.
    let since = std::fs::metadata(home.path().join("garant.toml")).ok()?.modified().ok()?;
    let fresh = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.modified().is_ok_and(|changed| changed >= since))
    };
    Some(files.into_iter().filter(fresh).collect())
}

/// Finds what is public in PostgreSQL's files, and nothing of `forms`.
async fn search_server(home: &Home, forms: &[Vec<u8>]) {
    let Some(files) = server_files(home).await else {
        println!("P14: skipped: PostgreSQL's files cannot be read from here");
        return;
    };
    // What is public must be found, or the search is blind.
    let public = scan::forms("Clinique du Port");
    let (mut seen, mut bytes) = (0, 0);
    for file in &files {
        let Ok(text) = std::fs::read(file) else { continue };
        bytes += text.len();
        seen += usize::from(scan::holds(&text, &public));
        assert!(!scan::holds(&text, forms), "readable in {}", file.display());
    }
    println!("P14: {} files of PostgreSQL, {bytes} bytes, the public name in {seen}", files.len());
    assert!(seen > 0);
}

#[test]
fn p14_nothing_of_a_record_or_an_identifier_is_readable_on_disk_or_in_the_servers_words() {
    each("P14", async |home| {
        let n = trials(20, 1_000);
        println!("P14: {n} patients with a canary in record and identifier");
        let open = home.found().await;
        let mut canaries = Vec::new();
        let mut scene = None;
        for _ in 0..n {
            let (name, text) = (home.canary(), home.canary());
            let identifier = Identifier { system: "urn:oid:1.2.250.1.213.1.4.11".to_owned(), value: name.clone() };
            let id = open.house.patients.enrol(&[identifier]).await.unwrap();
            let patient = Patient::with_device(&open.house, id).await;
            let record = cast::import(&open.house, cast::observation(id, &text)).await;
            canaries.extend([name, text]);
            scene = Some((patient, record));
        }
        let (patient, record) = scene.unwrap();
        let scene = Scene { patient, record, clinic: Clinic::enrol(&open.house).await };
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        open.close().await;
        // The server, made to talk: what it is asked, what it refuses, what goes wrong.
        let mut command = process::garant(home.path());
        command.env("GARANT_LOG", "trace");
        let mut process = Process::start(command);
        let text = canaries.last().unwrap();
        let read = wire::get(process.at(), &format!("/fhir/Observation/{}", scene.record), &token).await.unwrap();
        assert!(read.text().contains(text), "the canary is not where it was put");
        for query in [format!("code={text}"), format!("identifier=x|{text}"), format!("{text}=1")] {
            let path = format!("/fhir/Observation?patient=Patient/{}&{query}", scene.patient.id);
            wire::get(process.at(), &path, &token).await.unwrap();
        }
        for body in [
            cast::observation(scene.patient.id, text).replace("final", text),
            cast::observation(scene.patient.id, text).replace("\"code\"", &format!("\"{text}\"")),
            text.clone(),
        ] {
            let answer = wire::post_fhir(process.at(), "/fhir/Observation", &token, body.as_bytes()).await.unwrap();
            assert!((400..500).contains(&answer.status));
        }
        process.signal(rustix::process::Signal::TERM);
        assert_eq!(process.ended(), Some(true));
        assert!(process.said.len() > 10, "it said next to nothing: {:?}", process.said);
        let forms: Vec<Vec<u8>> = canaries.iter().flat_map(|c| scan::forms(c)).collect();
        let spoken: Vec<&String> = process.said.iter().filter(|line| scan::holds(line.as_bytes(), &forms)).collect();
        assert!(spoken.is_empty(), "{spoken:?}");
        if home.engine == Engine::Postgres {
            search_server(home, &forms).await;
        } else {
            assert!(!scan::folder(home.path(), &["Clinique du Port".to_owned()]).is_empty(), "the search is blind");
        }
    });
}
