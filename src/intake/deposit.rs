//! Software deposits with the patient's consent.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::admit::Allowed;
use super::current::Current;
use super::{Became, Intake, Owner, Prepared, Reading, Receipt, Rejected, Taken, Task};
use crate::asking::{Asked, Unasked, about, denied, unasked};
use crate::id::{DeedId, PatientId};
use crate::ledger::entry::Basis;
use crate::ledger::{Personal, Refusal};
use crate::model::{Bearer, ClinicalScope, Interaction, RecordFacts, RecordKey, Subject};
use crate::policy::Permit;
use crate::vault::PatientKeys;

/// What became of a deposit.
#[derive(Debug)]
pub enum Deposited {
    /// All of it is stored.
    Whole(Receipt),
    /// The entries of a batch, in order: each is a task of its own and none is done yet (FH-58).
    Each(Vec<Result<Task, Rejected>>),
}

impl Intake {
    /// Takes in a resource or a Bundle from `bearer`, all of it or nothing; of a batch it gives the tasks.
    ///
    /// # Errors
    /// [`Rejected::Hidden`] whether there is no such patient or no consent for all of it; a refusal is on record.
    pub async fn deposit(self: &Arc<Self>, bearer: &Bearer, bytes: Vec<u8>) -> Result<Deposited, Rejected> {
        match self.aside(move |intake| intake.read_each(bytes)).await? {
            Taken::Whole(reading) => Ok(Deposited::Whole(self.take(bearer, reading).await?)),
            Taken::Each(tasks) => Ok(Deposited::Each(tasks)),
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
        let reading = self.judge_new(bearer, resource_type, bytes).await?;
        self.take(bearer, reading).await
    }

    /// Judges one resource of the type that the address names, and stores nothing yet.
    ///
    /// # Errors
    /// [`Rejected`] with what is wrong; nothing of it tells anything of any record.
    pub async fn judge_new(
        self: &Arc<Self>,
        bearer: &Bearer,
        resource_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Reading, Rejected> {
        may(bearer, &[Interaction::Create], None)?;
        let reading = self.aside(move |intake| intake.read(bytes)).await?;
        if reading.kind.is_some() || reading.types().any(|t| t != resource_type) {
            return Err(Rejected::WrongType);
        }
        Ok(reading)
    }

    /// The patient whose record a reading would join, when it names one who is known here; for asking further, never
    /// for telling.
    ///
    /// # Errors
    /// [`Rejected::Unavailable`].
    pub async fn would_join(&self, reading: &Reading) -> Result<Option<PatientId>, Rejected> {
        match self.known(reading).await {
            Err(Rejected::SeveralPatients | Rejected::OtherPatient) => Ok(None),
            other => other,
        }
    }

    /// Takes in what was judged.
    ///
    /// # Errors
    /// As [`Intake::deposit`]; of a single update [`Rejected::NoUpdate`], of a single deletion [`Rejected::NotFound`]
    /// in the place of [`Rejected::Hidden`], as for what is not there.
    pub async fn take(self: &Arc<Self>, bearer: &Bearer, reading: Reading) -> Result<Receipt, Rejected> {
        let route = reading.word();
        self.take_as(route, bearer, reading).await.map_err(|rejected| match route {
            "update" => rejected.no_update(),
            "delete" => rejected.not_found(),
            _ => rejected,
        })
    }

    async fn take_as(
        self: &Arc<Self>,
        route: &'static str,
        bearer: &Bearer,
        reading: Reading,
    ) -> Result<Receipt, Rejected> {
        let (interactions, resource_type) = reading.needs();
        may(bearer, interactions, resource_type)?;
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Rejected::unavailable)?;
        let kind = if reading.kind.is_none() { reading.types().next().map(str::to_owned) } else { None };
        // Whatever the identifiers lead to, or do not, is the same answer: it would tell who is enrolled (F17).
        let Some(patient) = self.would_join(&reading).await? else {
            return Err(self.asking.of_nobody(deed, bearer, route, kind.as_deref()).await.into());
        };
        let about = about(bearer, patient, route, kind.as_deref());
        let asker = self.asking.asker(bearer, patient);
        let own = RecordKey::of_patient(patient);
        let gathered = self.store.gather_read(own, &asker).await.map_err(Rejected::unavailable)?;
        let (keys, asked) = self.asking.meet((deed, &about), bearer, patient, &gathered).await?;
        let keys = Arc::new(keys);
        let has_own = reading.whose.part.is_some() && !reading.updates_the_patient() && !gathered.records.is_empty();
        let current = self.current(&reading, patient, &keys).await?;
        if let Some(facts) = reading.only_end().and_then(|key| current.deleted(key)) {
            return Err(self.deleted_before((deed, about, &keys), &asked, facts).await);
        }
        if !current.has_all(&reading) {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, Some(&keys)).await);
        }
        let (expected, identified) = (current.is_expected(&reading), self.identified(&reading, patient).await?);
        // Sealed as if it were not there; whether it is may be told only to one who is admitted.
        let owner = Owner { keys: Arc::clone(&keys), patient_resource: None, author: asked.professional() };
        let current = Arc::new(current);
        let of = Arc::clone(&current);
        let prepared = self.aside(move |intake| intake.prepare(reading, &owner, &of)).await?;
        let allowed = match self.decide(deed, &asked, &prepared, &current) {
            Ok(allowed) => allowed,
            Err(refusal) => return Err(self.refuse(refusal, about, Some(&keys)).await),
        };
        // From here on whoever asks may make the change, and may be told why it is not made (FH-67).
        let told = [
            (has_own, "exists", Rejected::Exists),
            (!expected, "version", Rejected::Stale),
            (prepared.lowered, "labels", Rejected::Lowered),
            (!identified, "identifiers", Rejected::Identifiers),
        ];
        if let Some((_, reason, rejected)) = told.into_iter().find(|(wrong, ..)| *wrong) {
            let refusal = Refusal { deed, reason, purpose: allowed.purpose, policy: allowed.policy };
            return Err(self.refuse_as(rejected, refusal, about, &keys).await);
        }
        self.admit(deed, prepared, about, allowed, Vec::new()).await
    }

    /// Deleting again what was deleted changes nothing, and is told to one who might have done it (FH-24).
    async fn deleted_before(
        &self,
        (deed, about, keys): (DeedId, Personal, &PatientKeys),
        asked: &Asked,
        facts: &RecordFacts,
    ) -> Rejected {
        let question = asked.question(Interaction::Delete, self.clock.now(), std::slice::from_ref(facts));
        let (refusal, told) = match self.engine.decide(deed, &question) {
            Ok(permit) => {
                let (purpose, policy) = (Some(permit.purpose()), Some(*permit.policy()));
                (Refusal { deed, reason: "deleted", purpose, policy }, Rejected::Deleted)
            }
            Err(denial) => (denied(&denial), Rejected::Hidden),
        };
        self.refuse_as(told, refusal, about, keys).await
    }

    /// Whether a next version of the Patient resource has only identifiers by which this patient is known: another's
    /// would lead the next deposit into the wrong record.
    async fn identified(&self, reading: &Reading, patient: PatientId) -> Result<bool, Rejected> {
        if !reading.updates_the_patient() {
            return Ok(true);
        }
        for identifier in &reading.whose.identifiers {
            if self.patients.find(identifier).await.map_err(Rejected::unavailable)? != Some(patient) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The patient that a reading names; `None` when nobody has the identifiers in it.
    ///
    /// # Errors
    /// [`Rejected::SeveralPatients`], [`Rejected::OtherPatient`] when what it names does not agree with itself.
    pub(super) async fn known(&self, reading: &Reading) -> Result<Option<PatientId>, Rejected> {
        if reading.whose.part.is_none() || reading.updates_the_patient() {
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
    ///
    /// Whoever replaces a record must be allowed to change both what it was and what it becomes.
    fn decide(&self, deed: DeedId, asked: &Asked, prepared: &Prepared, current: &Current) -> Result<Allowed, Refusal> {
        let (mut creates, mut updates, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
        for (new, entry) in prepared.facts.iter().zip(prepared.entries_written()) {
            match (entry, current.facts(new.key)) {
                (Became::Updated, Ok(old)) => updates.extend([old.clone(), new.clone()]),
                (Became::Deleted, Ok(old)) => deletes.push(old.clone()),
                // What is neither is judged as new: a record that is not there cannot be changed.
                (Became::Created | Became::Kept | Became::Updated | Became::Deleted, _) => creates.push(new.clone()),
            }
        }
        let all = [(Interaction::Create, creates), (Interaction::Update, updates), (Interaction::Delete, deletes)];
        let mut allowed: Option<Allowed> = None;
        for (interaction, facts) in all.iter().filter(|(_, facts)| !facts.is_empty()) {
            let permit = self.all_of(deed, asked, *interaction, facts)?;
            allowed = Some(allow(allowed, &permit, asked));
        }
        allowed.ok_or(Refusal { deed, reason: "no-record", purpose: None, policy: None })
    }

    fn all_of(
        &self,
        deed: DeedId,
        asked: &Asked,
        interaction: Interaction,
        facts: &[RecordFacts],
    ) -> Result<Permit, Refusal> {
        let now = self.clock.now();
        let permit =
            self.engine.decide(deed, &asked.question(interaction, now, facts)).map_err(|denial| denied(&denial))?;
        let admitted: HashSet<(RecordKey, i64)> = permit.records().iter().copied().collect();
        let Some(one) = facts.iter().find(|f| !admitted.contains(&(f.key, f.version))) else { return Ok(permit) };
        let question = asked.question(interaction, now, std::slice::from_ref(one));
        let reason = self.engine.decide(deed, &question).err().map(|denial| denied(&denial));
        let doubt = Refusal { deed, reason: "policy-error", purpose: Some(permit.purpose()), policy: None };
        Err(reason.unwrap_or(doubt))
    }

    /// Puts a refusal on record and gives the one answer that tells nothing.
    async fn refuse(&self, refusal: Refusal, about: Personal, keys: Option<&PatientKeys>) -> Rejected {
        self.asking.refuse(refusal, about, keys).await.into()
    }

    /// Puts a refusal on record that is told to one who might have done it.
    async fn refuse_as(&self, told: Rejected, refusal: Refusal, about: Personal, keys: &PatientKeys) -> Rejected {
        match self.asking.refuse(refusal, about, Some(keys)).await {
            Unasked::Hidden => told,
            unavailable @ Unasked::Unavailable(_) => unavailable.into(),
        }
    }
}

/// What the token says by itself, before any patient is looked at.
pub(super) fn may(bearer: &Bearer, interactions: &[Interaction], resource_type: Option<&str>) -> Result<(), Rejected> {
    if matches!(bearer.subject, Subject::Patient(_)) {
        return Err(Rejected::Patient);
    }
    let speaks = |scope: &ClinicalScope| {
        let of_type = resource_type.is_none_or(|t| scope.resource_type.as_deref().is_none_or(|s| s == t));
        of_type && interactions.iter().any(|i| scope.interactions.has(*i))
    };
    if bearer.scopes.iter().any(speaks) { Ok(()) } else { Err(Rejected::OutOfScope) }
}

/// What a permit allows, added to what others did for the same deed.
fn allow(before: Option<Allowed>, permit: &Permit, asked: &Asked) -> Allowed {
    let mut basis = Basis::of(permit);
    let mut on = asked.footing(permit);
    on.until = before.as_ref().map_or(on.until, |b| b.on.until.min(on.until));
    basis.extend(before.into_iter().flat_map(|b| b.basis));
    basis.sort_unstable();
    basis.dedup();
    Allowed {
        ground: permit.ground().into(),
        basis,
        on,
        purpose: Some(permit.purpose()),
        policy: Some(*permit.policy()),
    }
}
