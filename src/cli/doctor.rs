//! `garant doctor`: looks at a data folder and says what is well, what is not, and what to do.

use std::process::ExitCode;

use super::open::{Opening, Trouble};
use super::say;
use crate::config::{Config, RootConfig};

/// Looks at settings, databases, keys, policies and log.
pub(super) async fn run(opening: &Opening) -> Result<ExitCode, Trouble> {
    let config = Config::load(&opening.data)?;
    say(format_args!("settings   well: {} for {}", opening.data.display(), config.base_url));
    match (&config.root, config.development) {
        (RootConfig::Pkcs11 { token, .. }, _) => say(format_args!("root key   well: in the PKCS#11 token «{token}»")),
        (RootConfig::File { .. }, true) => say("root key   a passphrase file: for development only"),
        (RootConfig::File { .. }, false) => {
            say("root key   DOUBTFUL: a passphrase file in production, accepted by in_production = true;");
            say("           whoever has the folder and the passphrase has everything: an HSM is better");
        }
    }
    if config.development {
        say("mode       DEVELOPMENT: the identity provider believes anyone; never with real data");
    }
    let (house, chores) = opening.house().await?;
    say(format_args!("databases  well: {}, durable commits, tables up to date", house.store.engine()));
    say(format_args!("keys       well: {} epoch(s) in force", house.keyring.epochs().len()));
    let (version, date) = house.engine.matrix_edition();
    say(format_args!("policies   well: digest {}, matrix {version} of {date}", house.engine.digest_hex()));
    let head = house.publisher.check().await.map_err(Trouble::of)?;
    say(format_args!("log        well: {} entries, the last at {}", head.size, head.time));
    say(format_args!("log key    {}", house.publisher.verifier.to_vkey()));
    drop(house);
    chores.end().await;
    Ok(ExitCode::SUCCESS)
}
