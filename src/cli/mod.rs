//! The commands.
//!
//! Lives here: what an operator types, its words and its progress.
//! May touch: every room, through `app`.
//! Must never: contain a deed; print a secret.

mod bench;
mod demo;
mod doctor;
mod enrol;
pub mod import;
mod init;
mod keys;
mod log;
mod open;
mod serve;
mod tour;

use std::process::ExitCode;

use crate::bench::Floor;
use clap::{Parser, Subcommand};

pub use open::{Opening, Trouble};

/// Garant: a health record that opens only with its patient's consent.
///
/// Every command works on a data folder (`--data`, or GARANT_DATA). `garant init` makes one; `garant tour` shows the
/// whole story in a folder of its own.
#[derive(Parser)]
#[command(version, about, long_about, propagate_version = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new data folder: databases, keys and the first entry of the log
    Init(init::Args),
    /// Serve the APIs over HTTP
    Serve(serve::Args),
    /// Play the whole story over HTTP and fail if any promise is broken
    Tour(tour::Args),
    /// Serve a demonstration with five fictitious patients (development mode)
    Demo(demo::Args),
    /// Print a short-lived token for someone of the demonstration (development mode)
    Token(demo::TokenArgs),
    /// Measure what a release costs on this machine
    Bench(bench::Args),
    /// Take over records from FHIR files or folders; may be interrupted and run again
    Import(Import),
    /// Look at a data folder and say what is well, what is not, and what to do
    Doctor(Opening),
    /// Enrol organisations, professionals, software, patients and devices
    #[command(subcommand)]
    Enrol(enrol::Command),
    /// Suspend an organisation, a professional or software: it acts like a revocation of everything
    Suspend(enrol::Standing),
    /// Let a suspended enrolment stand again
    Reinstate(enrol::Standing),
    /// List the register
    Directory(Opening),
    /// Rotate keys, erase a patient's record
    #[command(subcommand)]
    Keys(keys::Command),
    /// Export, check and verify the tamper-evident log
    #[command(subcommand)]
    Log(log::Command),
}

/// Where records are taken to, and which.
#[derive(clap::Args)]
struct Import {
    #[command(flatten)]
    opening: Opening,
    #[command(flatten)]
    what: import::ImportArgs,
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    obey(Line::parse(), None)
}

/// Runs the program as `garant bench`, whether or not its arguments begin so, over a floor of the caller's.
#[must_use]
pub fn bench(floor: Floor) -> ExitCode {
    obey(Line::parse_from(bench_words()), Some(floor))
}

/// Runs the program as `garant bench --search`.
#[must_use]
pub fn bench_of_searches() -> ExitCode {
    let mut words = bench_words();
    words.push("--search".into());
    obey(Line::parse_from(words), None)
}

fn bench_words() -> Vec<std::ffi::OsString> {
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_none_or(|word| word != "bench") {
        words.insert(1.min(words.len()), "bench".into());
    }
    words
}

fn obey(line: Line, floor: Option<Floor>) -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing::Level::WARN.into())
                .with_env_var("GARANT_LOG")
                .from_env_lossy(),
        )
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&Trouble::Io("the asynchronous runtime".into(), error)),
    };
    match runtime.block_on(run(line.command, floor)) {
        Ok(code) => code,
        Err(trouble) => complain(&trouble),
    }
}

async fn run(command: Command, floor: Option<Floor>) -> Result<ExitCode, Trouble> {
    match command {
        Command::Init(args) => init::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Tour(args) => tour::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Token(args) => demo::token(args).await,
        Command::Bench(args) => bench::run(args, floor).await,
        Command::Import(args) => {
            let (house, chores) = args.opening.house().await?;
            let code = import::run(&house, &args.what).await.map_err(Trouble::of);
            drop(house);
            chores.end().await;
            code
        }
        Command::Doctor(opening) => doctor::run(&opening).await,
        Command::Enrol(command) => enrol::run(command).await,
        Command::Suspend(args) => enrol::stand(args, false).await,
        Command::Reinstate(args) => enrol::stand(args, true).await,
        Command::Directory(opening) => enrol::list(&opening).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Log(command) => log::run(command).await,
    }
}

#[expect(clippy::print_stderr, reason = "the commands speak to the person who typed them")]
fn complain(trouble: &Trouble) -> ExitCode {
    eprintln!("garant: {trouble}");
    let mut cause = std::error::Error::source(trouble);
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}

/// Writes a line for the person who typed the command.
#[expect(clippy::print_stdout, reason = "the commands speak to the person who typed them")]
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
