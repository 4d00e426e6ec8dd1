//! The guarantor takes over records that exist elsewhere. No consent is asked: the guarantor keeps the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::admit::Allowed;
use super::current::Current;
use super::{Became, Intake, Owner, Reading, Rejected};
use crate::id::{DeedId, PatientId};
use crate::identity::PatientError;
use crate::ledger::Personal;
use crate::model::RecordKey;
use crate::store::gather::Asker;
use crate::store::turn::Write;

/// What became of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// Whose record it joined.
    pub patient: PatientId,
    /// Whether the patient was enrolled for it.
    pub new_patient: bool,
    /// Whether it brought a Patient resource that was there already and stays as it was.
    pub kept_patient: bool,
    /// The leaf under which it stands in the log.
    pub leaf: u64,
    /// How many resources of each type were stored.
    pub types: BTreeMap<String, usize>,
}

impl Intake {
    /// Takes in a file: one resource or one Bundle, all of it or nothing; `None` when it was imported before.
    ///
    /// The patient is enrolled when the identifiers of the Patient in it are unknown. That the file is done is written
    /// in the same turn as its records, so a file that was cut short is simply imported again.
    ///
    /// # Errors
    /// [`Rejected`]; at most a patient without records was enrolled then. [`Rejected::Conflict`] may be tried again.
    pub async fn import(self: &Arc<Self>, bytes: Vec<u8>) -> Result<Option<Imported>, Rejected> {
        let reading = self.aside(move |intake| intake.read(bytes)?.adds_only()).await?;
        let tag = self.indexer.tag("import file", &[reading.digest()]);
        if self.store.imported(&tag).await.map_err(Rejected::unavailable)? {
            return Ok(None);
        }
        let (patient, new_patient) = self.owner(&reading).await?;
        let own = RecordKey::of_patient(patient);
        let gathered = self.store.gather_read(own, &Asker::default()).await.map_err(Rejected::unavailable)?;
        let keys = self.asking.keys(gathered.patient.as_ref()).await?.ok_or(Rejected::NoSuchPatient)?;
        let owner =
            Owner { keys: Arc::new(keys), patient_resource: gathered.records.first().map(|r| r.version), author: None };
        let mut writes = vec![Write::Import { tag }];
        if !new_patient {
            writes.extend(self.new_names(patient, &reading).await?);
        }
        let prepared = self.aside(move |intake| intake.prepare(reading, &owner, &Current::default())).await?;
        let mut types = BTreeMap::new();
        for facts in prepared.facts() {
            *types.entry(facts.resource_type.clone()).or_default() += 1;
        }
        let kept_patient = prepared.entries.iter().any(|e| e.became == Became::Kept);
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Rejected::unavailable)?;
        let about = Personal { patient: Some(patient), route: "import".to_owned(), ..Personal::default() };
        let receipt = self.admit(deed, prepared, about, Allowed::GUARANTOR, writes).await?;
        Ok(Some(Imported { patient, new_patient, kept_patient, leaf: receipt.leaf, types }))
    }

    /// Judges a file as an import would, and stores nothing; `None` when it was imported before.
    ///
    /// # Errors
    /// [`Rejected`] for what an import would refuse, as far as it can be told without enrolling anyone.
    pub async fn rehearse(self: &Arc<Self>, bytes: Vec<u8>) -> Result<Option<BTreeMap<String, usize>>, Rejected> {
        let reading = self.aside(move |intake| intake.read(bytes)?.adds_only()).await?;
        let tag = self.indexer.tag("import file", &[reading.digest()]);
        if self.store.imported(&tag).await.map_err(Rejected::unavailable)? {
            return Ok(None);
        }
        match self.known(&reading).await? {
            Some(patient) => reading.whose.is(patient)?,
            None if reading.whose.identifiers.is_empty() => return Err(Rejected::NoIdentifier),
            None => {}
        }
        let mut types = BTreeMap::new();
        for kind in reading.types() {
            *types.entry(kind.to_owned()).or_default() += 1;
        }
        Ok(Some(types))
    }

    /// The patient it is about, enrolled now when unknown; whether that was so.
    async fn owner(&self, reading: &Reading) -> Result<(PatientId, bool), Rejected> {
        if let Some(patient) = self.known(reading).await? {
            return Ok((patient, false));
        }
        let identifiers = &reading.whose.identifiers;
        if identifiers.is_empty() {
            return Err(Rejected::NoIdentifier);
        }
        match self.patients.enrol(identifiers).await {
            Ok(patient) => Ok((patient, true)),
            // Another file about the same patient was faster.
            Err(PatientError::Enrolled) => Err(Rejected::Conflict),
            Err(error) => Err(Rejected::unavailable(error)),
        }
    }

    /// Identifiers of a known patient that were not known yet, so that later files find the same patient by them.
    async fn new_names(&self, patient: PatientId, reading: &Reading) -> Result<Vec<Write>, Rejected> {
        let mut writes = Vec::new();
        for identifier in &reading.whose.identifiers {
            if self.patients.find(identifier).await.map_err(Rejected::unavailable)?.is_none() {
                writes.push(self.patients.naming(patient, identifier));
            }
        }
        Ok(writes)
    }
}
