//! The two answers.

use crate::id::{ConsentId, DeedId, PatientId};
use crate::model::{Actor, Interaction, Purpose, RecordKey};

use super::reason::Reason;

/// On what the permit rests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ground {
    /// The patient's consents, named in the basis.
    Consent,
    /// The patient asks for their own record.
    Oneself,
}

/// It was asked, and the answer was yes, for exactly these records, once.
///
/// Only [`Engine::decide`](super::Engine::decide) makes one, and `release` spends it by value. It cannot be built
/// elsewhere:
///
/// ```compile_fail,E0451
/// fn forge(deed: garant::id::DeedId, spent: garant::policy::Permit) -> garant::policy::Permit {
///     garant::policy::Permit { deed, ..spent }
/// }
/// ```
///
/// nor copied, to be spent twice:
///
/// ```compile_fail,E0382
/// fn spend(_: garant::policy::Permit) {}
/// fn twice(permit: garant::policy::Permit) {
///     spend(permit);
///     spend(permit);
/// }
/// ```
///
/// ```compile_fail,E0599
/// fn copy(permit: garant::policy::Permit) -> (garant::policy::Permit, garant::policy::Permit) {
///     (permit.clone(), permit)
/// }
/// ```
///
/// nor read from bytes, nor conjured:
///
/// ```compile_fail,E0277
/// fn thaw(text: &str) -> Option<garant::policy::Permit> {
///     serde_json::from_str(text).ok()
/// }
/// ```
///
/// ```compile_fail,E0277
/// fn conjure() -> garant::policy::Permit {
///     Default::default()
/// }
/// ```
///
/// What does compile is looking at it, and moving it on (the counterpart of the refusals above):
///
/// ```
/// fn look(permit: garant::policy::Permit) -> (usize, garant::policy::Permit) {
///     (permit.records().len(), permit)
/// }
/// ```
#[derive(Debug)]
#[must_use = "a permit is spent or refused, never dropped unseen"]
pub struct Permit {
    deed: DeedId,
    actor: Actor,
    patient: PatientId,
    interaction: Interaction,
    purpose: Purpose,
    ground: Ground,
    basis: Vec<(ConsentId, i64)>,
    records: Vec<(RecordKey, i64)>,
    // For each record its place in the basis, so that narrowing drops the consents it no longer rests on.
    // Empty when the ground is oneself.
    rests_on: Vec<usize>,
    policy: [u8; 32],
}

/// What a permit is about, known before any record is admitted.
pub(super) struct Matter {
    pub(super) deed: DeedId,
    pub(super) patient: PatientId,
    pub(super) interaction: Interaction,
    pub(super) purpose: Purpose,
    pub(super) policy: [u8; 32],
}

impl Matter {
    pub(super) fn refuse(&self, reason: Reason) -> Denial {
        Denial {
            deed: self.deed,
            reason,
            patient: Some(self.patient),
            interaction: self.interaction,
            purpose: self.purpose,
            policy: self.policy,
        }
    }
}

/// A record that was admitted, and the consent that admitted it; none when it is the asker's own.
pub(super) struct Admitted {
    pub(super) record: (RecordKey, i64),
    pub(super) under: Option<(ConsentId, i64)>,
}

impl Permit {
    /// The yes for `admitted`; nothing admitted is no permit.
    pub(super) fn grant(matter: &Matter, actor: &Actor, admitted: Vec<Admitted>) -> Result<Self, Denial> {
        if admitted.is_empty() {
            return Err(matter.refuse(Reason::NoRecord));
        }
        let mut permit = Self {
            deed: matter.deed,
            actor: actor.clone(),
            patient: matter.patient,
            interaction: matter.interaction,
            purpose: matter.purpose,
            ground: Ground::Oneself,
            basis: Vec::new(),
            records: Vec::with_capacity(admitted.len()),
            rests_on: Vec::new(),
            policy: matter.policy,
        };
        for Admitted { record, under } in admitted {
            permit.records.push(record);
            if let Some(consent) = under {
                permit.ground = Ground::Consent;
                permit.rest_on(consent);
            }
        }
        Ok(permit)
    }

    fn rest_on(&mut self, consent: (ConsentId, i64)) {
        let place = self.basis.iter().position(|c| *c == consent).unwrap_or_else(|| {
            self.basis.push(consent);
            self.basis.len() - 1
        });
        self.rests_on.push(place);
    }

    /// The same permit for those records and versions that `keep` keeps, resting only on the consents they need.
    ///
    /// # Errors
    /// A [`Denial`] when nothing is left.
    pub fn narrow_to(mut self, keep: impl Fn(&RecordKey, i64) -> bool) -> Result<Self, Denial> {
        let records = std::mem::take(&mut self.records);
        let rests_on = std::mem::take(&mut self.rests_on);
        let basis = std::mem::take(&mut self.basis);
        for (i, record) in records.into_iter().enumerate() {
            if !keep(&record.0, record.1) {
                continue;
            }
            self.records.push(record);
            if let Some(consent) = rests_on.get(i).and_then(|place| basis.get(*place)) {
                self.rest_on(*consent);
            }
        }
        if self.records.is_empty() {
            return Err(Denial {
                deed: self.deed,
                reason: Reason::NoRecord,
                patient: Some(self.patient),
                interaction: self.interaction,
                purpose: self.purpose,
                policy: self.policy,
            });
        }
        Ok(self)
    }

    /// The deed; its receipt and its leaf carry the same one.
    #[must_use]
    pub const fn deed(&self) -> DeedId {
        self.deed
    }

    /// Who may.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whose records.
    #[must_use]
    pub const fn patient(&self) -> PatientId {
        self.patient
    }

    /// What may be done.
    #[must_use]
    pub const fn interaction(&self) -> Interaction {
        self.interaction
    }

    /// What for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// On what it rests.
    #[must_use]
    pub const fn ground(&self) -> Ground {
        self.ground
    }

    /// The consents and revisions it rests on, each once; empty when the ground is oneself.
    #[must_use]
    pub fn basis(&self) -> &[(ConsentId, i64)] {
        &self.basis
    }

    /// The records and versions it admits, in the order asked; never empty.
    #[must_use]
    pub fn records(&self) -> &[(RecordKey, i64)] {
        &self.records
    }

    /// Whether it admits that record in that version.
    #[must_use]
    pub fn admits(&self, key: &RecordKey, version: i64) -> bool {
        self.records.iter().any(|(k, v)| k == key && *v == version)
    }

    /// Digest of the policies that said yes.
    #[must_use]
    pub const fn policy(&self) -> &[u8; 32] {
        &self.policy
    }
}

/// It was asked, and the answer was no.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("refused: {reason}")]
pub struct Denial {
    /// The deed; its refusal leaf carries the same one.
    pub deed: DeedId,
    /// Why; for the log, never for the one who asked.
    pub reason: Reason,
    /// Whose records, when the question named one patient.
    pub patient: Option<PatientId>,
    /// What was to be done.
    pub interaction: Interaction,
    /// What for.
    pub purpose: Purpose,
    /// Digest of the policies that said no.
    pub policy: [u8; 32],
}
