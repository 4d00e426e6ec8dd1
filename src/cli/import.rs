//! `garant import`: the guarantor takes over records from files.
//!
//! Each file is one resource or one Bundle and is taken in whole or not at all; what was imported is remembered with
//! the records themselves, so after a kill or a refusal the same command goes on where it stopped.

mod files;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::report::{Outcome, Report};
use crate::app::House;
use crate::intake::{Intake, Rejected};
use crate::json::Limits;

/// What to import, and how.
#[derive(clap::Args, Clone, Debug)]
pub struct ImportArgs {
    /// Files, or folders that are searched for `*.json`; each file holds one FHIR resource or Bundle.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Only tells what would be refused; stores nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Files worked on at the same time; twice the number of processors when not given.
    #[arg(long)]
    pub jobs: Option<usize>,
}

/// Why the import did not begin.
#[derive(Debug, thiserror::Error)]
pub enum CannotImport {
    /// A path cannot be read.
    #[error("{0}: {1}")]
    Path(PathBuf, #[source] std::io::Error),
    /// There is nothing to import.
    #[error("no *.json file there")]
    Nothing,
    /// The log was found unsound: nothing is taken in.
    #[error("the log is not sound; `garant log verify` tells more")]
    Unsound,
}

/// How much of files may be held at the same time, in KiB: one of the largest, or many of the usual ones.
const HELD: u32 = 64 * 1024;
/// How often a file is tried when others change the same patient's record at the same moment.
const TRIES: usize = 8;

/// Imports all files and tells what became of them; the exit code is not zero when anything was refused.
///
/// # Errors
/// [`CannotImport`] when nothing was begun.
pub async fn run(house: &House, args: &ImportArgs) -> Result<ExitCode, CannotImport> {
    if !house.is_sound() {
        return Err(CannotImport::Unsound);
    }
    let files = files::find(&args.paths)?;
    let mut report = Report::new(files.len(), args.dry_run);
    // One worker of the runtime per processor.
    let processors = tokio::runtime::Handle::current().metrics().num_workers();
    let jobs = args.jobs.unwrap_or(2 * processors).max(1);
    let room = Arc::new(Semaphore::new(HELD as usize));
    let mut left = files.into_iter();
    let mut working = JoinSet::new();
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        while working.len() < jobs
            && !report.stopped()
            && let Some(path) = left.next()
        {
            let (intake, room, dry_run) = (Arc::clone(&house.intake), Arc::clone(&room), args.dry_run);
            // Tasks of this set end with it; a file whose task is dropped is whole or not there at all.
            working.spawn(async move {
                let outcome = one(&intake, &room, &path, dry_run).await;
                (path, outcome)
            });
        }
        tokio::select! {
            biased;
            _ = &mut interrupted, if !report.stopped() => report.stop("stopped; the same command goes on from here"),
            done = working.join_next() => match done {
                Some(Ok((path, outcome))) => report.add(&path, outcome),
                Some(Err(_)) => report.stop("a file could not be worked on; nothing of it was stored"),
                None => break,
            },
        }
    }
    Ok(report.end())
}

async fn one(intake: &Arc<Intake>, room: &Semaphore, path: &Path, dry_run: bool) -> Outcome {
    let length = match tokio::fs::metadata(path).await {
        Ok(metadata) => metadata.len(),
        Err(error) => return Outcome::Unreadable(error),
    };
    if length > Limits::FHIR.bytes as u64 {
        return Outcome::TooLong;
    }
    let kilobytes = u32::try_from(length / 1024 + 1).unwrap_or(HELD).min(HELD);
    let Ok(_held) = room.acquire_many(kilobytes).await else { return Outcome::Refused(Rejected::Conflict) };
    let mut outcome = Outcome::Refused(Rejected::Conflict);
    for _ in 0..TRIES {
        let bytes = match tokio::fs::read(path).await {
            Ok(bytes) => bytes,
            Err(error) => return Outcome::Unreadable(error),
        };
        outcome = attempt(intake, bytes, dry_run).await;
        if !matches!(outcome, Outcome::Refused(Rejected::Conflict)) {
            break;
        }
    }
    outcome
}

async fn attempt(intake: &Arc<Intake>, bytes: Vec<u8>, dry_run: bool) -> Outcome {
    let done = if dry_run {
        intake.rehearse(bytes).await.map(|types| types.map(Outcome::Good))
    } else {
        intake.import(bytes).await.map(|done| done.map(Outcome::Done))
    };
    match done {
        Ok(Some(outcome)) => outcome,
        Ok(None) => Outcome::Before,
        Err(rejected) => Outcome::Refused(rejected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::tests::world::{bundle, world};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_is_imported_once_and_what_is_refused_shows_in_the_exit_code() {
        let world = world().await;
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        std::fs::create_dir(&below).unwrap();
        for n in 0..20 {
            let at = if n < 10 { folder.path() } else { below.as_path() };
            std::fs::write(at.join(format!("{n}.json")), bundle(&n.to_string())).unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), "not FHIR").unwrap();
        let bad = below.join("bad.JSON");
        std::fs::write(&bad, "{").unwrap();
        let paths = vec![folder.path().to_owned(), below.clone()];
        let run = async |dry_run| run(&world.house, &ImportArgs { paths: paths.clone(), dry_run, jobs: Some(3) }).await;
        let before = world.leaves().await;
        assert_eq!(run(true).await.unwrap(), ExitCode::FAILURE);
        assert_eq!(world.leaves().await, before, "a rehearsal records nothing");
        assert_eq!(run(false).await.unwrap(), ExitCode::FAILURE);
        assert_eq!(world.leaves().await, before + 40, "twenty enrolments and twenty admissions");
        std::fs::remove_file(&bad).unwrap();
        assert_eq!(run(false).await.unwrap(), ExitCode::SUCCESS);
        assert_eq!(world.leaves().await, before + 40);
        std::fs::remove_dir_all(&below).unwrap();
        assert!(matches!(run(false).await, Err(CannotImport::Path(..))));
    }
}
