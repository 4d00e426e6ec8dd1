//! `garant enrol`, `garant suspend`, `garant reinstate`, `garant directory`: the guarantor's register.

use std::path::PathBuf;
use std::process::ExitCode;

use super::open::{Opening, Trouble};
use super::say;
use crate::app::House;
use crate::directory::{Organisation, Party, Professional};
use crate::id::{DeviceId, OrganisationId, PatientId, ProfessionalId};
use crate::identity::Identifier;
use crate::json::{self, Limits, Node};
use crate::model::{DeviceKind, OrganisationKind, Profession};
use crate::proof::PublicKey;

/// Who is enrolled. Each enrolment is signed by the registry and recorded in the log; its id is printed.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// An organisation
    Organisation {
        #[command(flatten)]
        opening: Opening,
        /// care, social, insurer or occupational-health: it bounds what the organisation may ever see
        #[arg(long)]
        kind: String,
        /// Public name
        #[arg(long)]
        name: String,
        /// Number in the national register (FINESS, SIREN)
        #[arg(long, default_value = "")]
        number: String,
    },
    /// A professional
    Professional {
        #[command(flatten)]
        opening: Opening,
        /// Public name
        #[arg(long)]
        name: String,
        /// Profession code, for example 10 for a physician
        #[arg(long)]
        profession: String,
        /// Number in the national register (RPPS)
        #[arg(long, default_value = "")]
        number: String,
        /// Where they work; may be given several times
        #[arg(long = "at", required = true, value_name = "ORGANISATION")]
        organisations: Vec<String>,
    },
    /// A patient, found by an identifier from now on
    Patient {
        #[command(flatten)]
        opening: Opening,
        /// SYSTEM|VALUE; may be given several times
        #[arg(long = "identifier", required = true, value_name = "SYSTEM|VALUE")]
        identifiers: Vec<String>,
    },
    /// An invitation: with its code a patient links the account with which they sign in. It is printed once
    Invitation {
        #[command(flatten)]
        opening: Opening,
        /// The patient's id
        #[arg(long)]
        patient: String,
        /// How many days it holds; it works once
        #[arg(long, default_value = "14", value_parser = clap::value_parser!(u16).range(1..=90))]
        days: u16,
    },
    /// A device with which a patient signs
    Device {
        #[command(flatten)]
        opening: Opening,
        /// The patient's id
        #[arg(long)]
        patient: String,
        /// A file with its public key as a JWK (P-256)
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// For a passkey: its credential id (base64url)
        #[arg(long, requires = "rp_id")]
        credential: Option<String>,
        /// For a passkey: the relying party id
        #[arg(long)]
        rp_id: Option<String>,
        /// For a passkey: the origins from which it may sign
        #[arg(long = "origin")]
        origins: Vec<String>,
    },
}

/// Names a party whose enrolment is ended or taken up again.
#[derive(clap::Args)]
pub(super) struct Standing {
    #[command(flatten)]
    opening: Opening,
    /// The id that the enrolment printed
    id: String,
}

pub(super) async fn run(command: Command) -> Result<ExitCode, Trouble> {
    match command {
        Command::Organisation { opening, kind, name, number } => {
            let kind: OrganisationKind = read(&kind, "--kind", "care, social, insurer or occupational-health")?;
            enrol(&opening, |house| {
                let id = OrganisationId::random(&*house.chance).map_err(Trouble::of)?;
                Ok(Party::Organisation(Organisation { id, kind, name, number, active: true }))
            })
            .await
        }
        Command::Professional { opening, name, profession, number, organisations } => {
            let profession: Profession = read(&profession, "--profession", "a profession code")?;
            let organisations = organisations
                .iter()
                .map(|o| read(o, "--at", "an organisation's id"))
                .collect::<Result<Vec<OrganisationId>, _>>()?;
            enrol(&opening, |house| {
                let id = ProfessionalId::random(&*house.chance).map_err(Trouble::of)?;
                Ok(Party::Professional(Professional { id, name, profession, number, organisations, active: true }))
            })
            .await
        }
        Command::Patient { opening, identifiers } => patient(&opening, &identifiers).await,
        Command::Invitation { opening, patient, days } => {
            invite(&opening, read(&patient, "--patient", "a patient's id")?, days).await
        }
        Command::Device { opening, patient, key, credential, rp_id, origins } => {
            let patient: PatientId = read(&patient, "--patient", "a patient's id")?;
            let kind = match (credential, rp_id) {
                (Some(credential), Some(rp_id)) => DeviceKind::Passkey { credential, rp_id, origins },
                _ => DeviceKind::Device,
            };
            device(&opening, patient, kind, &public_key(&key)?).await
        }
    }
}

