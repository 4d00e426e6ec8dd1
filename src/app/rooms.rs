//! Handing each room its capabilities, and no more.

use std::path::PathBuf;
use std::sync::Arc;

use super::demo::provider;
use super::house::{Cannot, Means};
use crate::asking::Asking;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{self, Config, ProviderConfig};
use crate::consent::{Checker, Consents};
use crate::directory::{Enrolments, Register};
use crate::identity::{
    Authenticator, Authorizer, Bid, ClaimNames, Farewells, Grants, Issuer, Logins, Patients, Picker, Possession,
    Sessions, Vouchers, Way,
};
use crate::intake::Intake;
use crate::ledger::note::{KeyKind, Verifier};
use crate::ledger::{Ledger, Needs, Publisher, Sequencer};
use crate::masking::Masking;
use crate::openid::{Provider, Settings, Unproved};
use crate::policy::Engine;
use crate::projection::Projection;
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

    pub(super) fn projection(&self, consents: &Arc<Consents>) -> Projection {
        Projection {
            store: self.store.clone(),
            engine: Arc::clone(&self.engine),
            ledger: self.ledger.clone(),
            reader: self.keyring.reader(),
            log: self.keyring.log_reader(),
            indexer: self.keyring.indexer(),
            asking: self.asking(),
            consents: Arc::clone(consents),
            register: Arc::clone(&self.register),
            base_url: self.config.base_url.clone(),
            issuer: self.config.issuer().to_owned(),
            log_origin: self.config.log_origin(),
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
            reader: self.keyring.reader(),
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
            development: self.config.development,
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

    pub(super) fn masking(&self) -> Masking {
        Masking {
            store: self.store.clone(),
            engine: Arc::clone(&self.engine),
            ledger: self.ledger.clone(),
            reader: self.keyring.reader(),
            sealer: self.keyring.sealer(),
            asking: self.asking(),
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

    pub(super) fn sessions(&self, farewells: Bid) -> Sessions {
        Sessions {
            farewells,
            store: self.store.clone(),
            register: Arc::clone(&self.register),
            mac: self.keyring.row_mac(),
            indexer: self.keyring.indexer(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn logins(&self, patients: &Arc<Patients>, sessions: &Arc<Sessions>) -> Result<Logins, Cannot> {
        let sign_in = &self.config.sign_in;
        Ok(Logins {
            patients_way: self.way("patients", sign_in.patients.as_ref())?,
            professionals_way: self.way("professionals", sign_in.professionals.as_ref())?,
            patients: Arc::clone(patients),
            sessions: Arc::clone(sessions),
            store: self.store.clone(),
            register: Arc::clone(&self.register),
            signer: self.keyring.sign_in_signer(),
            base_url: self.config.issuer().to_owned(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        })
    }

    /// Where people sign in: as configured, else, in development only, at the built-in provider.
    fn way(&self, who: &str, configured: Option<&ProviderConfig>) -> Result<Option<Way>, Cannot> {
        let built_in = || ProviderConfig {
            acr: vec![provider::ACR.to_owned()],
            ..ProviderConfig::new(
                format!("{}{}", self.config.issuer(), provider::path(who)),
                provider::CLIENT.to_owned(),
            )
        };
        let Some(config) = configured.cloned().or_else(|| self.config.development.then(built_in)) else {
            return Ok(None);
        };
        let secret = config.secret_file.as_ref().map(|file| config::secret(&self.folder.join(file))).transpose()?;
        let settings = Settings {
            issuer: config.issuer,
            client_id: config.client_id,
            scopes: config.scopes,
            acr: config.acr,
            origins: config.origins,
        };
        let claims =
            ClaimNames { national_id: config.national_id, role: config.role, organisation: config.organisation };
        let provider = Provider::new(settings, Arc::clone(&self.clock))
            .map_err(|error: Unproved| Cannot::Mismatch(format!("sign_in.{who}: {error}")))?;
        Ok(Some(Way { provider, secret, claims }))
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
            signer: self.keyring.access_keys(),
            identity: self.keyring.identity_keys(),
            register: Arc::clone(&self.register),
            possession: Arc::clone(possession),
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn farewells(&self, issuer: &Arc<Issuer>) -> Farewells {
        Farewells { issuer: Arc::clone(issuer), development: self.config.development }
    }

    pub(super) fn grants(&self) -> Grants {
        Grants {
            store: self.store.clone(),
            register: Arc::clone(&self.register),
            mac: self.keyring.row_mac(),
            indexer: self.keyring.indexer(),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
        }
    }

    pub(super) fn authorizer(
        &self,
        issuer: &Arc<Issuer>,
        sessions: &Arc<Sessions>,
        grants: &Arc<Grants>,
        patients: &Arc<Patients>,
        logins: &Logins,
    ) -> Authorizer {
        Authorizer {
            issuer: Arc::clone(issuer),
            sessions: Arc::clone(sessions),
            vouchers: Vouchers {
                store: self.store.clone(),
                sealer: self.keyring.sealer(),
                reader: self.keyring.reader(),
                unwrapper: self.keyring.unwrapper(),
                clock: Arc::clone(&self.clock),
                chance: Arc::clone(&self.chance),
            },
            grants: Arc::clone(grants),
            picker: Picker {
                issuer: Arc::clone(issuer),
                patients: Arc::clone(patients),
                indexer: self.keyring.indexer(),
                unwrapper: self.keyring.unwrapper(),
                checker: Arc::clone(&self.checker),
                ledger: self.ledger.clone(),
            },
            par_url: format!("{}/oauth/par", self.config.issuer()),
            acr: logins.acr(),
        }
    }

    pub(super) fn authenticator(&self, possession: &Arc<Possession>, grants: &Arc<Grants>) -> Authenticator {
        Authenticator {
            issuer: self.config.issuer().to_owned(),
            audience: self.config.base_url.clone(),
            keys: self.keyring.access_keys(),
            grants: Arc::clone(grants),
            known: Recall::with_capacity(10_000),
            possession: Arc::clone(possession),
            clock: Arc::clone(&self.clock),
        }
    }
}

/// The public half of a signing key, under its key id.
fn named(signer: &TokenSigner) -> Result<(String, PublicKey), Cannot> {
    Ok((signer.kid().to_owned(), PublicKey::from_bytes(signer.public()).map_err(|_| Cannot::Key)?))
}
