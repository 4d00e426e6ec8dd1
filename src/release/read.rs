//! Reading one record: gather, decide, record, open.

use super::ask::{about, denied, unasked};
use super::open::Released;
use super::{Door, Withheld};
use crate::asking::Unasked;
use crate::id::DeedId;
use crate::ledger::personal::{Records, Touched};
use crate::model::{Bearer, Interaction, RecordFacts, RecordKey};
use crate::vault::Place;

impl Door {
    /// Releases the current version of one record to `bearer`.
    ///
    /// # Errors
    /// [`Withheld::Hidden`] whether it is absent or not theirs to see; [`Withheld::Unavailable`] when anything
    /// on the way fails. In both cases nothing was opened.
    pub async fn read(&self, bearer: &Bearer, resource_type: &str, key: RecordKey) -> Result<Released, Withheld> {
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Withheld::unavailable)?;
        let mut about = about(bearer, key.patient, "read", resource_type);
        let asker = self.asking.asker(bearer, key.patient);
        let mut gathered = self.store.gather_read(key, &asker).await.map_err(Withheld::unavailable)?;
        let Some(keys) = self.asking.keys(gathered.patient.as_ref()).await? else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, None).await);
        };
        let asked = match self.asking.resolve(bearer, key.patient, &gathered, &keys) {
            Ok(asked) => asked,
            Err(Unasked::NotEnrolled) => {
                return Err(self.refuse(unasked(deed, "not-enrolled", bearer), about, Some(&keys)).await);
            }
            Err(other @ Unasked::Unavailable(_)) => return Err(other.into()),
        };
        let Some(row) = gathered.records.pop() else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, Some(&keys)).await);
        };
        let place = Place::facts(key, row.version);
        let opened = self.reader.open(&keys, &place, &row.facts).map_err(Withheld::unavailable)?;
        let facts =
            RecordFacts::from_bytes(key, row.version, &opened).filter(|facts| facts.resource_type == resource_type);
        let Some(facts) = facts else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, Some(&keys)).await);
        };
        let question = asked.question(Interaction::Read, self.clock.now(), std::slice::from_ref(&facts));
        let permit = match self.engine.decide(deed, &question) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.refuse(denied(&denial), about, Some(&keys)).await),
        };
        about.records = Records::of(&[Touched { record: key.record, version: row.version }]);
        let footing = asked.footing(&permit);
        // Nothing leaves before its log entry is durable; a consent that ended meanwhile is refused here.
        let Some(receipt) =
            self.ledger.disclose(&permit, about, &keys, footing).await.map_err(Withheld::unavailable)?
        else {
            return Err(Withheld::Hidden);
        };
        let released = self.open(permit, receipt, &keys, vec![(key, row.version, row.body)])?;
        released.into_iter().next().ok_or(Withheld::Hidden)
    }
}
