//! The composition root.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::rooms::Rooms;
use super::telling::{self, Telling};
use crate::chance::Chance;
use crate::clock::{Clock, Stopwatch};
use crate::config::{Config, ConfigError, RootConfig};
use crate::consent::{Checker, Consents};
use crate::db::{Db, DbError, Holds, Location, Settings};
use crate::directory::{EnrolError, Enrolments, Register};
use crate::id::DeedId;
use crate::identity::{Authenticator, Authorizer, Grants, Issuer, Logins, Patients, Possession, Sessions};
use crate::intake::Intake;
use crate::ledger::{Act, Ledger, NOBODY, Personal, Publisher, Unrecorded, Unsound};
use crate::masking::Masking;
use crate::policy::{Engine, PolicyError};
use crate::projection::Projection;
use crate::release::Door;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::registry::Deployment;
use crate::vault::{self, FileRoot, HsmRoot, HsmSettings, Keyring, Root, Setup, VaultError};

/// How often the keys of tokens are read anew: three times before a fresh one signs.
const RELOAD: Duration = Duration::from_secs(20);

/// What a house is opened with.
pub struct Means {
    /// The data folder.
    pub folder: PathBuf,
    /// Its settings.
    pub config: Config,
    /// The root's passphrase or PIN.
    pub passphrase: Secret<String>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
}

/// Why the house does not open.
#[derive(Debug, thiserror::Error)]
pub enum Cannot {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The keystore or its root.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The log does not agree with itself, its checkpoints or the clock.
    #[error("the log is not sound: {0}")]
    Unsound(#[from] Unsound),
    /// The policies.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A first deed could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// A first enrolment failed.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The store says it is another deployment than the settings do.
    #[error("{0}")]
    Mismatch(String),
    /// A key of the deployment is not readable.
    #[error("a key of the deployment is not readable")]
    Key,
}

/// An open house: every room with its capabilities.
pub struct House {
    /// Its settings.
    pub config: Config,
    /// The data folder.
    pub folder: PathBuf,
    /// Ciphertext, consents and the log.
    pub store: Store,
    /// The log.
    pub ledger: Ledger,
    /// Its checkpoints.
    pub publisher: Arc<Publisher>,
    /// Decides.
    pub engine: Arc<Engine>,
    /// The one door out.
    pub door: Arc<Door>,
    /// Consents, events and origins, as FHIR.
    pub projection: Arc<Projection>,
    /// The one door in.
    pub intake: Arc<Intake>,
    /// Believes consents.
    pub checker: Arc<Checker>,
    /// Believes enrolments.
    pub register: Arc<Register>,
    /// Enrols parties.
    pub enrolments: Arc<Enrolments>,
    /// Enrols patients.
    pub patients: Arc<Patients>,
    /// The deeds of patients over their consents.
    pub consents: Arc<Consents>,
    /// The deeds over visibility codes.
    pub masking: Arc<Masking>,
    /// Who is signed in.
    pub sessions: Arc<Sessions>,
    /// What people allowed software.
    pub grants: Arc<Grants>,
    /// Takes up and answers authorization requests.
    pub authorizer: Arc<Authorizer>,
    /// Signs people in and out.
    pub logins: Arc<Logins>,
    /// Makes access tokens.
    pub issuer: Arc<Issuer>,
    /// Takes proofs of possession.
    pub possession: Arc<Possession>,
    /// Checks access tokens.
    pub authenticator: Arc<Authenticator>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// All keys; rooms get capabilities only.
    pub keyring: Keyring,
    sound: Arc<AtomicBool>,
}

/// The tasks that run beside the requests. Dropping this ends them, the sequencer last and after its turn.
pub struct Chores {
    publishing: JoinHandle<()>,
    sequencing: JoinHandle<()>,
    telling: Telling,
}

impl Chores {
    /// Ends publishing, waits a little for software to be told of sessions that ended, and waits for the sequencer,
    /// which ends when every [`Ledger`] is gone.
    pub async fn end(mut self) {
        self.publishing.abort();
        self.telling.end().await;
        drop((&mut self.sequencing).await);
    }
}

impl Drop for Chores {
    fn drop(&mut self) {
        self.publishing.abort();
    }
}

impl House {
    /// Opens the house: databases, keys, policies, log; refuses whatever is unsafe or does not agree.
    ///
    /// # Errors
    /// [`Cannot`] with what is wrong and, where there is one, the remedy.
    pub async fn open(means: Means) -> Result<(Arc<Self>, Chores), Cannot> {
        Self::open_as(means, true).await
    }

