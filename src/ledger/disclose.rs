//! The ledger's seam: deeds go in, places come out; a disclosure comes out as a [`Receipt`].

use std::sync::Arc;

use super::entry::{Basis, commit};
use super::mark::{self, Enrolment};
use super::personal::Personal;
use super::sequencer::{Deed, Lanes, Placed, Sequencer, Unplaced};
use super::words::{Act, Ground};
use crate::chance::{self, Chance};
use crate::clock::{Clock, Timestamp};
use crate::id::{DeedId, Mark, PatientId, ProfessionalId};
use crate::model::{Enrolled, Purpose, Sealed};
use crate::policy::{self, Permit};
use crate::store::Store;
use crate::vault::{LogSealer, PatientKeys, Place, RowMac, Unwrapper};

/// The subject of what concerns no patient, or one that does not exist: its personal parts are sealed under the
/// operator's own log key.
pub const NOBODY: PatientId = PatientId::from_bytes([0; 16]);

/// It is durably on record, for exactly the permit with the same deed.
///
/// Only the ledger makes one, after the commit; `release` spends it by value.
///
/// ```compile_fail,E0451
/// fn forge(deed: garant::id::DeedId) -> garant::ledger::Receipt {
///     garant::ledger::Receipt { deed, leaf: 0 }
/// }
/// ```
///
/// ```compile_fail,E0599
/// fn copy(receipt: garant::ledger::Receipt) -> (garant::ledger::Receipt, garant::ledger::Receipt) {
///     (receipt.clone(), receipt)
/// }
/// ```
#[derive(Debug)]
#[must_use = "a receipt is spent with its permit"]
pub struct Receipt {
    deed: DeedId,
    leaf: u64,
}

impl Receipt {
    /// The deed; its permit carries the same one.
    #[must_use]
    pub const fn deed(&self) -> DeedId {
        self.deed
    }

    /// Its place in the log.
    #[must_use]
    pub const fn leaf(&self) -> u64 {
        self.leaf
    }
}

impl From<policy::Ground> for Ground {
    fn from(ground: policy::Ground) -> Self {
        match ground {
            policy::Ground::Consent => Self::Consent,
            policy::Ground::Oneself => Self::Oneself,
        }
    }
}

impl Basis {
    /// The consent revisions that `permit` rests on, sorted as a leaf lists them.
    #[must_use]
    pub fn of(permit: &Permit) -> Vec<Self> {
        let cited = permit.basis().iter();
        let mut basis: Vec<Self> =
            cited.map(|(consent, revision)| Self { consent: *consent, revision: *revision }).collect();
        basis.sort_unstable();
        basis
    }
}

/// A refusal to be put on record.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The deed that was asked for.
    pub deed: DeedId,
    /// Why, in one stable word.
    pub reason: &'static str,
    /// What it was asked for.
    pub purpose: Option<Purpose>,
    /// Digest of the policies that said no, when they were asked.
    pub policy: Option<[u8; 32]>,
}

/// What a disclosure or an admission rests on beside its consents, all of it held against the log in its turn.
#[derive(Clone, Debug)]
pub struct Footing {
    /// When the first of the consents is over.
    pub until: Timestamp,
    /// The enrolments of patient and asker.
    pub enrolments: Vec<Enrolment>,
    /// The professional who asks: must not be shut out.
    pub asker: Option<Mark>,
}

/// The tamper-evident log. Clones share it; the sequencer ends when the last is gone.
#[derive(Clone)]
pub struct Ledger {
    lanes: Lanes,
    mac: RowMac,
    sealer: LogSealer,
    unwrapper: Unwrapper,
    chance: Arc<dyn Chance>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger")
    }
}

/// What the ledger needs.
pub struct Needs {
    /// Where leaves are kept.
    pub store: Store,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for salts.
    pub chance: Arc<dyn Chance>,
    /// The key of the chain over the leaves.
    pub mac: RowMac,
    /// Seals personal parts.
    pub sealer: LogSealer,
    /// Unwraps the operator's own log key.
    pub unwrapper: Unwrapper,
}

impl Ledger {
    /// The ledger and the sequencer that must be run for it, in a task of its own.
    #[must_use]
    pub fn new(needs: Needs) -> (Self, Sequencer) {
        let Needs { store, clock, chance, mac, sealer, unwrapper } = needs;
        let (sequencer, lanes) = Sequencer::new(store, clock, mac.clone());
        (Self { lanes, mac, sealer, unwrapper, chance }, sequencer)
    }

    /// An enrolment at a revision, as the log names it.
    #[must_use]
    pub fn enrolment(&self, what: Enrolled, revision: i64) -> Enrolment {
        mark::enrolment(&self.mac, what, revision)
    }

