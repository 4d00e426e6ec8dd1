//! The one patient a professional names, if that patient's consents reach them.
//!
//! There is no list to pick from: consents are indexed per patient, so that nobody sees from the rows which patients
//! share a grantee, and a list of names would open records that nobody asked for. Whoever is named without consent is
//! answered as whoever is not enrolled, and the attempt stands in the log.

use std::sync::Arc;

use super::patients::{Identifier, Patients};
use super::{Issuer, Refusal};
use crate::consent::Checker;
use crate::directory::Professional;
use crate::id::{ClientId, DeedId, OrganisationId, PatientId, RecordId};
use crate::ledger::{self, Ledger, Personal};
use crate::model::{Bearer, ClinicalScope, Op, Purpose, Subject};
use crate::store::gather::Asker;
use crate::vault::{Indexer, PatientKeys, Unwrapper};

/// Finds patients whose consents reach a professional.
pub struct Picker {
    /// Where consents are, and the time.
    pub issuer: Arc<Issuer>,
    /// Finds patients by identifier.
    pub patients: Arc<Patients>,
    /// Makes the tags of grantees.
    pub indexer: Indexer,
    /// Unwraps a patient's keys.
    pub unwrapper: Unwrapper,
    /// Believes consents.
    pub checker: Arc<Checker>,
    /// Records who was named in vain.
    pub ledger: Ledger,
}

/// A professional who names a patient, through which software and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Namer<'n> {
    pub(super) client: ClientId,
    pub(super) organisation: OrganisationId,
    pub(super) professional: &'n Professional,
    pub(super) purpose: Purpose,
}

/// What came of naming somebody.
enum Found {
    Reached(Vec<ClinicalScope>),
    Not(&'static str, Option<PatientKeys>),
}

impl Picker {
    /// The patient with this identifier and what their consents allow in all; `None` when there is no such patient
    /// or no such consent, which nobody can tell apart.
    pub(super) async fn pick(
        &self,
        identifier: &Identifier,
        namer: &Namer<'_>,
    ) -> Result<Option<(PatientId, Vec<ClinicalScope>)>, Refusal> {
        let patient = self.patients.find(identifier).await.map_err(|_| Refusal::Unavailable)?;
        let found = match patient {
            Some(patient) => self.reach(patient, namer).await?,
            None => Found::Not("absent", None),
        };
        match (found, patient) {
            (Found::Reached(scopes), Some(patient)) => Ok(Some((patient, scopes))),
            (Found::Reached(_), None) => Ok(None),
            (Found::Not(reason, keys), patient) => {
                self.record(reason, patient, namer, keys.as_ref()).await?;
                Ok(None)
            }
        }
    }

    async fn reach(&self, patient: PatientId, namer: &Namer<'_>) -> Result<Found, Refusal> {
        let bearer = Bearer {
            subject: Subject::Client {
                client: namer.client,
                organisation: namer.organisation,
                professional: Some((namer.professional.id, namer.professional.profession.clone())),
            },
            purpose: namer.purpose,
            scopes: Vec::new(),
            only: None,
        };
        let mut asker = Asker::default();
        for (place, grantee) in asker.grantees.iter_mut().zip(bearer.grantees()) {
            *place = self.indexer.grantee(patient, &grantee);
        }
        // After the last of all ids stands no record: consents come alone.
        let last = RecordId::from_bytes([u8::MAX; 16]);
        let gathered = self.issuer.store.gather_search(patient, None, last, &asker).await;
        let gathered = gathered.map_err(|_| Refusal::Unavailable)?;
        let Some(row) = gathered.patient.filter(|row| row.state == "active") else {
            return Ok(Found::Not("absent", None));
        };
        if !self.checker.patient_row_holds(&row) {
            tracing::error!(target: "garant::security", "a patient's row was altered");
            return Err(Refusal::Unavailable);
        }
        let keys = self.unwrapper.keys(patient).await.map_err(|_| Refusal::Unavailable)?;
        let now = self.issuer.clock.now();
        let (mut scopes, mut excluded) = (Vec::new(), false);
        for row in &gathered.consents {
            let said = self.checker.check(patient, row, &keys).map_err(|unproved| {
                tracing::error!(target: "garant::security", reason = unproved.0, "a consent row does not hold");
                Refusal::Unavailable
            })?;
            match &said.op {
                Op::Grant(terms) | Op::Narrow(terms) => {
                    let runs = terms.valid.from <= now && now < terms.valid.to;
                    if runs && terms.purpose.contains(&namer.purpose) {
                        scopes.extend(terms.scope.iter().cloned());
                    }
                }
                Op::Exclude(_) => excluded = true,
                Op::Revoke | Op::Lift => return Err(Refusal::Unavailable),
            }
        }
        if excluded || scopes.is_empty() {
            Ok(Found::Not("no-consent", Some(keys)))
        } else {
            Ok(Found::Reached(scopes))
        }
    }

    async fn record(
        &self,
        reason: &'static str,
        patient: Option<PatientId>,
        namer: &Namer<'_>,
        keys: Option<&PatientKeys>,
    ) -> Result<(), Refusal> {
        let deed = DeedId::ordered(&*self.issuer.clock, &*self.issuer.chance).map_err(|_| Refusal::Unavailable)?;
        let about = Personal {
            patient: patient.filter(|_| keys.is_some()),
            client: Some(namer.client),
            organisation: Some(namer.organisation),
            professional: Some(namer.professional.id),
            route: "oauth/authorize".to_owned(),
            ..Personal::default()
        };
        let refusal = ledger::Refusal { deed, reason, purpose: Some(namer.purpose), policy: None };
        self.ledger.refuse(refusal, about, keys).await.map_err(|_| Refusal::Unavailable)
    }
}