    /// As [`House::open`], when the anchor of the log is lost: the log as it is now becomes the anchored one.
    ///
    /// # Errors
    /// [`Cannot`].
    pub async fn open_with_new_anchor(means: Means) -> Result<(Arc<Self>, Chores), Cannot> {
        Self::open_as(means, false).await
    }

    async fn open_as(means: Means, anchored: bool) -> Result<(Arc<Self>, Chores), Cannot> {
        let store = Store::open(&store_settings(&means, false)).await?;
        let deployment = store
            .deployment()
            .await?
            .ok_or_else(|| Cannot::Mismatch("the store was never founded: `garant init` does that".to_owned()))?;
        if deployment.base_url != means.config.base_url {
            return Err(Cannot::Mismatch(format!(
                "the store was founded for {}, but base_url says {}",
                deployment.base_url, means.config.base_url
            )));
        }
        let setup = keystore(&means, &deployment, false).await?;
        let keyring = Keyring::open(setup).await?;
        let (house, chores) = Self::assemble(means, store, keyring)?;
        let publisher = &house.publisher;
        let head = if anchored { publisher.check().await? } else { publisher.check_unanchored().await? };
        if head.size == 0 {
            // Founding was cut off before the first leaf.
            house.write_genesis().await?;
        }
        house.publisher.publish().await?;
        Ok((house, chores))
    }

    /// Founds a new house: databases, keys and the first leaf of the log, which is what completes it. A founding that
    /// was cut off is taken up where it ended: whatever exists is opened, never replaced.
    ///
    /// # Errors
    /// [`Cannot`]; a house that stands already is left as it is.
    pub(super) async fn found(means: Means) -> Result<(Arc<Self>, Chores), Cannot> {
        means.config.save_new(&means.folder)?;
        let store = Store::open(&store_settings(&means, true)).await?;
        if store.head().await?.is_some_and(|head| head.size > 0) {
            return Err(Cannot::Mismatch("this store was founded before; nothing was changed".to_owned()));
        }
        // Named first: every key that is made is bound to the name.
        let deployment = match store.deployment().await? {
            Some(named) if named.base_url == means.config.base_url => named,
            Some(named) => {
                let reason = format!("this store was named for {}; nothing was changed", named.base_url);
                return Err(Cannot::Mismatch(reason));
            }
            None => {
                let id = DeedId::random(&*means.chance).map_err(|_| Cannot::Key)?;
                let new = Deployment { id: *id.as_bytes(), base_url: means.config.base_url.clone() };
                store.found(&new, means.clock.now()).await?;
                new
            }
        };
        let setup = keystore(&means, &deployment, true).await?;
        let keyring = match Keyring::init(setup.clone()).await {
            Err(VaultError::Keystore(DbError::Taken)) => Keyring::open(setup).await?,
            made => made?,
        };
        match keyring.enroller().enrol(NOBODY).await {
            Ok(()) | Err(VaultError::Keystore(DbError::Taken)) => {}
            Err(other) => return Err(other.into()),
        }
        store.begin_log().await?;
        let (house, chores) = Self::assemble(means, store, keyring)?;
        house.write_genesis().await?;
        house.publisher.publish().await?;
        Ok((house, chores))
    }

    /// Writes the first leaf.
    async fn write_genesis(&self) -> Result<(), Cannot> {
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(|_| Cannot::Key)?;
        let about = Personal { route: "init".to_owned(), ..Personal::default() };
        let genesis = self.ledger.prepare(deed, Act::Genesis, about, None).await?;
        self.ledger.record(genesis).await?;
        Ok(())
    }

