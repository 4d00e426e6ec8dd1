//! The deed revoke: a consent ends. It takes no signature, no reason and no second step (GDPR 7(3), CT-08, WA-10).

use super::issued::{nonce, text_hash};
use super::record::Making;
use super::sentence::{Said, sentence};
use super::standing::Standing;
use super::{ConsentError, Consents, Kept};
use crate::clock::Timestamp;
use crate::id::{ConsentId, PatientId};
use crate::ledger::{Act, Unplaced, Unrecorded};
use crate::model::{Language, Op, Statement};
use crate::vault::PatientKeys;

/// How often it is tried again when the consent changed meanwhile. Each change takes a signature of the patient's
/// own, so that nobody else can keep a revocation from its turn.
const TRIES: usize = 8;

impl Consents {
    /// Ends a consent: no read whose turn comes later rests on it. `None` when it had ended before.
    ///
    /// # Errors
    /// [`ConsentError::Exclusion`] for an exclusion: ending one widens access and takes a signed lift.
    pub async fn revoke(&self, patient: PatientId, consent: ConsentId) -> Result<Option<u64>, ConsentError> {
        let keys = self.keys(patient).await?;
        for _ in 0..TRIES {
            let standing = self.standing(patient, consent, &keys).await?;
            if standing.excludes() {
                return Err(ConsentError::Exclusion);
            }
            if !standing.active() {
                return Ok(None);
            }
            let said = self.revocation(&standing).await?;
            if let Some(leaf) = self.end(&standing, &said, &keys).await? {
                return Ok(Some(leaf));
            }
        }
        Err(Unrecorded::Unplaced(Unplaced::Busy).into())
    }

    async fn end(
        &self,
        standing: &Standing,
        said: &Statement,
        keys: &PatientKeys,
    ) -> Result<Option<u64>, ConsentError> {
        let kept = Kept { statement: said.to_bytes(), ..Kept::default() };
        let until = Timestamp(i64::MAX);
        let making = Making { act: Act::Revoke, grantee: standing.tag()?, ends: true, whom: None, until };
        self.record(said, making, &kept, keys, Vec::new()).await
    }

    /// The statement of the end, written by the server in the language the patient last signed in.
    async fn revocation(&self, standing: &Standing) -> Result<Statement, ConsentError> {
        let language = standing.said.language.parse().unwrap_or_default();
        let name = (standing.row.consent, standing.next()?);
        let mut said = self.written(standing.said.patient, name, Op::Revoke, language)?;
        said.text_hash = text_hash(&self.farewell(standing, said.issued, language).await);
        said.nonce = nonce(&self.mac, &said);
        Ok(said)
    }

    /// Words are for people; not finding them must not keep a consent alive.
    async fn farewell(&self, standing: &Standing, issued: Timestamp, language: Language) -> String {
        let (Op::Grant(terms) | Op::Narrow(terms)) = &standing.said.op else { return String::new() };
        match self.known(&terms.grantee).await {
            Ok(who) => sentence(Said::Revoke, &who, issued, language).unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}
