//! `garant keys`: rotation of the key-encryption key and of token keys, and erasure of a patient's record.

use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::ProgressBar;

use super::open::{Opening, Trouble};
use super::say;
use crate::id::{DeedId, PatientId};
use crate::ledger::{Act, Personal};
use crate::proof::base64url;

/// What is done with keys.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Wrap every patient's key under a fresh key-encryption key; may be interrupted and run again
    Rotate {
        #[command(flatten)]
        opening: Opening,
    },
    /// Begin fresh keys for access and identity tokens: they sign after a minute, the old ones go when their last
    /// token is over. Nothing valid is refused meanwhile
    RotateTokens {
        #[command(flatten)]
        opening: Opening,
    },
    /// Destroy the key of a patient's record: nothing of it opens again. The log stays verifiable
    Shred {
        #[command(flatten)]
        opening: Opening,
        /// The patient's id
        #[arg(long)]
        patient: String,
        /// Say it again: it cannot be undone
        #[arg(long, value_name = "PATIENT")]
        yes_erase: String,
        /// How many days backups of the keystore are kept: until then an old backup still holds the key
        #[arg(long, default_value_t = 30)]
        backup_days: u32,
        /// Where to write the signed certificate
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
    },
}

pub(super) async fn run(command: Command) -> Result<ExitCode, Trouble> {
    match command {
        Command::Rotate { opening } => rotate(&opening).await,
        Command::RotateTokens { opening } => rotate_tokens(&opening).await,
        Command::Shred { opening, patient, yes_erase, backup_days, certificate } => {
            if patient != yes_erase {
                return Err(Trouble::Said("--yes-erase must repeat the patient's id; nothing was erased".to_owned()));
            }
            let patient: PatientId =
                patient.parse().map_err(|_| Trouble::Said("--patient must be a patient's id".to_owned()))?;
            let (house, chores) = opening.house().await?;
            let shredded = house.patients.erase(patient, backup_days).await.map_err(Trouble::of)?;
            let text = serde_json::json!({
                "certificate": shredded.json, "signature": base64url::encode(&shredded.signature),
                "registry_key": base64url::encode(&house.keyring.registry_verifier().public()),
            });
            std::fs::write(&certificate, format!("{text}\n"))
                .map_err(|e| Trouble::Io(certificate.display().to_string(), e))?;
            say(format_args!("Erased. The signed certificate is in {}.", certificate.display()));
            say(format_args!("Final once keystore backups older than {backup_days} days are gone."));
            drop(house);
            chores.end().await;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn rotate_tokens(opening: &Opening) -> Result<ExitCode, Trouble> {
    let (house, chores) = opening.house().await?;
    let begins = house.keyring.rotate_tokens().await.map_err(Trouble::of)?;
    let id = DeedId::ordered(&*house.clock, &*house.chance).map_err(Trouble::of)?;
    let about = Personal { route: "keys/rotate-tokens".to_owned(), ..Personal::default() };
    let deed = house.ledger.prepare(id, Act::Rotate, about, None).await.map_err(Trouble::of)?;
    house.ledger.record(deed).await.map_err(Trouble::of)?;
    say(format_args!("Fresh keys sign tokens from {}.", begins.to_rfc3339()));
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}

async fn rotate(opening: &Opening) -> Result<ExitCode, Trouble> {
    let (house, chores) = opening.house().await?;
    let bar = ProgressBar::no_length();
    let rotation = house
        .keyring
        .rewrapper()
        .rotate(|p| {
            bar.set_length(p.rewrapped + p.left);
            bar.set_position(p.rewrapped);
        })
        .await
        .map_err(Trouble::of)?;
    bar.finish_and_clear();
    let id = DeedId::ordered(&*house.clock, &*house.chance).map_err(Trouble::of)?;
    let about = Personal { route: format!("keys/rotate/{}", rotation.epoch), ..Personal::default() };
    let deed = house.ledger.prepare(id, Act::Rotate, about, None).await.map_err(Trouble::of)?;
    house.ledger.record(deed).await.map_err(Trouble::of)?;
    say(format_args!("Epoch {}: {} keys wrapped anew, {} left.", rotation.epoch, rotation.rewrapped, rotation.left));
    drop(house);
    chores.end().await;
    Ok(if rotation.left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