    fn assemble(means: Means, store: Store, keyring: Keyring) -> Result<(Arc<Self>, Chores), Cannot> {
        let (rooms, sequencer) = Rooms::new(means, store, keyring)?;
        let patients = Arc::new(rooms.patients());
        let consents = Arc::new(rooms.consents());
        let possession = Arc::new(rooms.possession());
        let (bid, waiting) = telling::queue();
        let (issuer, sessions, grants) =
            (Arc::new(rooms.issuer(&possession)), Arc::new(rooms.sessions(bid)), Arc::new(rooms.grants()));
        let logins = Arc::new(rooms.logins(&patients, &sessions)?);
        let telling = Telling::begin(waiting, rooms.farewells(&issuer));
        let house = Self {
            publisher: Arc::new(rooms.publisher()?),
            door: Arc::new(rooms.door()),
            intake: Arc::new(rooms.intake(&patients)),
            enrolments: Arc::new(rooms.enrolments()),
            projection: Arc::new(rooms.projection(&consents)),
            consents,
            masking: Arc::new(rooms.masking()),
            authorizer: Arc::new(rooms.authorizer(&issuer, &sessions, &grants, &patients, &logins)),
            authenticator: Arc::new(rooms.authenticator(&possession, &grants)),
            logins,
            issuer,
            sessions,
            grants,
            sound: Arc::new(AtomicBool::new(true)),
            patients,
            possession,
            folder: rooms.folder,
            config: rooms.config,
            store: rooms.store,
            ledger: rooms.ledger,
            engine: rooms.engine,
            checker: rooms.checker,
            register: rooms.register,
            clock: rooms.clock,
            chance: rooms.chance,
            keyring: rooms.keyring,
        };
        let chores = house.begin_chores(sequencer, telling);
        Ok((Arc::new(house), chores))
    }

    #[expect(clippy::disallowed_methods, reason = "this room is the one that starts tasks and looks after their end")]
    fn begin_chores(&self, sequencer: crate::ledger::Sequencer, telling: Telling) -> Chores {
        let sequencing = tokio::spawn(sequencer.run());
        let (publisher, sound) = (Arc::clone(&self.publisher), Arc::clone(&self.sound));
        let keyring = self.keyring.clone();
        let every = Duration::from_secs(self.config.checkpoint_secs.max(1));
        let publishing = tokio::spawn(async move {
            let mut since = Stopwatch::start();
            loop {
                tokio::time::sleep(every).await;
                // Another process may have rotated them; a key is published well before it signs.
                if since.elapsed() >= RELOAD {
                    since = Stopwatch::start();
                    if let Err(error) = keyring.reload_tokens().await {
                        tracing::warn!(%error, "the keys of tokens were not read this time");
                    }
                }
                match publisher.publish().await {
                    Ok(_) => {}
                    Err(Unsound::Db(error)) => tracing::warn!(%error, "no checkpoint this time"),
                    // A full disk says nothing about the leaves; the older anchor stands until the next time.
                    Err(error @ Unsound::Anchor(..)) => tracing::error!(%error, "the checkpoint was not anchored"),
                    Err(error) => {
                        // The leaves are not those that were written: nothing more is released until somebody looked.
                        tracing::error!(%error, "the log is not sound; releasing has stopped");
                        sound.store(false, Ordering::SeqCst);
                    }
                }
            }
        });
        Chores { publishing, sequencing, telling }
    }

    /// Whether the log agreed with itself when it was last looked at; nothing is released otherwise.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.sound.load(Ordering::SeqCst)
    }
}

fn store_settings(means: &Means, create: bool) -> Settings {
    settings(&means.folder, means.config.store.as_ref(), "store.sqlite", Holds::Data, (create, means.config.readers))
}

fn settings(folder: &Path, url: Option<&String>, file: &str, holds: Holds, (create, readers): (bool, u32)) -> Settings {
    let location = url.map_or_else(|| Location::File(folder.join(file)), |url| Location::Url(url.clone()));
    Settings { location, holds, create, readers }
}

async fn keystore(means: &Means, deployment: &Deployment, create: bool) -> Result<Setup, Cannot> {
    let settings = settings(&means.folder, means.config.keystore.as_ref(), "keys.sqlite", Holds::Keys, (create, 2));
    let db = Db::open(&settings, vault::MIGRATIONS).await?;
    Ok(Setup {
        db,
        root: root(means, create)?,
        clock: Arc::clone(&means.clock),
        chance: Arc::clone(&means.chance),
        deployment: DeedId::from_bytes(deployment.id).to_string(),
        cached_patients: 10_000,
        cached_seconds: 30,
    })
}

fn root(means: &Means, create: bool) -> Result<Arc<dyn Root>, Cannot> {
    let chance = Arc::clone(&means.chance);
    Ok(match &means.config.root {
        RootConfig::File { .. } => {
            let path = means.folder.join("root.json");
            let file = if create && !path.exists() {
                FileRoot::create(&path, &means.passphrase, chance)?
            } else {
                FileRoot::open(&path, &means.passphrase, chance)?
            };
            Arc::new(file)
        }
        RootConfig::Pkcs11 { module, token, key } => Arc::new(HsmRoot::open(HsmSettings {
            module: module.clone(),
            token: token.clone(),
            key: key.clone(),
            pin: Secret::new(means.passphrase.expose().clone()),
            create,
        })?),
    })
}
