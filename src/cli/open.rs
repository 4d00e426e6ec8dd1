//! What every command needs first: a data folder and its passphrase.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::{Cannot, Chores, House, Means, serve::Deaf};
use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::config::{self, Config, ConfigError};

/// Where the data folder is and how its root is opened.
#[derive(Clone, Debug, clap::Args)]
pub struct Opening {
    /// The data folder
    #[arg(long, env = "GARANT_DATA", value_name = "FOLDER")]
    pub data: PathBuf,
    /// A file that holds the root passphrase (or the HSM's PIN); else GARANT_PASSPHRASE is read
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The house does not open.
    #[error(transparent)]
    Cannot(#[from] Cannot),
    /// The port.
    #[error(transparent)]
    Deaf(#[from] Deaf),
    /// A file or the like.
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
    /// Anything that says for itself what is wrong.
    #[error("{0}")]
    Said(String),
}

impl Trouble {
    /// Trouble in the words of an error below.
    pub fn of(error: impl std::fmt::Display) -> Self {
        Self::Said(error.to_string())
    }
}

impl Opening {
    /// The means to open the house, with the machine's clock and chance.
    pub fn means(&self, config: Config) -> Result<Means, Trouble> {
        Ok(Means {
            folder: self.data.clone(),
            config,
            passphrase: config::passphrase(self.passphrase_file.as_deref())?,
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance::new()),
        })
    }

    /// Opens the house in the data folder though the anchor of its log is lost.
    pub async fn house_with_new_anchor(&self) -> Result<(Arc<House>, Chores), Trouble> {
        let config = Config::load(&self.data)?;
        Ok(House::open_with_new_anchor(self.means(config)?).await?)
    }

    /// Opens the house in the data folder.
    pub async fn house(&self) -> Result<(Arc<House>, Chores), Trouble> {
        let config = Config::load(&self.data)?;
        Ok(House::open(self.means(config)?).await?)
    }
}
