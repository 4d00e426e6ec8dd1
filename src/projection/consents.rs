//! Consents: all of theirs to the patient, to others those in force that name them (CO-10).

use super::meeting::{facts, or_empty};
use super::shown::{Told, in_order};
use super::{Page, Projection, Shown, agreement};
use crate::asking::about;
use crate::consent::{ConsentError, View};
use crate::fhir::Query;
use crate::id::{ConsentId, PatientId, RecordId};
use crate::ledger::personal::{Records, Touched};
use crate::model::{Actor, Bearer, Interaction, RecordFacts, RecordKey};
use crate::policy::Permit;
use crate::release::Withheld;

use super::meeting::Met;

const KIND: &str = "Consent";

impl Projection {
    /// Shows the consents of a patient that match `query` and that `bearer` may see.
    ///
    /// # Errors
    /// [`Withheld::Unavailable`].
    pub async fn consents(&self, bearer: &Bearer, patient: PatientId, query: &Query) -> Result<Page, Withheld> {
        or_empty(self.consents_or_refuse(bearer, patient, query).await)
    }

    async fn consents_or_refuse(&self, bearer: &Bearer, patient: PatientId, query: &Query) -> Result<Page, Withheld> {
        let mut about = about(bearer, patient, "search", Some(KIND));
        let met = self.meet(bearer, RecordKey::of_patient(patient), &about).await?;
        let views = self.views(patient, &met).await?;
        let of: Vec<RecordFacts> = views.iter().map(|view| facts_of(patient, view)).collect();
        let question = met.asked.question(Interaction::Search, self.clock.now(), &of);
        let permit = match self.engine.decide_named(met.deed, &question) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.denied(&denial, &met, about).await),
        };
        let mut matching = Vec::new();
        for view in views.iter().filter(|view| permit.admits(&key(patient, view.consent), view.revision)) {
            let told = self.tell(patient, view)?;
            if told.matches(query, key(patient, view.consent)) {
                matching.push((key(patient, view.consent), told));
            }
        }
        let permit = match permit.narrow_to(|key, _| matching.iter().any(|(matched, _)| matched == key)) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.denied(&denial, &met, about).await),
        };
        about.records = touched(&permit);
        let spent = self.spend(permit, &met, about).await?;
        let mut told: Vec<Told> = matching.into_iter().map(|(_, told)| told).collect();
        in_order(&mut told, query);
        Ok(spent.show_all(told))
    }

    /// Shows one consent; an older revision of it to its patient only (CO-11).
    ///
    /// # Errors
    /// [`Withheld::Hidden`] whether it is absent or not theirs to see; [`Withheld::Unavailable`].
    pub async fn consent(&self, bearer: &Bearer, named: RecordKey, revision: Option<i64>) -> Result<Shown, Withheld> {
        let RecordKey { patient, record } = named;
        let mut about = about(bearer, patient, "read", Some(KIND));
        let met = self.meet(bearer, RecordKey::of_patient(patient), &about).await?;
        let view = match self.consents.one(patient, ConsentId::from_bytes(*record.as_bytes())).await {
            Ok(view) => view,
            Err(ConsentError::Unknown) => return Err(self.absent(bearer, &met, about).await),
            Err(other) => return Err(Withheld::unavailable(other)),
        };
        let view = match revision {
            None => Some(view),
            Some(revision) if revision == view.revision => Some(view),
            Some(revision) if matches!(met.asked.actor, Actor::Patient(_)) => agreement::as_it_was(view, revision),
            Some(_) => None,
        };
        let Some(view) = view else { return Err(self.absent(bearer, &met, about).await) };
        let of = [facts_of(patient, &view)];
        let question = met.asked.question(Interaction::Read, self.clock.now(), &of);
        let permit = match self.engine.decide_named(met.deed, &question) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.denied(&denial, &met, about).await),
        };
        about.records = touched(&permit);
        let told = self.tell(patient, &view)?;
        Ok(self.spend(permit, &met, about).await?.show(told))
    }

    /// The consents that there are to decide upon: all of them for the patient, else those gathered for the asker.
    async fn views(&self, patient: PatientId, met: &Met) -> Result<Vec<View>, Withheld> {
        if matches!(met.asked.actor, Actor::Patient(_)) {
            return self.consents.list(patient).await.map_err(Withheld::unavailable);
        }
        let question = met.asked.question(Interaction::Search, self.clock.now(), &[]);
        let mut views = Vec::new();
        for provision in question.provisions {
            match self.consents.one(patient, provision.consent).await {
                Ok(view) => views.push(view),
                Err(ConsentError::Unknown) => {}
                Err(other) => return Err(Withheld::unavailable(other)),
            }
        }
        Ok(views)
    }

    fn tell(&self, patient: PatientId, view: &View) -> Result<Told, Withheld> {
        let resource =
            agreement::write(patient, view, &self.issuer).ok_or_else(|| Withheld::unavailable(Unreadable))?;
        Told::of(&resource)
    }
}

/// Under which name a consent is known outside.
pub(super) fn key(patient: PatientId, consent: ConsentId) -> RecordKey {
    RecordKey { patient, record: RecordId::from_bytes(*consent.as_bytes()) }
}

fn facts_of(patient: PatientId, view: &View) -> RecordFacts {
    facts(patient, (*view.consent.as_bytes(), view.revision), KIND)
}

fn touched(permit: &Permit) -> Records {
    let all: Vec<Touched> =
        permit.records().iter().map(|(key, version)| Touched { record: key.record, version: *version }).collect();
    Records::of(&all)
}

/// A revision does not say what it is.
#[derive(Debug, thiserror::Error)]
#[error("a consent has no readable revision")]
struct Unreadable;
