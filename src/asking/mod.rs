//! From a bearer and what was gathered to a question that `policy` can answer.
//!
//! Lives here: who asks, resolved against the register ([`Asking`]), and the consents that hold, proved by their
//! signatures ([`Asked`]); the refusal that tells nothing.
//! May touch: `policy`'s words, `vault` (tags, keys), `store`'s rows, `ledger`, the proof of consents (`consent`) and
//! of enrolments (`directory`).
//! Must never: decide, open a record, or believe a row that no signature proves.
//!
//! `release` and `intake` ask through it, so that what counts as proof is the same on the way out and on the way in.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::consent::{Checker, Unproved};
use crate::directory::{NotEnrolled, Register};
use crate::id::{DeedId, Mark, PatientId, ProfessionalId};
use crate::ledger::personal::Records;
use crate::ledger::{Enrolment, Footing, Ledger, NOBODY, Personal, Refusal};
use crate::model::{Actor, Bearer, Enrolled, Interaction, Op, RecordFacts, Software, Subject};
use crate::policy::{self, Denial, Exclusion, Permit, Provision, Question, Standing};
use crate::store::gather::{Asker, Gathered};
use crate::store::rows::{ConsentRow, PatientRow};
use crate::vault::{Indexer, PatientKeys, Unwrapper, VaultError};

/// What it takes to find out who asks and on what consents.
#[derive(Clone)]
pub struct Asking {
    /// Makes the keyed tags under which consents are found.
    pub indexer: Indexer,
    /// Unwraps a patient's keys, once per request.
    pub unwrapper: Unwrapper,
    /// Believes consents.
    pub checker: Arc<Checker>,
    /// Believes enrolments.
    pub register: Arc<Register>,
    /// Records refusals.
    pub ledger: Ledger,
}

/// Why there is no question to be asked.
#[derive(Debug, thiserror::Error)]
pub enum Unasked {
    /// Nobody who may ask this; whoever asked is told nothing of it. A refusal is on record.
    #[error("not found")]
    Hidden,
    /// Something below failed, or does not prove what it says.
    #[error("it cannot be told now who asks, or on what consents")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Unasked {
    fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// Who asks, resolved against the register, and the consents that hold.
pub struct Asked {
    /// Who asks.
    pub actor: Actor,
    standing: Standing,
    provisions: Vec<Provision>,
    exclusions: Vec<Exclusion>,
    enrolments: Vec<Enrolment>,
    mark: Option<Mark>,
}

impl Asked {
    /// The question whether they may do this with these records now.
    #[must_use]
    pub fn question<'a>(
        &'a self,
        interaction: Interaction,
        now: Timestamp,
        records: &'a [RecordFacts],
    ) -> Question<'a> {
        Question {
            actor: &self.actor,
            standing: self.standing,
            interaction,
            now,
            records,
            provisions: &self.provisions,
            exclusions: &self.exclusions,
        }
    }

    /// Whether those who ask are in good standing.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// The professional who asks, when one is named.
    #[must_use]
    pub fn professional(&self) -> Option<ProfessionalId> {
        let Actor::Software(software) = &self.actor else { return None };
        software.professional.as_ref().map(|(id, _)| *id)
    }

    /// What the permit rests on beside its consents, and when the first of these is over.
    #[must_use]
    pub fn footing(&self, permit: &Permit) -> Footing {
        let cited = |p: &&Provision| permit.basis().contains(&(p.consent, p.revision));
        let until = self.provisions.iter().filter(cited).map(|p| p.terms.valid.to).min();
        let until = until.unwrap_or(Timestamp(i64::MAX));
        Footing { until, enrolments: self.enrolments.clone(), asker: self.mark }
    }
}

impl Asking {
    /// The tags and ids under which the bearer's consents and enrolments are found.
    #[must_use]
    pub fn asker(&self, bearer: &Bearer, patient: PatientId) -> Asker {
        let mut asker = Asker::default();
        for (place, grantee) in asker.grantees.iter_mut().zip(bearer.grantees()) {
            *place = self.indexer.grantee(patient, &grantee);
        }
        if let Subject::Client { client, organisation, professional } = &bearer.subject {
            let ids = [
                Some(*client.as_bytes()),
                Some(*organisation.as_bytes()),
                professional.as_ref().map(|(id, _)| *id.as_bytes()),
            ];
            for (place, id) in asker.parties.iter_mut().zip(ids) {
                *place = id.unwrap_or_default();
            }
        }
        asker
    }

