//! Asking, as the projections do it: who asks, on what; whatever is in doubt withholds.

use super::shown::Spent;
use super::{Page, Projection};
use crate::asking::{Asked, denied, unasked};
use crate::id::{DeedId, PatientId};
use crate::ledger::{Personal, Refusal};
use crate::model::{Bearer, Confidentiality, RecordClass, RecordFacts, RecordKey};
use crate::policy::{Denial, Permit};
use crate::release::Withheld;
use crate::store::gather::Gathered;
use crate::vault::PatientKeys;

/// One who asks, resolved, and what was gathered for the decision.
pub(super) struct Met {
    pub(super) deed: DeedId,
    pub(super) keys: PatientKeys,
    pub(super) asked: Asked,
    pub(super) gathered: Gathered,
}

impl Projection {
    /// Finds out who asks about `key`; a refusal is on record when nobody may.
    pub(super) async fn meet(&self, bearer: &Bearer, key: RecordKey, about: &Personal) -> Result<Met, Withheld> {
        let deed = DeedId::ordered(&*self.clock, &*self.chance).map_err(Withheld::unavailable)?;
        let asker = self.asking.asker(bearer, key.patient);
        let gathered = self.store.gather_read(key, &asker).await.map_err(Withheld::unavailable)?;
        let (keys, asked) = self.asking.meet((deed, about), bearer, key.patient, &gathered).await?;
        Ok(Met { deed, keys, asked, gathered })
    }

    /// Records that something was asked of nobody who is known here, as it is recorded of someone hidden (P43).
    ///
    /// # Errors
    /// [`Withheld::Hidden`] when that is on record; [`Withheld::Unavailable`] otherwise.
    pub async fn of_nobody(&self, bearer: &Bearer, route: &'static str, kind: &'static str) -> Withheld {
        let deed = match DeedId::ordered(&*self.clock, &*self.chance) {
            Ok(deed) => deed,
            Err(error) => return Withheld::unavailable(error),
        };
        self.asking.of_nobody(deed, bearer, route, Some(kind)).await.into()
    }

    /// Puts a refusal on record and gives the one answer that tells nothing.
    pub(super) async fn refuse(&self, refusal: Refusal, about: Personal, keys: Option<&PatientKeys>) -> Withheld {
        self.asking.refuse(refusal, about, keys).await.into()
    }

    /// What was sought is not there: recorded like a denial, answered like one.
    pub(super) async fn absent(&self, bearer: &Bearer, met: &Met, about: Personal) -> Withheld {
        self.refuse(unasked(met.deed, "absent", bearer), about, Some(&met.keys)).await
    }

    /// The policies said no.
    pub(super) async fn denied(&self, denial: &Denial, met: &Met, about: Personal) -> Withheld {
        self.refuse(denied(denial), about, Some(&met.keys)).await
    }

    /// Puts the deed on record and spends its permit; a consent it rests on may have ended meanwhile.
    pub(super) async fn spend(&self, permit: Permit, met: &Met, about: Personal) -> Result<Spent, Withheld> {
        let footing = met.asked.footing(&permit);
        let receipt = self.ledger.disclose(&permit, about, &met.keys, footing).await.map_err(Withheld::unavailable)?;
        Spent::of(permit, receipt.ok_or(Withheld::Hidden)?)
    }
}

/// Nothing found and nothing visible are the same answer to a search.
pub(super) fn or_empty(found: Result<Page, Withheld>) -> Result<Page, Withheld> {
    match found {
        Err(Withheld::Hidden) => Ok(Page { total: Some(0), ..Page::default() }),
        other => other,
    }
}

/// The facts of something that is projected, as a decision may know them.
pub(super) fn facts(patient: PatientId, (id, version): ([u8; 16], i64), kind: &str) -> RecordFacts {
    RecordFacts {
        key: RecordKey { patient, record: crate::id::RecordId::from_bytes(id) },
        version,
        resource_type: kind.to_owned(),
        class: RecordClass::Medical,
        confidentiality: Confidentiality::N,
        sensitivities: Vec::new(),
        categories: Vec::new(),
        document_types: Vec::new(),
        authored: None,
        visibility: Vec::new(),
        announced: None,
        author: None,
    }
}
