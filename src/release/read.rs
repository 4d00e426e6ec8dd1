//! Reading one record: gather, decide, record, open.

use super::ask::{about, denied, unasked};
use super::open::Released;
use super::{Door, Withheld};
use crate::asking::Asked;
use crate::id::DeedId;
use crate::ledger::personal::{Records, Touched};
use crate::ledger::{Personal, Receipt};
use crate::model::{Bearer, Interaction, RecordFacts, RecordKey, Sealed};
use crate::policy::Permit;
use crate::store::rows::RecordRow;
use crate::vault::{PatientKeys, Place};

/// One record that somebody asked for, gathered and not yet decided on.
pub(super) struct Case {
    pub(super) deed: DeedId,
    pub(super) about: Personal,
    pub(super) keys: PatientKeys,
    pub(super) asked: Asked,
    pub(super) key: RecordKey,
    /// Its current version.
    pub(super) row: RecordRow,
    /// The facts of that version.
    pub(super) facts: RecordFacts,
}

impl Door {
    /// Releases the current version of one record to `bearer`.
    ///
    /// # Errors
    /// [`Withheld::Hidden`] whether it is absent or not theirs to see; [`Withheld::Gone`] when it was deleted and was
    /// theirs to see; [`Withheld::Unavailable`] when anything on the way fails. Nothing was opened then.
    pub async fn read(&self, bearer: &Bearer, resource_type: &str, key: RecordKey) -> Result<Released, Withheld> {
        let case = self.case(bearer, resource_type, key, "read").await?;
        self.show_current(case).await
    }

    /// Gathers what is to be decided on; what is not there is a refusal on record.
    pub(super) async fn case(
        &self,
        bearer: &Bearer,
        resource_type: &str,
        key: RecordKey,
        route: &'static str,
    ) -> Result<Case, Withheld> {
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Withheld::unavailable)?;
        let about = about(bearer, key.patient, route, resource_type);
        let asker = self.asking.asker(bearer, key.patient);
        let mut gathered = self.store.gather_read(key, &asker).await.map_err(Withheld::unavailable)?;
        let (keys, asked) = self.asking.meet((deed, &about), bearer, key.patient, &gathered).await?;
        let Some(row) = gathered.records.pop() else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, Some(&keys)).await);
        };
        let facts = self.facts_of(&keys, key, row.version, &row.facts)?;
        let Some(facts) = facts.filter(|facts| facts.resource_type == resource_type) else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, Some(&keys)).await);
        };
        Ok(Case { deed, about, keys, asked, key, row, facts })
    }

    /// The facts of one version of a record, as sealed beside it.
    pub(super) fn facts_of(
        &self,
        keys: &PatientKeys,
        key: RecordKey,
        version: i64,
        sealed: &Sealed,
    ) -> Result<Option<RecordFacts>, Withheld> {
        let opened = self.reader.open(keys, &Place::facts(key, version), sealed).map_err(Withheld::unavailable)?;
        Ok(RecordFacts::from_bytes(key, version, &opened))
    }

    /// Decides on the current version and shows it; of a deleted record it shows that it is gone.
    pub(super) async fn show_current(&self, case: Case) -> Result<Released, Withheld> {
        let now = self.clock.now();
        let question = case.asked.question(Interaction::Read, now, std::slice::from_ref(&case.facts));
        let permit = match self.engine.decide(case.deed, &question) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.refuse(denied(&denial), case.about, Some(&case.keys)).await),
        };
        let receipt = self.disclose(&case, &permit).await?;
        let Case { keys, key, row, .. } = case;
        let rows = vec![(key, row.version, row.body)];
        let released = self.open(permit, receipt, &keys, rows)?;
        if row.deleted {
            return Err(Withheld::Gone);
        }
        released.into_iter().next().map(|released| released.made(row.at)).ok_or(Withheld::Hidden)
    }

    /// Puts on record what `permit` admits: nothing leaves before its log entry is durable, and a consent that ended
    /// meanwhile is refused here.
    pub(super) async fn disclose(&self, case: &Case, permit: &Permit) -> Result<Receipt, Withheld> {
        let touched: Vec<Touched> =
            permit.records().iter().map(|(key, version)| Touched { record: key.record, version: *version }).collect();
        let about = Personal { records: Records::of(&touched), ..case.about.clone() };
        let footing = case.asked.footing(permit);
        let receipt = self.ledger.disclose(permit, about, &case.keys, footing).await.map_err(Withheld::unavailable)?;
        receipt.ok_or(Withheld::Hidden)
    }
}
