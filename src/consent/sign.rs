//! The deed sign: a prepared statement comes back signed, and holds from its turn on.

use super::issued::text_hash;
use super::signer::counter;
use super::{ConsentError, Consents, Kept, RequestId};
use crate::id::{ConsentId, PatientId};
use crate::model::{Op, Statement};
use crate::proof::consent_token::TYP;
use crate::proof::{ConsentToken, Evidence};
use crate::store::turn::Write;
use crate::vault::PatientKeys;

/// A statement and how it was signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// The exact bytes that were signed.
    pub statement: Vec<u8>,
    /// By what.
    pub evidence: Evidence,
    /// The request that a grant answers: accepted in the same turn.
    pub answers: Option<RequestId>,
}

/// What a patient is given for a signed statement (CR-06).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsentReceipt {
    /// The consent.
    pub consent: ConsentId,
    /// The revision made.
    pub revision: i64,
    /// Its place in the log.
    pub leaf: u64,
    /// The guarantor's token; none for an exclusion or its end.
    pub token: Option<String>,
    /// Whether this had been done before, and nothing was done now.
    pub again: bool,
}

impl Consents {
    /// Takes a signed grant, narrowing, exclusion or lift.
    ///
    /// The same bytes again give the first result again (CT-06).
    ///
    /// # Errors
    /// [`ConsentError`]; nothing was changed.
    pub async fn sign(&self, patient: PatientId, signed: &Signed) -> Result<ConsentReceipt, ConsentError> {
        let said = Statement::parse(&signed.statement)?;
        if said.patient != patient || said.audience != self.checker.audience {
            return Err(ConsentError::Elsewhere);
        }
        let keys = self.keys(patient).await?;
        if let Some(first) = self.first(&said, &signed.statement, &keys).await? {
            return Ok(first);
        }
        self.fresh(&said)?;
        let making = self.making(&said, &keys).await?;
        if text_hash(&self.text(&said, &keys).await?) != said.text_hash {
            return Err(ConsentError::Changed);
        }
        let (kept, device) = self.evidence(&said, signed).await?;
        let mut beside = vec![device];
        if let Some(request) = signed.answers {
            beside.push(self.accepting(&said, request, &keys).await?);
        }
        match self.record(&said, making, &kept, &keys, beside).await? {
            Some(leaf) => Ok(receipt(&said, leaf, &kept, false)),
            // Somebody was faster: with these very bytes, or with something else.
            None => self.first(&said, &signed.statement, &keys).await?.ok_or(ConsentError::Conflict),
        }
    }

    /// Verifies the patient's signature, countersigns, and gives what is to be kept; and the write that holds the
    /// key to being active at the very turn (WA-13).
    async fn evidence(&self, said: &Statement, signed: &Signed) -> Result<(Kept, Write), ConsentError> {
        let (device, row) = self.signer_of(said.patient, &signed.statement, &signed.evidence).await?;
        if matches!(said.op, Op::Grant(_) | Op::Lift) {
            self.ripe(&device).await?;
        }
        let token = match &said.op {
            Op::Grant(_) | Op::Narrow(_) => {
                let (issuer, kind) = (&self.checker.issuer, signed.evidence.kind());
                let token = ConsentToken::of(&signed.statement, issuer, device.id, kind);
                let claims = token.ok_or(ConsentError::NotIssued)?.to_claims_json();
                self.signer.sign(TYP, claims.as_bytes())?
            }
            Op::Exclude(_) | Op::Lift | Op::Revoke => String::new(),
        };
        let kept = Kept {
            statement: signed.statement.clone(),
            evidence: signed.evidence.to_bytes(),
            enrolment: row.body.into_bytes(),
            enrolment_signature: row.signature,
            token: token.into_bytes(),
        };
        // Nothing is recorded that a read would not believe.
        self.checker.prove(&kept)?;
        let counter = i64::from(counter(&signed.evidence));
        Ok((kept, Write::Signer { patient: said.patient, device: device.id, counter }))
    }

    /// The first result of this statement, when it was taken before.
    async fn first(
        &self,
        said: &Statement,
        bytes: &[u8],
        keys: &PatientKeys,
    ) -> Result<Option<ConsentReceipt>, ConsentError> {
        let Some(row) = self.store.revision_by_statement(said.patient, said.id).await? else { return Ok(None) };
        let (kept, first) = self.opened(said.patient, (row.consent, row.revision), &row.evidence, keys)?;
        if kept.statement != bytes {
            return Err(ConsentError::Conflict);
        }
        Ok(Some(receipt(&first, u64::try_from(row.leaf).unwrap_or(0), &kept, true)))
    }
}

fn receipt(said: &Statement, leaf: u64, kept: &Kept, again: bool) -> ConsentReceipt {
    let token = std::str::from_utf8(&kept.token).ok().filter(|t| !t.is_empty()).map(str::to_owned);
    ConsentReceipt { consent: said.consent, revision: said.revision, leaf, token, again }
}
