//! `garant demo` and `garant token`: development mode only.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::watch;

use super::open::{Opening, Trouble};
use super::say;
use super::serve::told_to_end;
use crate::app::demo::client::Outside;
use crate::app::demo::{Cast, stage};
use crate::app::serve::{Listening, listen, router};
use crate::app::{Chores, House, found};
use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::config::{Config, FILE, RootConfig, SignInConfig};
use crate::secret::Secret;

/// The passphrase of every demonstration: it guards nothing.
const PASSPHRASE: &str = "a demonstration guards nothing";

/// Serves a demonstration: five fictitious patients and those with whom they may share.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The demonstration's own data folder; made when it does not exist
    #[arg(long, default_value = "target/demo", value_name = "FOLDER")]
    data: PathBuf,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8750", value_name = "ADDRESS")]
    listen: std::net::SocketAddr,
    #[command(flatten)]
    databases: Databases,
}

/// Where a demonstration keeps its data beside its folder.
#[derive(Clone, Default, clap::Args)]
pub(super) struct Databases {
    /// PostgreSQL URL of the store, an empty database (default: SQLite in the folder)
    #[arg(long, value_name = "URL", requires = "keystore")]
    store: Option<String>,
    /// PostgreSQL URL of the keystore, another empty database
    #[arg(long, value_name = "URL", requires = "store")]
    keystore: Option<String>,
}

/// Prints a short-lived access token for someone of the demonstration, taken from the running server.
#[derive(clap::Args)]
pub(super) struct TokenArgs {
    /// Who: a patient (mireille, karim, aminata, joaquim, leonie), a professional (dr-lefevre, as-kerbrat, …)
    /// or a piece of software (remboursements-orvane, …)
    #[arg(long = "as", value_name = "PERSONA")]
    who: String,
    /// The demonstration's data folder
    #[arg(long, default_value = "target/demo", value_name = "FOLDER")]
    data: PathBuf,
}

/// Opens the demonstration in `folder`, or founds it.
pub(super) async fn open_demo(
    folder: &std::path::Path,
    base_url: &str,
    databases: Databases,
    told: impl FnMut(&str),
) -> Result<(Arc<House>, Chores, Cast), Trouble> {
    let opening = Opening { data: folder.to_owned(), passphrase_file: None };
    if folder.join(FILE).exists() {
        let config = Config::load(folder)?;
        if !config.development {
            return Err(Trouble::Said("this folder is not a demonstration's; nothing was touched".to_owned()));
        }
        let (house, chores) = House::open(means(&opening, config)).await?;
        let cast = Cast::load(folder).map_err(Trouble::of)?;
        return Ok((house, chores, cast));
    }
    let config = Config {
        base_url: base_url.to_owned(),
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 8750)),
        development: true,
        store: databases.store,
        keystore: databases.keystore,
        root: RootConfig::File { in_production: false },
        readers: 4,
        checkpoint_secs: 1,
        doors: crate::config::Doors::default(),
        origins: Vec::new(),
        sign_in: SignInConfig::default(),
    };
    std::fs::create_dir_all(folder).map_err(|e| Trouble::Io(format!("the folder {}", folder.display()), e))?;
    let founded = found(means(&opening, config)).await?;
    let cast = stage(&founded.house, told).await.map_err(Trouble::of)?;
    Ok((founded.house, founded.chores, cast))
}

fn means(opening: &Opening, config: Config) -> crate::app::Means {
    crate::app::Means {
        folder: opening.data.clone(),
        config,
        passphrase: Secret::new(PASSPHRASE.to_owned()),
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance::new()),
    }
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Trouble> {
    let base_url = format!("http://{}/fhir", args.listen);
    let (house, chores, cast) =
        open_demo(&args.data, &base_url, args.databases, |line| say(format_args!("  {line}"))).await?;
    let listening = listen(args.listen, router(&house)).await?.sharing(&house.config.doors);
    let (end, ending) = watch::channel(false);
    let address = format!("http://{}", listening.address().map_err(|e| Trouble::Io("the address".to_owned(), e))?);
    let outside = Outside::new(address.clone(), house.config.base_url.clone(), Box::new(SystemClock));
    let serving = begin(listening, ending);
    introduce(&cast, &outside, &args.data).await?;
    told_to_end().await;
    end.send_replace(true);
    drop(serving.await);
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}

/// Serves in a task of its own.
#[expect(clippy::disallowed_methods, reason = "the server of a demonstration runs beside those who speak to it")]
pub(super) fn begin(listening: Listening, ending: watch::Receiver<bool>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(listening.serve(ending))
}

async fn introduce(cast: &Cast, outside: &Outside, folder: &std::path::Path) -> Result<(), Trouble> {
    say("");
    say(format_args!("The demonstration listens on {}.", outside.address));
    say("DEVELOPMENT MODE: the identity provider is built in and believes anyone; nobody here is real.");
    say("");
    say("Patients (token of five minutes for each):");
    for patient in &cast.patients {
        let token = outside.patient_token(patient).await.map_err(Trouble::of)?;
        say(format_args!("  {:<26} Patient/{}", patient.key, patient.id));
        say(format_args!("    {}", token.text));
    }
    say("");
    say("Those who may ask, through their software:");
    for who in &cast.professionals {
        say(format_args!("  {:<14} {:<22} {}", who.key, who.name, who.purpose));
    }
    say(format_args!("  {:<14} (insurer, no professional)", "remboursements-orvane"));
    say("");
    say("Try, in another terminal:");
    let (first, data) = (cast.patients.first(), folder.display());
    if let Some(patient) = first {
        say(format_args!("  T=$(garant token --as {} --data {data})", patient.key));
        say(format_args!("  curl -H \"Authorization: Bearer $T\" '{}/fhir/Observation?code=4548-4'", outside.address));
        say(format_args!(
            "  T=$(garant token --as dr-lefevre --data {data})   # sees nothing until a consent is given"
        ));
        say(format_args!(
            "  curl -H \"Authorization: Bearer $T\" '{}/fhir/Observation?patient={}'",
            outside.address, patient.id
        ));
    }
    say(format_args!("How to connect software: docs/integrate.md; all interfaces but FHIR: {}/docs", outside.address));
    say("The whole story, told by itself: garant tour. Ctrl-C ends the demonstration.");
    Ok(())
}

pub(super) async fn token(args: TokenArgs) -> Result<ExitCode, Trouble> {
    let config = Config::load(&args.data)?;
    if !config.development {
        return Err(Trouble::Said("tokens for personas exist in development mode only".to_owned()));
    }
    let cast = Cast::load(&args.data).map_err(Trouble::of)?;
    let address = config.issuer().to_owned();
    let outside = Outside::new(address.clone(), config.base_url.clone(), Box::new(SystemClock));
    let token = outside.token_as(&cast, &args.who).await.map_err(|error| {
        Trouble::Said(format!("no token for {} from {address}: {error} (is `garant demo` running?)", args.who))
    })?;
    say(&token.text);
    Ok(ExitCode::SUCCESS)
}
