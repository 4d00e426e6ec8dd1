//! Reading one version of a record.
//!
//! Two labels must allow it: those of the version asked for, which may have been the more sensitive (FH-17), and those
//! of the current one: what was masked since is masked in its past too.

use super::ask::{denied, unasked};
use super::open::Released;
use super::read::Case;
use super::{Door, Withheld};
use crate::model::{Bearer, Interaction, RecordFacts, RecordKey};
use crate::policy::{Denial, Permit};

impl Door {
    /// Releases version `version` of one record to `bearer`.
    ///
    /// # Errors
    /// As [`Door::read`]; an unknown version is as absent as an unknown record.
    pub async fn vread(
        &self,
        bearer: &Bearer,
        resource_type: &str,
        key: RecordKey,
        version: i64,
    ) -> Result<Released, Withheld> {
        let case = self.case(bearer, resource_type, key, "vread").await?;
        // Asked for whichever it is, so that a version that is there takes as long as one that is not.
        let past = self.store.replaced(key, version).await.map_err(Withheld::unavailable)?;
        if version == case.row.version {
            return self.show_current(case).await;
        }
        let Some((sealed, text, at)) = past else { return Err(self.absent(bearer, case).await) };
        let Some(then) = self.facts_of(&case.keys, key, version, &sealed)? else {
            return Err(self.absent(bearer, case).await);
        };
        let permit = match self
            .decide_versions(&case, &[case.facts.clone(), then.protected_as(&case.facts)], |v| v == version)
        {
            Ok(permit) => permit,
            Err(denial) => return Err(self.refuse(denied(&denial), case.about, Some(&case.keys)).await),
        };
        let receipt = self.disclose(&case, &permit).await?;
        let released = self.open(permit, receipt, &case.keys, vec![(key, version, text)])?;
        released.into_iter().next().map(|released| released.made(at)).ok_or(Withheld::Hidden)
    }

    /// A permit for those of `versions` that `wanted` wants; a denial of all when the current one, which must be among
    /// them, may not be had.
    pub(super) fn decide_versions(
        &self,
        case: &Case,
        versions: &[RecordFacts],
        wanted: impl Fn(i64) -> bool,
    ) -> Result<Permit, Denial> {
        let now = self.clock.now();
        let permit = self.engine.decide(case.deed, &case.asked.question(Interaction::Read, now, versions))?;
        if permit.admits(&case.key, case.row.version) {
            return permit.narrow_to(|_, version| wanted(version));
        }
        // Asked of the current one alone, so that the reason on record is its own.
        let current = case.asked.question(Interaction::Read, now, std::slice::from_ref(&case.facts));
        self.engine.decide(case.deed, &current).and_then(|_| permit.narrow_to(|_, _| false))
    }

    async fn absent(&self, bearer: &Bearer, case: Case) -> Withheld {
        self.refuse(unasked(case.deed, "absent", bearer), case.about, Some(&case.keys)).await
    }
}
