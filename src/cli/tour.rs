//! `garant tour`: the whole story over HTTP, against a server started for it; any broken promise fails it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::demo::{Databases, begin, open_demo};
use super::open::Trouble;
use super::say;
use crate::app::House;
use crate::app::demo::client::{Answer, Outside, Token};
use crate::app::demo::{Cast, Patient, Staging};
use crate::app::serve::{listen, router};
use crate::clock::{Clock as _, Stopwatch, SystemClock};
use crate::id::PatientId;
use crate::ledger::Act;
use crate::ledger::checkpoint::Keys;
use crate::ledger::export::Export;
use crate::ledger::verify::{Report, Trust, verify};

/// Plays the whole story and exits non-zero if any promise is broken.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A folder for the tour's data, which must not exist; kept afterwards (default: a temporary one, removed)
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    databases: Databases,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Trouble> {
    let folder = args.keep.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("garant-tour-{}-{}", std::process::id(), SystemClock.now().0))
    });
    if folder.exists() {
        return Err(Trouble::Said(format!("{} exists: the tour begins in an empty folder", folder.display())));
    }
    let outcome = play(&folder, args.databases).await;
    if args.keep.is_none() {
        drop(std::fs::remove_dir_all(&folder));
    }
    match outcome {
        Ok(()) => {
            say("Every promise held.");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            say(format_args!("BROKEN: {error}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn play(folder: &Path, databases: Databases) -> Result<(), Staging> {
    let watch = Stopwatch::start();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    // The port must be known before the house is founded: its base URL is bound into everything that is signed.
    let port = std::net::TcpListener::bind(address)?.local_addr()?.port();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let (house, chores, mut cast) = open_demo(folder, &format!("http://{address}/fhir"), databases, |_| {}).await?;
    cast.equip(&house).await.map_err(Trouble::of)?;
    let listening = listen(address, router(&house)).await?;
    let (end, ending) = watch::channel(false);
    let serving = begin(listening, ending);
    let outside = Outside::new(format!("http://{address}"), house.config.base_url.clone(), Box::new(SystemClock));
    let mut tour = Tour { house: Arc::clone(&house), outside, cast: &cast, folder, step: 0 };
    tour.told(watch, "five people's records are taken in, each sealed under a key of its own");
    let told = tour.story().await;
    end.send_replace(true);
    drop(serving.await);
    drop(tour);
    drop(house);
    chores.end().await;
    told
}

struct Tour<'c> {
    house: Arc<House>,
    outside: Outside,
    cast: &'c Cast,
    folder: &'c Path,
    step: usize,
}

/// Those who ask in the story.
struct Askers<'c> {
    doctor: Token<'c>,
    social: Token<'c>,
    insurer: Token<'c>,
}

impl Tour<'_> {
    fn told(&mut self, watch: Stopwatch, line: &str) {
        self.step += 1;
        let milliseconds = watch.elapsed().as_secs_f64() * 1000.0;
        say(format_args!("✔ {:>2}  {line}  ({milliseconds:.0} ms)", self.step));
    }

    async fn story(&mut self) -> Result<(), Staging> {
        let patient = self.cast.patient("joaquim").ok_or("the cast is incomplete")?;
        self.nothing_in_clear()?;
        let watch = Stopwatch::start();
        let own = self.outside.patient_token(patient).await?;
        let askers = Askers {
            doctor: self.outside.token_as(self.cast, "dr-lefevre").await?,
            social: self.outside.token_as(self.cast, "as-kerbrat").await?,
            insurer: self.outside.token_as(self.cast, "remboursements-orvane").await?,
        };
        self.told(watch, "a doctor, a social worker and an insurer get access tokens: good software, no consent yet");
        let record = self.before_any_consent(patient, &own, &askers).await?;
        self.grants(patient, &own).await?;
        self.each_reads_what_they_may(patient, &askers, &record).await?;
        self.hidden_is_absent(&askers, &record).await?;
        self.refused_by_law(patient, &own).await?;
        let consent = self.revokes(patient, &own, &askers, &record).await?;
        self.the_log_proves_it(&consent).await?;
        self.erased(patient).await
    }

    fn nothing_in_clear(&mut self) -> Result<(), Staging> {
        let watch = Stopwatch::start();
        let mut bytes = 0;
        for file in std::fs::read_dir(self.folder)? {
            let content = std::fs::read(file?.path())?;
            bytes += content.len();
            for word in ["Lourenço", "Kervadec", "Haddouche", "Hémoglobine", "insuffisance cardiaque"] {
                if content.windows(word.len()).any(|w| w == word.as_bytes()) {
                    return Err(format!("«{word}» stands in clear in the data folder").into());
                }
            }
        }
        self.told(watch, &format!("no name and no finding stands in clear in {} kB of files", bytes / 1024));
        Ok(())
    }

    async fn before_any_consent(
        &mut self,
        patient: &Patient,
        own: &Token<'_>,
        askers: &Askers<'_>,
    ) -> Result<Record, Staging> {
        let watch = Stopwatch::start();
        let record = Record {
            observation: self.first(own, "Observation?code=33762-6").await?,
            plan: self.first(own, "CarePlan").await?,
            bill: self.first(own, "ExplanationOfBenefit").await?,
        };
        self.told(watch, "the patient reads their own record");
        let watch = Stopwatch::start();
        for (token, path) in
            [(&askers.doctor, &record.observation), (&askers.social, &record.plan), (&askers.insurer, &record.bill)]
        {
            let answer = self.outside.ask(token, "GET", path, "").await?;
            expect(&answer, StatusCode::NOT_FOUND, "a read without consent")?;
        }
        let path = format!("/fhir/Observation?patient={}", patient.id);
        let found = self.outside.ask(&askers.doctor, "GET", &path, "").await?.json()?;
        if found.get("total") != Some(&json!(0)) {
            return Err("a search without consent found something".into());
        }
        self.told(watch, "nobody else reads anything: not found, as if it did not exist");
        Ok(record)
    }

    async fn grants(&mut self, patient: &Patient, own: &Token<'_>) -> Result<(), Staging> {
        let doctor = self.cast.professional("dr-lefevre").ok_or("no doctor")?;
        let social = self.cast.professional("as-kerbrat").ok_or("no social worker")?;
        let insurer = self.cast.organisation("mutuelle-orvane")?;
        for (grantee, scope, purpose) in [
            (format!("professional/{}", doctor.id), json!(["Condition.rs", "Observation.rs"]), "TREAT"),
            (format!("professional/{}", social.id), json!(["CarePlan.rs"]), "CAREMGT"),
            (format!("organisation/{insurer}"), json!(["Coverage.rs", "ExplanationOfBenefit.rs"]), "HPAYMT"),
        ] {
            let watch = Stopwatch::start();
            let (answer, text) = self.outside.decide(patient, own, &wish(&grantee, &scope, purpose)).await?;
            expect(&answer, StatusCode::CREATED, "a grant")?;
            self.told(watch, &format!("signed: «{text}»"));
        }
        Ok(())
    }

    async fn each_reads_what_they_may(
        &mut self,
        patient: &Patient,
        askers: &Askers<'_>,
        record: &Record,
    ) -> Result<(), Staging> {
        let watch = Stopwatch::start();
        let before = self.house.store.head().await?.map_or(0, |head| head.size);
        for (who, token, path) in [
            ("doctor", &askers.doctor, &record.observation),
            ("social worker", &askers.social, &record.plan),
            ("insurer", &askers.insurer, &record.bill),
        ] {
            let answer = self.outside.ask(token, "GET", path, "").await?;
            expect(&answer, StatusCode::OK, who)?;
            let leaf = answer.headers.get("garant-log-index").and_then(|v| v.to_str().ok()?.parse::<i64>().ok());
            if leaf.is_none_or(|leaf| leaf < before) {
                return Err(format!("what the {who} read is not on record").into());
            }
        }
        self.told(watch, "each reads what they may; each answer names its entry in the log");
        let watch = Stopwatch::start();
        let path = format!("/fhir/Observation?patient={}&code=33762-6", patient.id);
        let found = self.outside.ask(&askers.doctor, "GET", &path, "").await?;
        let total = found.json()?.get("total").and_then(Value::as_u64).unwrap_or(0);
        if total == 0 {
            return Err("the doctor's search found nothing".into());
        }
        self.told(watch, &format!("the doctor searches the patient's NT-proBNP: {total} found, one entry in the log"));
        let watch = Stopwatch::start();
        for (who, token, path) in [
            ("social worker", &askers.social, &record.observation),
            ("doctor", &askers.doctor, &record.plan),
            ("insurer", &askers.insurer, &record.observation),
        ] {
            let answer = self.outside.ask(token, "GET", path, "").await?;
            if answer.status == StatusCode::OK {
                return Err(format!("the {who} read what was not granted").into());
            }
        }
        self.told(watch, "and nothing else: a social worker no result, a doctor no care plan, an insurer no record");
        Ok(())
    }

    async fn hidden_is_absent(&mut self, askers: &Askers<'_>, record: &Record) -> Result<(), Staging> {
        let watch = Stopwatch::start();
        let hidden = self.outside.ask(&askers.doctor, "GET", &record.plan, "").await?;
        let absent = format!("{}0", record.plan.trim_end_matches(char::is_alphanumeric));
        let absent = self.outside.ask(&askers.doctor, "GET", &absent, "").await?;
        let plain = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.remove("date");
            headers.remove("x-request-id");
            (answer.status, headers, answer.body.clone())
        };
        if plain(&hidden) != plain(&absent) {
            return Err("hidden and absent can be told apart".into());
        }
        self.told(watch, "hidden and absent are the same bytes");
        Ok(())
    }

    async fn refused_by_law(&mut self, patient: &Patient, own: &Token<'_>) -> Result<(), Staging> {
        let watch = Stopwatch::start();
        let insurer = format!("organisation/{}", self.cast.organisation("mutuelle-orvane")?);
        let (answer, _) =
            self.outside.decide(patient, own, &wish(&insurer, &json!(["Observation.rs"]), "HPAYMT")).await?;
        expect(&answer, StatusCode::UNPROCESSABLE_ENTITY, "a grant of the record to an insurer")?;
        let article = answer.json()?.get("article").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.told(watch, &format!("a grant of results to an insurer cannot even be made ({article})"));
        Ok(())
    }

    async fn revokes(
        &mut self,
        patient: &Patient,
        own: &Token<'_>,
        askers: &Askers<'_>,
        record: &Record,
    ) -> Result<String, Staging> {
        let watch = Stopwatch::start();
        let consents = self.outside.ask(own, "GET", "/api/consents", "").await?.json()?;
        let doctor = self.cast.professional("dr-lefevre").ok_or("no doctor")?;
        let wanted = format!("professional/{}", doctor.id);
        let all = consents.get("consents").and_then(Value::as_array).ok_or("no consents")?;
        let consent = all
            .iter()
            .find(|c| c.pointer("/terms/grantee").and_then(Value::as_str) == Some(wanted.as_str()))
            .and_then(|c| c.get("consent")?.as_str())
            .ok_or("the doctor's consent is not listed")?
            .to_owned();
        let path = format!("/api/consents/{consent}/revoke");
        let answer = self.outside.ask(own, "POST", &path, "").await?;
        expect(&answer, StatusCode::OK, "a revocation")?;
        self.told(watch, "the patient removes the doctor's access: one call, no signature");
        let watch = Stopwatch::start();
        let answer = self.outside.ask(&askers.doctor, "GET", &record.observation, "").await?;
        expect(&answer, StatusCode::NOT_FOUND, "the next read with the same token")?;
        let path = format!("/fhir/Observation?patient={}", patient.id);
        if self.outside.ask(&askers.doctor, "GET", &path, "").await?.json()?.get("total") != Some(&json!(0)) {
            return Err("a search after the revocation found something".into());
        }
        let answer = self.outside.ask(&askers.insurer, "GET", &record.bill, "").await?;
        expect(&answer, StatusCode::OK, "the insurer's own consent")?;
        self.told(watch, "the very next read with the same unexpired token is refused; the others still read");
        Ok(consent)
    }

    async fn the_log_proves_it(&mut self, consent: &str) -> Result<(), Staging> {
        let watch = Stopwatch::start();
        let (export, report) = self.export("log").await?;
        let count = |act| report.acts.get(&act).copied().unwrap_or(0);
        self.told(
            watch,
            &format!(
                "verified offline with the public key alone: {} entries, {} disclosures, {} refusals, 1 revocation",
                report.checkpoint.size,
                count(Act::Disclose),
                count(Act::Refuse)
            ),
        );
        if count(Act::Revoke) != 1 || count(Act::Grant) != 3 {
            return Err(format!("the log does not tell the story of {consent}").into());
        }
        let watch = Stopwatch::start();
        let bundle = first_entries(&export)?;
        let mut bytes = std::fs::read(&bundle)?;
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
        std::fs::write(&bundle, bytes)?;
        match self.verified(&export) {
            Ok(_) => Err("a changed bit in the log went unnoticed".into()),
            Err(fault) => {
                self.told(watch, &format!("one bit changed in a copy of the log, and it is found: {fault}"));
                Ok(())
            }
        }
    }

    async fn erased(&mut self, patient: &Patient) -> Result<(), Staging> {
        let watch = Stopwatch::start();
        let own = self.outside.patient_token(patient).await?;
        let id: PatientId = patient.id.parse()?;
        self.house.patients.erase(id, 30).await?;
        let answer = self.outside.ask(&own, "GET", &format!("/fhir/Patient/{}", patient.id), "").await?;
        expect(&answer, StatusCode::NOT_FOUND, "a read of an erased record")?;
        self.export("log-after-erasure").await?;
        self.told(watch, "the record's key is destroyed: nothing of it opens again, and the log still verifies");
        Ok(())
    }

    async fn first(&self, token: &Token<'_>, search: &str) -> Result<String, Staging> {
        let answer = self.outside.ask(token, "GET", &format!("/fhir/{search}"), "").await?;
        expect(&answer, StatusCode::OK, search)?;
        let found = answer.json()?;
        let url = found.pointer("/entry/0/fullUrl").and_then(Value::as_str).ok_or_else(|| format!("no {search}"))?;
        Ok(format!("/fhir{}", url.strip_prefix(&self.outside.base_url).ok_or("a foreign address")?))
    }

    async fn export(&self, name: &str) -> Result<(PathBuf, Report), Staging> {
        self.house.publisher.publish().await?;
        let note = self.house.publisher.newest().await?;
        let folder = self.folder.join(name);
        let mut export = Export::begin(&folder)?;
        let size = self.house.store.last_checkpoint().await?.map_or(0, |row| row.size);
        for row in self.house.store.leaves(0, size).await? {
            export.push(&row.entry)?;
        }
        export.finish(&note)?;
        let report = self.verified(&folder)?;
        Ok((folder, report))
    }

    fn verified(&self, folder: &Path) -> Result<Report, Staging> {
        let keys = Keys { log: &self.house.publisher.verifier, witnesses: &[] };
        let trust = Trust { keys, older: None, now: SystemClock.now() };
        Ok(verify(folder, &trust, &mut |_, _| {})?)
    }
}

/// One record of each kind, by its path.
struct Record {
    observation: String,
    plan: String,
    bill: String,
}

fn wish(grantee: &str, scope: &Value, purpose: &str) -> Value {
    let now = SystemClock.now().secs();
    json!({ "wish": "grant", "language": "fr", "terms": {
        "grantee": grantee, "scope": scope, "purpose": [purpose], "confidentiality": "N", "sensitivity": [],
        "notBefore": now, "notAfter": now + 90 * 86_400,
    }})
}

fn expect(answer: &Answer, status: StatusCode, what: &str) -> Result<(), Staging> {
    if answer.status == status {
        Ok(())
    } else {
        let body = String::from_utf8_lossy(&answer.body);
        Err(format!("{what}: {} where {status} should be: {body}", answer.status).into())
    }
}

fn first_entries(export: &Path) -> Result<PathBuf, Staging> {
    let file = std::fs::read_dir(export.join("tile/entries"))?.next().ok_or("no entries")??;
    // A log of fewer than 256 entries has one partial bundle, in a folder named after it.
    let path = file.path();
    if path.is_dir() { Ok(std::fs::read_dir(path)?.next().ok_or("no entries")??.path()) } else { Ok(path) }
}
