//! `garant bench`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::open::Trouble;
use super::say;
use crate::bench::{Floor, Plan, run as measure, serve};

/// Measures a release beside the one database read that it contains, on this machine, in houses of its own.
///
/// Nothing here passes or fails: figures depend on the machine and on what else runs on it; ratios mostly do not.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Args {
    /// Measure searches instead: a record of 10 000 resources, in stores of 100 patients and by tens up to `--patients`
    #[arg(long)]
    search: bool,
    /// Two rounds of half a second each: shows that it runs, and little else
    #[arg(long)]
    quick: bool,
    /// Patients with a consent that stands
    #[arg(long, default_value_t = 100, value_name = "N")]
    patients: usize,
    /// Observations of each patient
    #[arg(long, default_value_t = 5, value_name = "N")]
    records: usize,
    /// Read one record over and over
    #[arg(long)]
    hot: bool,
    /// Consents to be revoked, half of them while 64 connections read
    #[arg(long, default_value_t = 200, value_name = "N")]
    revocations: usize,
    /// Rounds
    #[arg(long, default_value_t = 4, value_name = "N", conflicts_with = "quick")]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS", conflicts_with = "quick")]
    seconds: f64,
    /// Numbers of connections
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64], value_name = "N,…")]
    connections: Vec<usize>,
    /// Connections for reading that the server holds to its database
    #[arg(long, default_value_t = 4, value_name = "N")]
    readers: u32,
    /// Measure on PostgreSQL too: a URL that ends in a slash, whose user may make databases
    #[arg(long, env = "GARANT_TEST_POSTGRES", value_name = "URL")]
    postgres: Option<String>,
    /// Where the houses are put for the time of the measurement
    #[arg(long, default_value_os_t = std::env::temp_dir(), value_name = "FOLDER")]
    scratch: PathBuf,
    /// Serve the house in this folder, to be measured (what the command starts by itself)
    #[arg(long, hide = true, value_name = "FOLDER")]
    serve: Option<PathBuf>,
    /// What cargo says to every benchmark
    #[arg(long = "bench", hide = true)]
    _said_by_cargo: bool,
}

pub(super) async fn run(args: Args, floor: Option<Floor>) -> Result<ExitCode, Trouble> {
    if let Some(folder) = args.serve {
        serve(folder, floor, say).await.map_err(Trouble::of)?;
        return Ok(ExitCode::SUCCESS);
    }
    let scratch = args.scratch.join(format!("garant-bench-{}", std::process::id()));
    let plan = Plan {
        scratch: scratch.clone(),
        postgres: args.postgres,
        patients: args.patients.max(1),
        records: args.records.max(1),
        hot: args.hot,
        revocations: args.revocations,
        rounds: if args.quick { 2 } else { args.rounds.max(1) },
        each: if args.quick { Duration::from_millis(500) } else { seconds(args.seconds)? },
        connections: args.connections,
        readers: args.readers,
    };
    if args.search {
        let done = crate::bench::search(&plan, &mut |line| say(line)).await;
        clear(&scratch);
        return done.map(|()| ExitCode::SUCCESS).map_err(Trouble::of);
    }
    let program = std::env::current_exe().map_err(|e| Trouble::Io("this program's own path".to_owned(), e))?;
    let done = measure(&plan, &program, &["bench", "--serve"], &mut |line| say(line)).await;
    clear(&scratch);
    done.map(|()| ExitCode::SUCCESS).map_err(Trouble::of)
}

fn seconds(seconds: f64) -> Result<Duration, Trouble> {
    Duration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_zero()).ok_or_else(|| Trouble::Said("--seconds".into()))
}

fn clear(scratch: &Path) {
    // Also after trouble; there may be nothing.
    drop(std::fs::remove_dir_all(scratch));
}
