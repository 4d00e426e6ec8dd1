//! Conditional create: a record is made only when nothing like it is there (FHIR R4 §3.1.0.8.1, FH-14, FH-66).

use axum::http::HeaderName;

use super::search::owned;
use super::{Api, in_scope};
use crate::fhir::BadQuery;
use crate::intake::{Admitted, Became, Reading, Receipt, Rejected};
use crate::model::{Bearer, Interaction};
use crate::release::{Wanted, Withheld};

/// The header with the conditions, written as a search.
pub(super) const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// What is answered to conditions that cannot be read.
pub(super) const fn malformed() -> Rejected {
    Rejected::Conditions(BadQuery::Value("If-None-Exist"))
}

impl Api {
    /// Takes in one resource, unless a record that meets the conditions is there.
    pub(super) async fn create(
        &self,
        bearer: &Bearer,
        resource_type: &str,
        bytes: Vec<u8>,
        unless: Option<&str>,
    ) -> Result<Receipt, Rejected> {
        let reading = self.intake.judge_new(bearer, resource_type, bytes).await?;
        self.take(bearer, reading, unless).await
    }

    /// Takes in what was judged, unless a record that meets the conditions is there.
    ///
    /// Only what `bearer` may see counts, in the record of the patient whom the resource names: what is hidden is no
    /// match, and a duplicate of it may come to be (FH-66). Two that ask at the same moment may both find nothing.
    pub(super) async fn take(
        &self,
        bearer: &Bearer,
        reading: Reading,
        unless: Option<&str>,
    ) -> Result<Receipt, Rejected> {
        if let Some(conditions) = unless
            && let Some(there) = self.like(bearer, &reading, conditions).await?
        {
            return Ok(there);
        }
        self.intake.take(bearer, reading).await
    }

    /// The one record that is there already.
    async fn like(&self, bearer: &Bearer, reading: &Reading, conditions: &str) -> Result<Option<Receipt>, Rejected> {
        let Some(kind) = reading.types().next() else { return Err(malformed()) };
        let pairs = owned(conditions).map_err(|_| malformed())?;
        let wanted = Wanted::like(kind, pairs, &self.base_url, self.door.clock.now())?;
        let searchable = |kind: &&str| in_scope(bearer, Interaction::Search, kind);
        let beyond = wanted.query().is_none_or(|q| q.asked_beyond().any(|kinds| !kinds.iter().any(searchable)));
        if beyond || !searchable(&kind) {
            return Err(Rejected::OutOfScope);
        }
        let Some(patient) = self.intake.would_join(reading).await? else {
            // Recorded as a search of somebody known is: the time must not tell who is enrolled (P43).
            return self.door.search_for_nobody(bearer, &wanted).await.map(|_| None).map_err(unfound);
        };
        let like = self.door.like(bearer, patient, &wanted).await.map_err(unfound)?;
        match (like.records.as_slice(), like.leaf) {
            ([], _) => Ok(None),
            ([(key, version)], Some(leaf)) => {
                let reference = format!("{kind}/{key}");
                let entries = vec![Admitted { reference, version: *version, became: Became::Kept }];
                Ok(Some(Receipt { leaf, at: self.door.clock.now(), entries }))
            }
            _ => Err(Rejected::SeveralMatch),
        }
    }
}

/// A search that finds nothing says so; whatever else went wrong leaves open whether anything is there.
fn unfound(why: Withheld) -> Rejected {
    match why {
        Withheld::Unavailable(error) => Rejected::Unavailable(error),
        Withheld::OutOfScope => Rejected::OutOfScope,
        Withheld::Hidden | Withheld::Gone | Withheld::BadQuery(_) | Withheld::TooMany => Rejected::Hidden,
    }
}
