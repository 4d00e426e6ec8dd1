//! Which records match, told without opening one: for what is made only when nothing like it is there (FH-14).

use super::search::Turn;
use super::{Door, Wanted, Withheld};
use crate::id::PatientId;
use crate::model::{Bearer, RecordKey};

/// The records that match.
#[derive(Debug, Default)]
pub struct Like {
    /// Each with its current version.
    pub records: Vec<(RecordKey, i64)>,
    /// The leaf under which it stands in the log that this was told.
    pub leaf: Option<u64>,
}

impl Door {
    /// Tells which records of a patient match and may be seen by `bearer`, and puts on record that it was told.
    ///
    /// What matches and may not be seen is as absent as in any search (FH-66).
    ///
    /// # Errors
    /// [`Withheld::Unavailable`].
    pub async fn like(&self, bearer: &Bearer, patient: PatientId, wanted: &Wanted) -> Result<Like, Withheld> {
        match self.seen_like(&Turn { bearer, patient, wanted, after: None, consents: None }).await {
            Err(Withheld::Hidden) => Ok(Like::default()),
            other => other,
        }
    }

    async fn seen_like(&self, turn: &Turn<'_>) -> Result<Like, Withheld> {
        let (met, rows) = self.met(turn).await?;
        let mut scan = met.scan(self);
        let found = scan.find(turn, rows).await?;
        if found.counted.is_empty() {
            let refusal = scan.refusal(turn.bearer);
            return Err(self.refuse(refusal, met.about, Some(&met.keys)).await);
        }
        let records = found.counted.iter().map(|facts| (facts.key, facts.version)).collect();
        let leaf = scan.tell(found.counted.into_iter().chain(found.through).collect(), &met.about).await?;
        Ok(Like { records, leaf })
    }
}
