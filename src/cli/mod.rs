//! The commands.
//!
//! Lives here: what an operator types, its words and its progress.
//! May touch: every room, through `app`.
//! Must never: contain a deed; print a secret.

mod bench;
mod demo;
mod init;
mod log;
mod open;
mod serve;

use std::process::ExitCode;

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
    /// Serve a demonstration with five fictitious patients (development mode)
    Demo(demo::Args),
    /// Print a short-lived token for someone of the demonstration (development mode)
    Token(demo::TokenArgs),
    /// Measure what a release costs on this machine
    Bench(bench::Args),
    /// Export, check and verify the tamper-evident log
    #[command(subcommand)]
    Log(log::Command),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    obey(Line::parse())
}

/// Runs the program as `garant bench`, whether or not its arguments begin so.
#[must_use]
pub fn bench() -> ExitCode {
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_none_or(|word| word != "bench") {
        words.insert(1.min(words.len()), "bench".into());
    }
    obey(Line::parse_from(words))
}

fn obey(line: Line) -> ExitCode {
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
    match runtime.block_on(run(line.command)) {
        Ok(code) => code,
        Err(trouble) => complain(&trouble),
    }
}

async fn run(command: Command) -> Result<ExitCode, Trouble> {
    match command {
        Command::Init(args) => init::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Token(args) => demo::token(args).await,
        Command::Bench(args) => bench::run(args).await,
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