    /// The keys of a patient who is enrolled and not erased; `None` otherwise.
    ///
    /// # Errors
    /// [`Unasked::Unavailable`] when the row was altered or the keystore fails.
    pub async fn keys(&self, row: Option<&PatientRow>) -> Result<Option<PatientKeys>, Unasked> {
        let Some(row) = row else { return Ok(None) };
        if !self.checker.patient_row_holds(row) {
            tracing::error!("a patient's row was altered");
            return Err(Unasked::unavailable(Unproved("patient row altered")));
        }
        if row.state != "active" {
            return Ok(None);
        }
        match self.unwrapper.keys(row.patient).await {
            Ok(keys) => Ok(Some(keys)),
            Err(VaultError::NoKey) => Ok(None),
            Err(error) => Err(Unasked::unavailable(error)),
        }
    }

    /// Finds out who asks about `patient`, and unwraps the patient's keys, from what was gathered; a refusal is on
    /// record when nobody may.
    ///
    /// # Errors
    /// [`Unasked`]; a consent that does not hold is an alarm and no access.
    pub async fn meet(
        &self,
        (deed, about): (DeedId, &Personal),
        bearer: &Bearer,
        patient: PatientId,
        gathered: &Gathered,
    ) -> Result<(PatientKeys, Asked), Unasked> {
        let Some(keys) = self.keys(gathered.patient.as_ref()).await? else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about.clone(), None).await);
        };
        match self.resolve(bearer, patient, gathered, &keys)? {
            Some(asked) => Ok((keys, asked)),
            None => Err(self.refuse(unasked(deed, "not-enrolled", bearer), about.clone(), Some(&keys)).await),
        }
    }

    /// Believes what was gathered, as far as signatures prove it; `None` for a bearer who is not what the token says.
    fn resolve(
        &self,
        bearer: &Bearer,
        patient: PatientId,
        gathered: &Gathered,
        keys: &PatientKeys,
    ) -> Result<Option<Asked>, Unasked> {
        // A token made for one patient never reaches a second, whatever the request names (DX-17).
        if bearer.only.is_some_and(|only| only != patient) {
            tracing::warn!("a bearer asks beyond the patient of its token");
            return Ok(None);
        }
        let (actor, standing) = match self.actor(bearer, gathered) {
            Ok(resolved) => resolved,
            Err(NotEnrolled(reason)) => {
                tracing::warn!(reason, "a bearer is not enrolled as its token says");
                return Ok(None);
            }
        };
        let mark = match &actor {
            Actor::Software(Software { professional: Some((id, _)), .. }) => Some(self.ledger.shut_out(patient, *id)),
            Actor::Software(_) | Actor::Patient(_) => None,
        };
        let parties = gathered.parties.iter().map(|row| (Enrolled::Party(row.party), row.revision));
        let enrolments = std::iter::once((Enrolled::Patient(patient), Enrolled::ACTIVE)).chain(parties);
        let enrolments = enrolments.map(|(what, revision)| self.ledger.enrolment(what, revision)).collect();
        let (provisions, exclusions) = (Vec::new(), Vec::new());
        let mut asked = Asked { actor, standing, provisions, exclusions, enrolments, mark };
        for row in &gathered.consents {
            self.add(&mut asked, patient, row, keys).map_err(|unproved| {
                tracing::error!(consent = %row.consent, reason = unproved.0, "a consent row does not hold");
                Unasked::unavailable(unproved)
            })?;
        }
        Ok(Some(asked))
    }

    fn add(&self, asked: &mut Asked, patient: PatientId, row: &ConsentRow, keys: &PatientKeys) -> Result<(), Unproved> {
        let statement = self.checker.check(patient, row, keys)?;
        let (consent, revision) = (row.consent, row.revision);
        match &statement.op {
            Op::Grant(terms) | Op::Narrow(terms) => {
                asked.provisions.push(Provision {
                    consent,
                    revision,
                    patient: statement.patient,
                    terms: terms.clone(),
                });
            }
            Op::Exclude(professional) => {
                asked.exclusions.push(Exclusion { consent, revision, professional: *professional });
            }
            // An ended consent is never active; a row that says so was altered.
            Op::Revoke | Op::Lift => return Err(Unproved("an ended consent shown as active")),
        }
        Ok(())
    }

    fn actor(&self, bearer: &Bearer, gathered: &Gathered) -> Result<(Actor, Standing), NotEnrolled> {
        let Subject::Client { client, organisation, professional } = &bearer.subject else {
            let Subject::Patient(patient) = bearer.subject else { return Err(NotEnrolled("subject")) };
            return Ok((Actor::Patient(patient), Standing::ACTIVE));
        };
        let software = self.register.find(&gathered.parties, client.as_bytes())?;
        let enrolled = software.client()?;
        let place = self.register.find(&gathered.parties, organisation.as_bytes())?;
        let place = place.organisation()?;
        if enrolled.organisation != *organisation {
            return Err(NotEnrolled("client of another organisation"));
        }
        let mut standing =
            Standing { client: enrolled.active, organisation: place.active, professional: professional.is_none() };
        if let Some((id, profession)) = professional {
            let person = self.register.find(&gathered.parties, id.as_bytes())?;
            let person = person.professional()?;
            standing.professional =
                person.active && person.profession == *profession && person.organisations.contains(organisation);
        }
        // The register may have narrowed the client's scopes since the token was made.
        let scopes = bearer.scopes.iter().filter(|s| enrolled.scopes.iter().any(|e| s.within(e))).cloned().collect();
        let actor = Software {
            client: *client,
            organisation: *organisation,
            kind: place.kind,
            professional: professional.clone(),
            purpose: bearer.purpose,
            scopes,
        };
        Ok((Actor::Software(actor), standing))
    }

    /// Puts a refusal on record and gives the one answer that tells nothing.
    pub async fn refuse(&self, refusal: Refusal, about: Personal, keys: Option<&PatientKeys>) -> Unasked {
        match self.ledger.refuse(refusal, about, keys).await {
            Ok(()) => Unasked::Hidden,
            Err(unrecorded) => Unasked::unavailable(unrecorded),
        }
    }

    /// Records that something was asked of nobody who is known here, as it is recorded of someone hidden (P43).
    pub async fn of_nobody(&self, deed: DeedId, bearer: &Bearer, route: &'static str, kind: Option<&str>) -> Unasked {
        let about = Personal { patient: None, ..about(bearer, NOBODY, route, kind) };
        self.refuse(unasked(deed, "absent", bearer), about, None).await
    }
}

