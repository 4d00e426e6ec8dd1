//! `garant init`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::open::{Opening, Trouble};
use super::say;
use crate::app::found;
use crate::config::{Config, RootConfig, SignInConfig};

/// Makes a new data folder.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    opening: Opening,
    /// The FHIR base URL as clients will see it, for example https://dossier.example/fhir
    #[arg(long, value_name = "URL")]
    base_url: String,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8750", value_name = "ADDRESS")]
    listen: std::net::SocketAddr,
    /// PostgreSQL URL of the store (default: store.sqlite in the data folder)
    #[arg(long, value_name = "URL", requires = "keystore")]
    store: Option<String>,
    /// PostgreSQL URL of the keystore, another database than the store's (default: keys.sqlite)
    #[arg(long, value_name = "URL")]
    keystore: Option<String>,
    /// Development mode: passphrase-file root and plain http allowed, development identity provider served
    #[arg(long)]
    development: bool,
    /// Accept a passphrase-file root in production (an HSM is what production should have)
    #[arg(long)]
    file_root_in_production: bool,
    /// PKCS#11 module to keep the root key in
    #[arg(long, value_name = "FILE", requires = "hsm_token")]
    hsm_module: Option<PathBuf>,
    /// Label of the PKCS#11 token
    #[arg(long, value_name = "LABEL")]
    hsm_token: Option<String>,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Trouble> {
    let root = match (args.hsm_module, args.hsm_token) {
        (Some(module), Some(token)) => RootConfig::Pkcs11 { module, token, key: "garant-root".to_owned() },
        _ => RootConfig::File { in_production: args.file_root_in_production },
    };
    let config = Config {
        base_url: args.base_url,
        listen: args.listen,
        development: args.development,
        store: args.store,
        keystore: args.keystore,
        root,
        readers: 4,
        checkpoint_secs: 1,
        doors: crate::config::Doors::default(),
        origins: Vec::new(),
        sign_in: SignInConfig::default(),
    };
    let folder = args.opening.data.clone();
    let failed = |e| Trouble::Io(format!("the folder {}", folder.display()), e);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    // Nobody else on this machine has any business here, ciphertext or not.
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(failed)?;
    let founded = found(args.opening.means(config)?).await?;
    say(format_args!("A new house stands in {}.", folder.display()));
    say("Give this key to whoever is to verify the log:");
    say(format_args!("  {}", founded.log_key.to_vkey()));
    say(format_args!("Next: garant serve --data {}", folder.display()));
    drop(founded.house);
    founded.chores.end().await;
    Ok(ExitCode::SUCCESS)
}
