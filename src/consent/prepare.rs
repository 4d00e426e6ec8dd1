//! The deed prepare: what a patient is to sign, as bytes and as one sentence.

use super::issued::{nonce, text_hash};
use super::record::Making;
use super::sentence::{Said, sentence};
use super::{ConsentError, Consents};
use crate::clock::Timestamp;
use crate::id::{ConsentId, PatientId, ProfessionalId};
use crate::model::{Grantee, Language, Op, Statement, Terms};
use crate::vault::PatientKeys;

/// What a patient wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wish {
    /// To give access.
    Grant(Terms),
    /// To leave a consent with narrower terms.
    Narrow(ConsentId, Terms),
    /// To shut out a professional.
    Exclude(ProfessionalId),
    /// To end an exclusion.
    Lift(ConsentId),
}

/// What is to be shown and signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// The statement, byte for byte what is to be signed.
    pub statement: Vec<u8>,
    /// The sentence to be shown; its hash is in the statement.
    pub text: String,
}

impl Consents {
    /// Writes the statement and the sentence for a wish; whatever could not be signed is refused here already.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn prepare(&self, patient: PatientId, wish: Wish, language: Language) -> Result<Draft, ConsentError> {
        let keys = self.keys(patient).await?;
        let (consent, revision, op) = match wish {
            Wish::Grant(terms) => (self.new_consent()?, 1, Op::Grant(terms)),
            Wish::Exclude(professional) => (self.new_consent()?, 1, Op::Exclude(professional)),
            Wish::Narrow(consent, terms) => (consent, self.next_of(patient, consent, &keys).await?, Op::Narrow(terms)),
            Wish::Lift(consent) => (consent, self.next_of(patient, consent, &keys).await?, Op::Lift),
        };
        let mut statement = self.written(patient, (consent, revision), op, language)?;
        // Read back: terms that would not be accepted as signed bytes must not be shown.
        self.making(&Statement::parse(&statement.to_bytes())?, &keys).await?;
        let text = self.text(&statement, &keys).await?;
        statement.text_hash = text_hash(&text);
        statement.nonce = nonce(&self.mac, &statement);
        Ok(Draft { statement: statement.to_bytes(), text })
    }

    /// A statement with all that the server fills in, but for the hash of its text and its nonce.
    pub(super) fn written(
        &self,
        patient: PatientId,
        (consent, revision): (ConsentId, i64),
        op: Op,
        language: Language,
    ) -> Result<Statement, ConsentError> {
        Ok(Statement {
            id: self.statement_id()?,
            consent,
            revision,
            patient,
            audience: self.checker.audience.clone(),
            issued: Timestamp::from_secs(self.clock.now().secs()),
            language: language.code().to_owned(),
            text_hash: "0".repeat(64),
            policy: self.engine.digest_hex(),
            nonce: "0".repeat(43),
            op,
        })
    }

    /// What a statement makes of its consent, if it may be made at all.
    pub(super) async fn making(&self, said: &Statement, keys: &PatientKeys) -> Result<Making, ConsentError> {
        match &said.op {
            Op::Grant(terms) => self.granting(said, terms).await,
            Op::Narrow(terms) => self.narrowing(said, terms, keys).await,
            Op::Exclude(professional) => self.excluding(said, *professional).await,
            Op::Lift => self.lifting(said, keys).await,
            // A revocation needs no signature and no draft.
            Op::Revoke => Err(ConsentError::NotIssued),
        }
    }

    /// The sentence for a statement, from its terms and the register as it is now.
    pub(super) async fn text(&self, said: &Statement, keys: &PatientKeys) -> Result<String, ConsentError> {
        let language = said.language.parse().map_err(|_| ConsentError::NotIssued)?;
        let (grantee, what) = match &said.op {
            Op::Grant(terms) => (terms.grantee.clone(), Said::Grant(terms)),
            Op::Narrow(terms) => (terms.grantee.clone(), Said::Narrow(terms)),
            Op::Exclude(professional) => (Grantee::Professional(*professional), Said::Exclude),
            Op::Lift => (Grantee::Professional(self.excluded(said, keys).await?), Said::Lift),
            Op::Revoke => return Err(ConsentError::NotIssued),
        };
        Ok(sentence(what, &self.known(&grantee).await?, said.issued, language)?)
    }

    fn new_consent(&self) -> Result<ConsentId, ConsentError> {
        Ok(ConsentId::random(&*self.chance)?)
    }

    async fn next_of(&self, patient: PatientId, consent: ConsentId, keys: &PatientKeys) -> Result<i64, ConsentError> {
        self.standing(patient, consent, keys).await?.next()
    }
}