/// The personal part of a deed of `bearer`.
#[must_use]
pub fn about(bearer: &Bearer, patient: PatientId, route: &'static str, resource_type: Option<&str>) -> Personal {
    let mut about = Personal {
        patient: Some(patient),
        route: route.to_owned(),
        // A type comes from the router's own list, so it is short and plain.
        resource_type: resource_type.map(str::to_owned),
        records: Records::default(),
        ..Personal::default()
    };
    if let Subject::Client { client, organisation, professional } = &bearer.subject {
        about.client = Some(*client);
        about.organisation = Some(*organisation);
        about.professional = professional.as_ref().map(|(id, _)| *id);
    }
    about
}

/// A refusal that the policy gave.
#[must_use]
pub fn denied(denial: &Denial) -> Refusal {
    // FR-19: the patient reads their own log, and must not learn there what was not announced yet.
    if denial.reason == policy::Reason::Unannounced {
        return Refusal { deed: denial.deed, reason: "absent", purpose: Some(denial.purpose), policy: None };
    }
    Refusal {
        deed: denial.deed,
        reason: denial.reason.code(),
        purpose: Some(denial.purpose),
        policy: Some(denial.policy),
    }
}

/// A refusal before the policy was asked.
#[must_use]
pub const fn unasked(deed: DeedId, reason: &'static str, bearer: &Bearer) -> Refusal {
    Refusal { deed, reason, purpose: Some(bearer.purpose), policy: None }
}