    /// The mark under which the log knows that a patient shut out a professional.
    #[must_use]
    pub fn shut_out(&self, patient: PatientId, professional: ProfessionalId) -> Mark {
        mark::shut_out(&self.mac, patient, professional)
    }

    /// Puts a disclosure on record in its turn; `None` when something it rests on had changed by then.
    ///
    /// # Errors
    /// [`Unrecorded`] when no durable leaf can be promised: nothing may then be released.
    pub async fn disclose(
        &self,
        permit: &Permit,
        about: Personal,
        keys: &PatientKeys,
        on: Footing,
    ) -> Result<Option<Receipt>, Unrecorded> {
        let (commitment, personal) = self.seal(permit.deed(), permit.patient(), &about, keys)?;
        let basis = Basis::of(permit);
        let deed = Deed {
            id: permit.deed(),
            act: Act::Disclose,
            ground: permit.ground().into(),
            basis,
            until: on.until,
            patient: Some(permit.patient()),
            purpose: Some(permit.purpose()),
            policy: Some(*permit.policy()),
            records: u32::try_from(permit.records().len()).unwrap_or(u32::MAX),
            reason: None,
            commitment,
            personal: Some(personal),
            change: None,
            subject: None,
            enrolments: on.enrolments,
            asker: on.asker,
            writes: Vec::new(),
        };
        Ok(match self.lanes.place(deed).await? {
            Placed::Done { leaf, .. } => Some(Receipt { deed: permit.deed(), leaf }),
            Placed::Stale => None,
        })
    }

    /// Puts a refusal on record: in the patient's history when there is such a patient, else in the operator's.
    pub async fn refuse(
        &self,
        refusal: Refusal,
        about: Personal,
        keys: Option<&PatientKeys>,
    ) -> Result<(), Unrecorded> {
        let deed = self.prepare(refusal.deed, Act::Refuse, about, keys).await?;
        let deed = Deed {
            reason: Some(refusal.reason),
            purpose: refusal.purpose,
            policy: refusal.policy,
            ground: Ground::Guarantor,
            ..deed
        };
        self.lanes.place(deed).await.map(|_| ()).map_err(Unrecorded::from)
    }

    /// A deed with its personal part sealed and nothing else said yet: no basis, no writes, no end.
    ///
    /// `keys` are the patient's; without them the deed belongs to [`NOBODY`] and is sealed under the operator's key.
    pub async fn prepare(
        &self,
        id: DeedId,
        act: Act,
        about: Personal,
        keys: Option<&PatientKeys>,
    ) -> Result<Deed, Unrecorded> {
        let patient = if keys.is_some() { about.patient.unwrap_or(NOBODY) } else { NOBODY };
        let (commitment, personal) = if let Some(keys) = keys {
            self.seal(id, patient, &about, keys)?
        } else {
            let keys = self.unwrapper.keys(NOBODY).await.map_err(|_| Unrecorded::Sealing)?;
            self.seal(id, NOBODY, &about, &keys)?
        };
        Ok(Deed {
            id,
            act,
            ground: Ground::Guarantor,
            basis: Vec::new(),
            until: Timestamp(i64::MAX),
            patient: Some(patient),
            purpose: None,
            policy: None,
            records: 0,
            reason: None,
            commitment,
            personal: Some(personal),
            change: None,
            subject: None,
            enrolments: Vec::new(),
            asker: None,
            writes: Vec::new(),
        })
    }

    /// Takes the deed's turn.
    pub async fn record(&self, deed: Deed) -> Result<Placed, Unrecorded> {
        self.lanes.place(deed).await.map_err(Unrecorded::from)
    }

    /// How many turns the log has taken since the house was opened; with the leaves it tells how large groups are.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.lanes.turns()
    }

    fn seal(
        &self,
        deed: DeedId,
        patient: PatientId,
        about: &Personal,
        keys: &PatientKeys,
    ) -> Result<([u8; 32], Sealed), Unrecorded> {
        let salt = chance::bytes::<32>(&*self.chance).map_err(|_| Unrecorded::Sealing)?;
        let bytes = about.to_bytes().map_err(|_| Unrecorded::Sealing)?;
        let commitment = commit(&salt, &bytes);
        let salted = [salt.as_slice(), &bytes].concat();
        let sealed =
            self.sealer.seal(keys, &Place::personal(patient, deed), &salted).map_err(|_| Unrecorded::Sealing)?;
        Ok((commitment, sealed))
    }
}

/// No durable leaf can be promised.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// The personal part could not be written or sealed.
    #[error("the entry could not be sealed")]
    Sealing,
    /// It found no place.
    #[error(transparent)]
    Unplaced(#[from] Unplaced),
}
