//! Handing each room its capabilities, and no more.

use std::path::PathBuf;
use std::sync::Arc;

use super::house::{Cannot, Means};
use crate::asking::Asking;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Config;
use crate::consent::{Checker, Consents};
use crate::directory::{Enrolments, Register};
use crate::identity::{Authenticator, Issuer, Patients, Possession, Sessions};
use crate::intake::Intake;
use crate::ledger::note::{KeyKind, Verifier};
use crate::ledger::{Ledger, Needs, Publisher, Sequencer};
use crate::policy::Engine;
use crate::proof::PublicKey;
use crate::recall::Recall;
use crate::release::Door;
use crate::store::Store;
use crate::vault::{Keyring, TokenSigner};

/// What rooms are made of.
pub(super) struct Rooms {
    pub(super) config: Config,
    pub(super) folder: PathBuf,
    pub(super) store: Store,
    pub(super) keyring: Keyring,
    pub(super) ledger: Ledger,
    pub(super) engine: Arc<Engine>,
    pub(super) checker: Arc<Checker>,
    pub(super) register: Arc<Register>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<dyn Chance>,
}

impl Rooms {
    pub(super) fn new(means: Means, store: Store, keyring: Keyring) -> Result<(Self, Sequencer), Cannot> {
        let Means { folder, config, clock, chance, passphrase: _ } = means;
        let (ledger, sequencer) = Ledger::new(Needs {
            store: store.clone(),
            clock: Arc::clone(&clock),
            chance: Arc::clone(&chance),
            mac: keyring.row_mac(),
            sealer: keyring.log_sealer(),
            unwrapper: keyring.unwrapper(),
        });
        let checker = Checker {
            reader: keyring.reader(),
            mac: keyring.row_mac(),
            registry: keyring.registry_verifier(),
            guarantor: named(&keyring.consent_signer())?,
            issuer: config.issuer().to_owned(),
            audience: config.base_url.clone(),
            known: Recall::with_capacity(50_000),
        };
        let rooms = Self {
            engine: Arc::new(Engine::load()?),
            checker: Arc::new(checker),
            register: Arc::new(Register::new(keyring.registry_verifier())),
            config,
            folder,
            store,
            keyring,
            ledger,
            clock,
            chance,
        };
        Ok((rooms, sequencer))
    }

    pub(super) fn publisher(&self) -> Result<Publisher, Cannot> {
        let signer = self.keyring.log_signer();
        let origin = self.config.log_origin();
        Ok(Publisher {
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            verifier: Verifier::new(&origin, KeyKind::Ed25519, signer.public()).map_err(|_| Cannot::Key)?,
            signer,
            mac: self.keyring.row_mac(),
            anchor: self.folder.join("anchor"),
        })
    }

    fn asking(&self) -> Asking {
        Asking {
            indexer: self.keyring.indexer(),
            unwrapper: self.keyring.unwrapper(),
            checker: Arc::clone(&self.checker),
            register: Arc::clone(&self.register),
            ledger: self.ledger.clone(),
        }
    }

    pub(super) fn door(&self) -> Door {
        Door {
            store: self.store.clone(),
            engine: Arc::clone(&self.engine),
            ledger: self.ledger.clone(),
            opener: self.keyring.opener(),
            reader: self.keyring.reader(),
            indexer: self.keyring.indexer(),
            pages: self.keyring.page_sealer(),
            asking: self.asking(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn intake(&self, patients: &Arc<Patients>) -> Intake {
        Intake {
            store: self.store.clone(),
            engine: Arc::clone(&self.engine),
            ledger: self.ledger.clone(),
            sealer: self.keyring.sealer(),
            indexer: self.keyring.indexer(),
            patients: Arc::clone(patients),
            asking: self.asking(),
            base_url: self.config.base_url.clone(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn enrolments(&self) -> Enrolments {
        Enrolments {
            store: self.store.clone(),
            ledger: self.ledger.clone(),
            registry: self.keyring.registry_signer(),
            register: Arc::clone(&self.register),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn patients(&self) -> Patients {
        Patients {
            store: self.store.clone(),
            ledger: self.ledger.clone(),
            enroller: self.keyring.enroller(),
            unwrapper: self.keyring.unwrapper(),
            shredder: self.keyring.shredder(),
            indexer: self.keyring.indexer(),
            mac: self.keyring.row_mac(),
            registry: self.keyring.registry_signer(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn consents(&self) -> Consents {
        Consents {
            store: self.store.clone(),
            ledger: self.ledger.clone(),
            checker: Arc::clone(&self.checker),
            engine: Arc::clone(&self.engine),
            register: Arc::clone(&self.register),
            unwrapper: self.keyring.unwrapper(),
            sealer: self.keyring.sealer(),
            indexer: self.keyring.indexer(),
            mac: self.keyring.row_mac(),
            signer: self.keyring.consent_signer(),
            origins: self.config.origins.clone(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn sessions(&self) -> Sessions {
        Sessions {
            store: self.store.clone(),
            register: Arc::clone(&self.register),
            mac: self.keyring.row_mac(),
            indexer: self.keyring.indexer(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn possession(&self) -> Possession {
        Possession {
            store: self.store.clone(),
            mac: self.keyring.nonce_mac(),
            nonces_demanded: self.config.doors.dpop_nonces,
        }
    }

    pub(super) fn issuer(&self, possession: &Arc<Possession>) -> Issuer {
        Issuer {
            issuer: self.config.issuer().to_owned(),
            token_url: format!("{}/oauth/token", self.config.issuer()),
            audience: self.config.base_url.clone(),
            signer: self.keyring.access_signer(),
            register: Arc::clone(&self.register),
            possession: Arc::clone(possession),
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn authenticator(&self, possession: &Arc<Possession>) -> Result<Authenticator, Cannot> {
        Ok(Authenticator {
            issuer: self.config.issuer().to_owned(),
            audience: self.config.base_url.clone(),
            key: named(&self.keyring.access_signer())?,
            known: Recall::with_capacity(10_000),
            possession: Arc::clone(possession),
            clock: Arc::clone(&self.clock),
        })
    }
}

/// The public half of a signing key, under its key id.
fn named(signer: &TokenSigner) -> Result<(String, PublicKey), Cannot> {
    Ok((signer.kid().to_owned(), PublicKey::from_bytes(signer.public()).map_err(|_| Cannot::Key)?))
}
