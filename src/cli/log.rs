//! `garant log`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::open::{Opening, Trouble};
use super::say;
use crate::clock::{Clock as _, Stopwatch, SystemClock};
use crate::ledger::checkpoint::{Checkpoint, Keys};
use crate::ledger::export::Export;
use crate::ledger::note::{self, Verifier};
use crate::ledger::verify::{Trust, verify};

/// What is done with the log.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Verify an exported log with its public key alone: no network, no database, no secret
    Verify {
        /// The exported folder
        folder: PathBuf,
        /// The log's public key, as `garant init` printed it
        #[arg(long, value_name = "KEY")]
        key: String,
        /// A signed checkpoint kept from earlier: the log must be its continuation
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
    },
    /// Write the log as a folder of tiles (C2SP tlog-tiles) that anyone can verify
    Export {
        #[command(flatten)]
        opening: Opening,
        /// The folder to write; it must be empty or not exist
        folder: PathBuf,
    },
    /// Check the live log against its checkpoints, its anchor and the clock
    Check {
        #[command(flatten)]
        opening: Opening,
    },
    /// Accept the log as it is when its anchor is lost: after a move without it, or for a new node
    Anchor {
        #[command(flatten)]
        opening: Opening,
    },
    /// Print the log's public key
    Key {
        #[command(flatten)]
        opening: Opening,
    },
}

pub(super) async fn run(command: Command) -> Result<ExitCode, Trouble> {
    match command {
        Command::Verify { folder, key, since } => verify_folder(&folder, &key, since.as_deref()),
        Command::Export { opening, folder } => export(&opening, &folder).await,
        Command::Check { opening } => {
            // Opening is the check: a house whose log does not agree does not open.
            let (house, chores) = opening.house().await?;
            let head = house.publisher.check().await.map_err(Trouble::of)?;
            say(format_args!("The log is sound: {} entries, the last at {}.", head.size, head.time));
            drop(house);
            chores.end().await;
            Ok(ExitCode::SUCCESS)
        }
        Command::Anchor { opening } => {
            let (house, chores) = opening.house_with_new_anchor().await?;
            let note = house.publisher.newest().await.map_err(Trouble::of)?;
            say("The log is anchored from here on. Compare this checkpoint with what others kept:");
            say(note.trim_end());
            drop(house);
            chores.end().await;
            Ok(ExitCode::SUCCESS)
        }
        Command::Key { opening } => {
            let (house, chores) = opening.house().await?;
            say(house.publisher.verifier.to_vkey());
            drop(house);
            chores.end().await;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn bar(of: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(of), ProgressDrawTarget::stderr());
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}") {
        bar.set_style(style);
    }
    bar
}

fn verify_folder(folder: &std::path::Path, key: &str, since: Option<&std::path::Path>) -> Result<ExitCode, Trouble> {
    let log = Verifier::parse(key).map_err(Trouble::of)?;
    let now = SystemClock.now();
    let older: Option<Checkpoint> = match since {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| Trouble::Io(path.display().to_string(), e))?;
            let keys = Keys { log: &log, witnesses: &[] };
            Some(keys.open(&text, now).map_err(Trouble::of)?.0)
        }
    };
    let trust = Trust { keys: Keys { log: &log, witnesses: &[] }, older: older.as_ref(), now };
    let watch = Stopwatch::start();
    let progress = bar(0);
    progress.set_message("verifying");
    let result = verify(folder, &trust, &mut |done, of| {
        progress.set_length(of);
        progress.set_position(done);
    });
    progress.finish_and_clear();
    match result {
        Ok(report) => {
            let seconds = watch.elapsed().as_secs_f64();
            say(format_args!(
                "VERIFIED {} entries of {} in {seconds:.2} s",
                report.checkpoint.size, report.checkpoint.origin
            ));
            let root: String = report.checkpoint.root.iter().map(|b| format!("{b:02x}")).collect();
            say(format_args!("  root {root}"));
            for (act, count) in &report.acts {
                say(format_args!("  {:<9} {count}", act.word()));
            }
            say(format_args!("  consents in force at the end: {}", report.active_consents));
            say("  every entry is in its place; no disclosure cites a consent that had ended.");
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => {
            say(format_args!("NOT VERIFIED: {fault}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn export(opening: &Opening, folder: &std::path::Path) -> Result<ExitCode, Trouble> {
    let (house, chores) = opening.house().await?;
    let note = house.publisher.newest().await.map_err(Trouble::of)?;
    let text = note::unverified_text(&note).map_err(Trouble::of)?;
    let size = Checkpoint::parse(text).map_err(Trouble::of)?.size;
    let mut export = Export::begin(folder).map_err(Trouble::of)?;
    let progress = bar(size);
    progress.set_message("exporting");
    let size = i64::try_from(size).map_err(Trouble::of)?;
    let mut at = 0;
    while at < size {
        let rows = house.store.leaves(at, 2048.min(size - at)).await.map_err(Trouble::of)?;
        if rows.is_empty() {
            return Err(Trouble::Said(format!("leaf {at} is missing")));
        }
        for row in &rows {
            export.push(&row.entry).map_err(Trouble::of)?;
            at += 1;
            progress.inc(1);
        }
    }
    export.finish(&note).map_err(Trouble::of)?;
    progress.finish_and_clear();
    say(format_args!("{size} entries written to {}", folder.display()));
    say(format_args!(
        "Verify with: garant log verify {} --key '{}'",
        folder.display(),
        house.publisher.verifier.to_vkey()
    ));
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}