/// Enrols a party and prints its id.
pub(super) async fn enrol(
    opening: &Opening,
    party: impl FnOnce(&House) -> Result<Party, Trouble>,
) -> Result<ExitCode, Trouble> {
    let (house, chores) = opening.house().await?;
    let party = party(&house)?;
    house.enrolments.enrol(&party).await.map_err(Trouble::of)?;
    say(OrganisationId::from_bytes(party.id()));
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}

async fn patient(opening: &Opening, identifiers: &[String]) -> Result<ExitCode, Trouble> {
    let read = |text: &String| {
        let (system, value) = text.split_once('|').ok_or_else(|| wrong("--identifier", "SYSTEM|VALUE"))?;
        Ok(Identifier { system: system.to_owned(), value: value.to_owned() })
    };
    let identifiers = identifiers.iter().map(read).collect::<Result<Vec<_>, Trouble>>()?;
    let (house, chores) = opening.house().await?;
    say(house.patients.enrol(&identifiers).await.map_err(Trouble::of)?);
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}

async fn invite(opening: &Opening, patient: PatientId, days: u16) -> Result<ExitCode, Trouble> {
    let (house, chores) = opening.house().await?;
    let code = house.patients.invite(patient, days).await.map_err(Trouble::of)?;
    say(code.expose());
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}

async fn device(opening: &Opening, patient: PatientId, kind: DeviceKind, key: &str) -> Result<ExitCode, Trouble> {
    let (house, chores) = opening.house().await?;
    let device = house.patients.add_device(patient, kind, key).await.map_err(Trouble::of)?;
    say(DeviceId::from_bytes(*device.id.as_bytes()));
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}

/// Ends an enrolment, or takes it up again.
pub(super) async fn stand(args: Standing, standing: bool) -> Result<ExitCode, Trouble> {
    stand_by_id(&args.opening, &args.id, standing).await
}

/// Ends the enrolment of this id, or takes it up again.
pub(super) async fn stand_by_id(opening: &Opening, id: &str, standing: bool) -> Result<ExitCode, Trouble> {
    let party: OrganisationId = read(id, "the id", "26 characters, as the enrolment printed it")?;
    let (house, chores) = opening.house().await?;
    let party = house.enrolments.set_standing(party.as_bytes(), standing).await.map_err(Trouble::of)?;
    let word = if standing { "stands again" } else { "is suspended, for every read that starts from now on" };
    say(format_args!("The {} {} {word}.", party.kind(), id));
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}

/// Lists the register.
pub(super) async fn list(opening: &Opening) -> Result<ExitCode, Trouble> {
    let (house, chores) = opening.house().await?;
    for kind in ["organisation", "professional", "client"] {
        for party in house.enrolments.all(kind).await.map_err(Trouble::of)? {
            let (id, state) = (OrganisationId::from_bytes(party.id()), if party.active() { "" } else { "  SUSPENDED" });
            let (name, detail) = match &*party {
                Party::Organisation(o) => (&o.name, o.kind.word().to_owned()),
                Party::Professional(p) => (&p.name, format!("profession {}", p.profession.code())),
                Party::Client(c) => (&c.name, format!("of {}", c.organisation)),
            };
            say(format_args!("{kind:<13} {id}  {name} ({detail}){state}"));
        }
    }
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}

/// An argument of some kind, or what it should have been.
pub(super) fn read<T: std::str::FromStr>(text: &str, option: &str, wanted: &str) -> Result<T, Trouble> {
    text.parse().map_err(|_| wrong(option, wanted))
}

/// What an argument should have been.
pub(super) fn wrong(option: &str, wanted: &str) -> Trouble {
    Trouble::Said(format!("{option} must be {wanted}"))
}

fn public_key(path: &std::path::Path) -> Result<String, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|e| Trouble::Io(path.display().to_string(), e))?;
    let text = text.trim();
    PublicKey::from_jwk(text.as_bytes())
        .map_err(|_| Trouble::Said(format!("{} is not a public key (JWK, P-256 or Ed25519)", path.display())))?;
    Ok(text.to_owned())
}

/// The public keys in a file, as exact texts: one JWK, or the members of a JWK set.
pub(super) fn key_texts(path: &std::path::Path) -> Result<Vec<String>, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|e| Trouble::Io(path.display().to_string(), e))?;
    let bad = || Trouble::Said(format!("{} holds no public key (JWK or JWK set, P-256 or Ed25519)", path.display()));
    let tree = json::parse(text.as_bytes(), Limits::TOKEN).map_err(|_| bad())?;
    let nodes = match tree.get("keys") {
        Some(set) => set.items().iter().collect(),
        None => vec![&tree],
    };
    if nodes.is_empty() {
        return Err(bad());
    }
    let exact = |node: &Node<'_>| {
        PublicKey::from_jwk_node(node).ok()?;
        text.get(node.span.start..node.span.end).map(str::to_owned)
    };
    nodes.into_iter().map(|node| exact(node).ok_or_else(bad)).collect()
}
