//! Software deposits with the patient's consent.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::admit::Allowed;
use super::{Intake, Owner, Prepared, Reading, Receipt, Rejected, Taken};
use crate::asking::{Asked, about, denied, unasked};
use crate::id::{DeedId, PatientId};
use crate::ledger::entry::Basis;
use crate::ledger::{Ground, Personal, Refusal};
use crate::model::{Bearer, Interaction, RecordKey, Subject};
use crate::policy::{self, Permit};
use crate::vault::PatientKeys;

/// What became of a deposit.
#[derive(Debug)]
pub enum Deposited {
    /// All of it is stored.
    Whole(Receipt),
    /// Each entry of a batch, in order.
    Each(Vec<Result<Receipt, Rejected>>),
}

impl Deposited {
    /// The Bundle to answer with: `transaction-response` or `batch-response`, in the order of the entries (FH-55).
    #[must_use]
    pub fn to_bundle(&self) -> String {
        let word = match self {
            Self::Whole(_) => "transaction-response",
            Self::Each(_) => "batch-response",
        };
        let mut out = format!(r#"{{"resourceType":"Bundle","type":"{word}""#);
        let start = out.len();
        match self {
            Self::Whole(receipt) => {
                out.push(',');
                receipt.write(&mut out);
            }
            Self::Each(all) => {
                for one in all {
                    out.push(',');
                    match one {
                        Ok(receipt) => receipt.write(&mut out),
                        Err(rejected) => rejected.write(&mut out),
                    }
                }
            }
        }
        // An empty array is not valid FHIR: the array begins with its first entry.
        if out.len() > start {
            out.replace_range(start..=start, r#","entry":["#);
            out.push(']');
        }
        out.push('}');
        out
    }
}

impl Intake {
    /// Takes in a resource or a Bundle from `bearer`, all of it or nothing; the entries of a batch each on its own.
    ///
    /// # Errors
    /// [`Rejected::Hidden`] whether there is no such patient or no consent for all of it; a refusal is on record.
    pub async fn deposit(self: &Arc<Self>, bearer: &Bearer, bytes: Vec<u8>) -> Result<Deposited, Rejected> {
        may_create(bearer)?;
        match self.aside(move |intake| intake.read_each(bytes)).await? {
            Taken::Whole(reading) => Ok(Deposited::Whole(self.deposit_one(bearer, reading).await?)),
            Taken::Each(all) => {
                let mut done = Vec::with_capacity(all.len());
                for one in all {
                    done.push(match one {
                        Ok(reading) => self.deposit_one(bearer, reading).await,
                        Err(rejected) => Err(rejected),
                    });
                }
                Ok(Deposited::Each(done))
            }
        }
    }

    /// Takes in one resource of the type that the address names (FH-12, FH-13).
    ///
    /// # Errors
    /// As [`Intake::deposit`]; [`Rejected::WrongType`].
    pub async fn create(
        self: &Arc<Self>,
        bearer: &Bearer,
        resource_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Receipt, Rejected> {
        may_create(bearer)?;
        let reading = self.aside(move |intake| intake.read(bytes)).await?;
        if reading.kind.is_some() || reading.types().any(|t| t != resource_type) {
            return Err(Rejected::WrongType);
        }
        self.deposit_one(bearer, reading).await
    }

    async fn deposit_one(self: &Arc<Self>, bearer: &Bearer, reading: Reading) -> Result<Receipt, Rejected> {
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Rejected::unavailable)?;
        let kind = if reading.kind.is_none() { reading.types().next().map(str::to_owned) } else { None };
        // Whatever the identifiers lead to, or do not, is the same answer: it would tell who is enrolled (F17).
        let known = match self.known(&reading).await {
            Err(Rejected::SeveralPatients | Rejected::OtherPatient) => None,
            other => other?,
        };
        let Some(patient) = known else {
            let nobody = PatientId::from_bytes([0; 16]);
            let about = Personal { patient: None, ..about(bearer, nobody, "deposit", kind.as_deref()) };
            return Err(self.refuse(unasked(deed, "absent", bearer), about, None).await);
        };
        let about = about(bearer, patient, "deposit", kind.as_deref());
        let asker = self.asking.asker(bearer, patient);
        let own = RecordKey::of_patient(patient);
        let gathered = self.store.gather_read(own, &asker).await.map_err(Rejected::unavailable)?;
        let Some(keys) = self.asking.keys(gathered.patient.as_ref()).await? else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, None).await);
        };
        let asked = match self.asking.resolve(bearer, patient, &gathered, &keys).map_err(Rejected::from) {
            Ok(asked) => asked,
            Err(Rejected::Hidden) => {
                return Err(self.refuse(unasked(deed, "not-enrolled", bearer), about, Some(&keys)).await);
            }
            Err(other) => return Err(other),
        };
        let keys = Arc::new(keys);
        let has_own = reading.whose.part.is_some() && !gathered.records.is_empty();
        // Sealed as if it were not there; whether it is may be told only to one who is admitted.
        let owner = Owner { keys: Arc::clone(&keys), patient_resource: None, author: asked.professional() };
        let prepared = self.aside(move |intake| intake.prepare(reading, &owner)).await?;
        let permit = match self.decide(deed, &asked, &prepared) {
            Ok(permit) => permit,
            Err(refusal) => return Err(self.refuse(refusal, about, Some(&keys)).await),
        };
        if has_own {
            return Err(Rejected::Exists);
        }
        self.admit(deed, prepared, about, allowed(&permit, &asked), Vec::new()).await
    }

    /// The patient that a reading names; `None` when nobody has the identifiers in it.
    ///
    /// # Errors
    /// [`Rejected::SeveralPatients`], [`Rejected::OtherPatient`] when what it names does not agree with itself.
    pub(super) async fn known(&self, reading: &Reading) -> Result<Option<PatientId>, Rejected> {
        if reading.whose.part.is_none() {
            return Ok(reading.whose.named.first().copied());
        }
        let mut found = BTreeSet::new();
        for identifier in &reading.whose.identifiers {
            found.extend(self.patients.find(identifier).await.map_err(Rejected::unavailable)?);
        }
        if found.len() > 1 {
            return Err(Rejected::SeveralPatients);
        }
        // A Patient whom nobody knows cannot be one whose id is known.
        if reading.whose.named.iter().any(|named| !found.contains(named)) {
            return Err(Rejected::OtherPatient);
        }
        Ok(found.pop_first())
    }

    /// All of it, or a refusal with the reason of the first that may not be (FH-59); the sender never learns which.
    fn decide(&self, deed: DeedId, asked: &Asked, prepared: &Prepared) -> Result<Permit, Refusal> {
        let now = self.clock.now();
        let facts = prepared.facts();
        let permit = self
            .engine
            .decide(deed, &asked.question(Interaction::Create, now, facts))
            .map_err(|denial| denied(&denial))?;
        let admitted: HashSet<RecordKey> = permit.records().iter().map(|(key, _)| *key).collect();
        let Some(one) = facts.iter().find(|f| !admitted.contains(&f.key)) else { return Ok(permit) };
        let question = asked.question(Interaction::Create, now, std::slice::from_ref(one));
        let reason = self.engine.decide(deed, &question).err().map(|denial| denied(&denial));
        let doubt = Refusal { deed, reason: "policy-error", purpose: Some(permit.purpose()), policy: None };
        Err(reason.unwrap_or(doubt))
    }

    /// Puts a refusal on record and gives the one answer that tells nothing.
    async fn refuse(&self, refusal: Refusal, about: Personal, keys: Option<&PatientKeys>) -> Rejected {
        match self.asking.refuse(refusal, about, keys).await {
            Ok(()) => Rejected::Hidden,
            Err(unrecorded) => Rejected::unavailable(unrecorded),
        }
    }
}

/// What the token says by itself, before any patient is looked at.
fn may_create(bearer: &Bearer) -> Result<(), Rejected> {
    if matches!(bearer.subject, Subject::Patient(_)) {
        return Err(Rejected::Patient);
    }
    let creates = bearer.scopes.iter().any(|s| s.interactions.has(Interaction::Create));
    if creates { Ok(()) } else { Err(Rejected::OutOfScope) }
}

fn allowed(permit: &Permit, asked: &Asked) -> Allowed {
    let mut basis: Vec<Basis> =
        permit.basis().iter().map(|(consent, revision)| Basis { consent: *consent, revision: *revision }).collect();
    basis.sort_unstable();
    Allowed {
        ground: match permit.ground() {
            policy::Ground::Consent => Ground::Consent,
            policy::Ground::Oneself => Ground::Oneself,
        },
        basis,
        on: asked.footing(permit),
        purpose: Some(permit.purpose()),
        policy: Some(*permit.policy()),
    }
}
