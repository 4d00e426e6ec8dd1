//! `garant client`: the software that the guarantor enrols. There is no registration over the network.

use std::path::PathBuf;
use std::process::ExitCode;

use super::enrol::{enrol, key_texts, read, stand_by_id, wrong};
use super::open::{Opening, Trouble};
use super::say;
use crate::directory::{Client, Party, Profile};
use crate::id::ClientId;
use crate::model::ClinicalScope;

/// What is done with software.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Enrol a piece of software (OAuth client); its id is printed
    Add(Box<Add>),
    /// List all software, with what it may ask for
    List(Opening),
    /// Suspend software: no token of it is taken from now on
    Suspend(Named),
    /// Let suspended software stand again
    Reinstate(Named),
}

/// Software to be enrolled.
#[derive(clap::Args)]
pub(super) struct Add {
    #[command(flatten)]
    opening: Opening,
    /// Public name, as people are asked about it
    #[arg(long)]
    name: String,
    /// Whose software it is
    #[arg(long, value_name = "ORGANISATION")]
    organisation: String,
    /// smart (SMART App Launch: bearer tokens) or fapi2 (FAPI 2.0: pushed requests, tokens bound to a key)
    #[arg(long, default_value = "fapi2")]
    profile: String,
    /// A file with a public key as a JWK, or with a JWK set; may be given several times
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// It has no key and proves nothing, as apps on a person's own device cannot (smart only)
    #[arg(long, conflicts_with = "keys")]
    public: bool,
    /// Where people may be sent back to, to the byte; may be given several times
    #[arg(long = "redirect", value_name = "URI")]
    redirects: Vec<String>,
    /// Where it is told that a person has signed out (OpenID Connect Back-Channel Logout)
    #[arg(long = "backchannel-logout-uri", value_name = "URI", default_value = "")]
    logout: String,
    /// What it may ever ask for, as Observation.rs; may be given several times
    #[arg(long = "scope", required = true)]
    scopes: Vec<String>,
}

/// Names a piece of software.
#[derive(clap::Args)]
pub(super) struct Named {
    #[command(flatten)]
    opening: Opening,
    /// The id that its enrolment printed
    id: String,
}

pub(super) async fn run(command: Command) -> Result<ExitCode, Trouble> {
    match command {
        Command::Add(add) => self::add(*add).await,
        Command::List(opening) => list(&opening).await,
        Command::Suspend(named) => stand_by_id(&named.opening, &named.id, false).await,
        Command::Reinstate(named) => stand_by_id(&named.opening, &named.id, true).await,
    }
}

async fn add(add: Add) -> Result<ExitCode, Trouble> {
    let Add { opening, name, organisation, profile, keys, public, redirects, logout, scopes } = add;
    let organisation = read(&organisation, "--organisation", "an organisation's id")?;
    let profile = match profile.as_str() {
        "smart" => Profile::Smart,
        "fapi2" => Profile::Fapi2,
        _ => return Err(wrong("--profile", "smart or fapi2")),
    };
    let mut texts = Vec::new();
    for file in &keys {
        texts.extend(key_texts(file)?);
    }
    if texts.is_empty() && !public {
        return Err(Trouble::Said("--key FILE names its public key; --public says that it has none".to_owned()));
    }
    let mut scopes = scopes
        .iter()
        .map(|s| read(s, "--scope", "a scope such as Observation.rs"))
        .collect::<Result<Vec<ClinicalScope>, _>>()?;
    scopes.sort();
    scopes.dedup();
    enrol(&opening, |house| {
        let id = ClientId::random(&*house.chance).map_err(Trouble::of)?;
        let keys = texts;
        Ok(Party::Client(Client { id, organisation, name, profile, keys, redirects, logout, scopes, active: true }))
    })
    .await
}

async fn list(opening: &Opening) -> Result<ExitCode, Trouble> {
    let (house, chores) = opening.house().await?;
    for party in house.enrolments.all("client").await.map_err(Trouble::of)? {
        let Ok(client) = party.client() else { continue };
        let profile = match client.profile {
            Profile::Smart => "smart",
            Profile::Fapi2 => "fapi2",
        };
        let kind = if client.is_public() { "public".to_owned() } else { format!("{} keys", client.keys.len()) };
        let state = if client.active { "" } else { "  SUSPENDED" };
        let scopes = client.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        say(format_args!("{}  {} ({profile}, {kind}, of {}){state}", client.id, client.name, client.organisation));
        say(format_args!("    may ask for {scopes}"));
        for redirect in &client.redirects {
            say(format_args!("    sends people back to {redirect}"));
        }
        if !client.logout.is_empty() {
            say(format_args!("    is told at {} that they signed out", client.logout));
        }
    }
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}
