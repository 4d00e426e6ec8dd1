//! What both deeds rest on: the record's labels, and that the asker may read it at all.

use super::{Masking, Unmasked};
use crate::asking::{Asked, about, denied, unasked};
use crate::id::DeedId;
use crate::ledger::personal::{Records, Touched};
use crate::ledger::{Personal, Refusal};
use crate::model::{Bearer, Interaction, RecordFacts, RecordKey, Sealed};
use crate::policy::Permit;
use crate::vault::{PatientKeys, Place};

/// A record whose labels the asker may know.
pub(super) struct Open {
    pub(super) permit: Permit,
    pub(super) asked: Asked,
    pub(super) keys: PatientKeys,
    pub(super) about: Personal,
    pub(super) facts: RecordFacts,
    /// The facts as they are stored.
    pub(super) sealed: Sealed,
}

impl Masking {
    /// Gathers and decides as a read does; whoever may not read it learns nothing.
    pub(super) async fn gather(
        &self,
        bearer: &Bearer,
        resource_type: &str,
        key: RecordKey,
        route: &'static str,
    ) -> Result<Open, Unmasked> {
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Unmasked::unavailable)?;
        let mut about = about(bearer, key.patient, route, Some(resource_type));
        let asker = self.asking.asker(bearer, key.patient);
        let mut gathered = self.store.gather_read(key, &asker).await.map_err(Unmasked::unavailable)?;
        let (keys, asked) = self.asking.meet((deed, &about), bearer, key.patient, &gathered).await?;
        let Some(row) = gathered.records.pop().filter(|row| !row.deleted) else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, Some(&keys)).await);
        };
        let opened =
            self.reader.open(&keys, &Place::facts(key, row.version), &row.facts).map_err(Unmasked::unavailable)?;
        let facts = RecordFacts::from_bytes(key, row.version, &opened).filter(|f| f.resource_type == resource_type);
        let Some(facts) = facts else {
            return Err(self.refuse(unasked(deed, "absent", bearer), about, Some(&keys)).await);
        };
        let question = asked.question(Interaction::Read, self.clock.now(), std::slice::from_ref(&facts));
        let permit = match self.engine.decide(deed, &question) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.refuse(denied(&denial), about, Some(&keys)).await),
        };
        about.records = Records::of(&[Touched { record: key.record, version: row.version }]);
        Ok(Open { permit, asked, keys, about, facts, sealed: row.facts })
    }

    /// Puts a refusal on record and gives the one answer that tells nothing.
    pub(super) async fn refuse(&self, refusal: Refusal, about: Personal, keys: Option<&PatientKeys>) -> Unmasked {
        self.asking.refuse(refusal, about, keys).await.into()
    }
}
