//! Opening a record to change it in part.
//!
//! Whether an operation succeeds tells what stands in the record: so a patch is a release as much as a change. It is
//! opened for those only who may both change and read it, and both are on record.

use super::ask::{denied, unasked};
use super::open::Released;
use super::{Door, Withheld};
use crate::asking::Unasked;
use crate::ledger::Refusal;
use crate::model::{Bearer, Interaction, RecordKey};

impl Door {
    /// Releases the current version of one record to be patched; `None` when that is not version `expected`, told to
    /// one who may make the change (FH-67).
    ///
    /// # Errors
    /// [`Withheld::Hidden`] whether it is absent, deleted, not theirs to change or not theirs to see;
    /// [`Withheld::Unavailable`].
    pub async fn read_to_patch(
        &self,
        bearer: &Bearer,
        resource_type: &str,
        key: RecordKey,
        expected: i64,
    ) -> Result<Option<Released>, Withheld> {
        let case = self.case(bearer, resource_type, key, "patch").await?;
        if case.row.deleted {
            return Err(self.refuse(unasked(case.deed, "absent", bearer), case.about, Some(&case.keys)).await);
        }
        let now = self.clock.now();
        let facts = std::slice::from_ref(&case.facts);
        // Change first: nothing is opened, and no disclosure recorded, for one who could do nothing with it.
        let may_change = self.engine.decide(case.deed, &case.asked.question(Interaction::Update, now, facts));
        let may_read = self.engine.decide(case.deed, &case.asked.question(Interaction::Read, now, facts));
        let permit = match may_change.and(may_read) {
            Ok(permit) => permit,
            Err(denial) => return Err(self.refuse(denied(&denial), case.about, Some(&case.keys)).await),
        };
        if case.row.version != expected {
            let (purpose, policy) = (Some(permit.purpose()), Some(*permit.policy()));
            let refusal = Refusal { deed: case.deed, reason: "version", purpose, policy };
            return match self.asking.refuse(refusal, case.about, Some(&case.keys)).await {
                Unasked::Hidden => Ok(None),
                unrecorded @ Unasked::Unavailable(_) => Err(unrecorded.into()),
            };
        }
        let receipt = self.disclose(&case, &permit).await?;
        let rows = vec![(key, case.row.version, case.row.body)];
        let released = self.open(permit, receipt, &case.keys, rows)?;
        released.into_iter().next().map(Some).ok_or(Withheld::Hidden)
    }
}
