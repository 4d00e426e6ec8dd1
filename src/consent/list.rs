//! What a patient has agreed to, as it stands, with the statements served as they were signed.

use super::check::Unproved;
use super::grantee::Known;
use super::row::ConsentSeal;
use super::sentence::{Said, sentence};
use super::{ConsentError, Consents, words};
use crate::clock::Timestamp;
use crate::id::{ConsentId, PatientId, ProfessionalId};
use crate::model::{Grantee, Language, Op, OrganisationKind, Terms};
use crate::store::rows::ConsentRow;
use crate::vault::PatientKeys;

/// A consent as its patient sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// Which.
    pub consent: ConsentId,
    /// Its current revision.
    pub revision: i64,
    /// `pending`, `active`, `expired` or `ended`.
    pub state: &'static str,
    /// The terms in force, or last in force; none for an exclusion.
    pub terms: Option<Terms>,
    /// Who is shut out, when it is an exclusion.
    pub excluded: Option<ProfessionalId>,
    /// The grantee, or who is shut out; absent when the register no longer knows them.
    pub(super) who: Option<Known>,
    /// The guarantor's token over the terms.
    pub token: Option<String>,
    /// Log index of the current revision.
    pub leaf: u64,
    /// Every revision, the first one first.
    pub history: Vec<Past>,
}

impl View {
    /// The grantee's public name; absent when the register no longer knows them.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.who.as_ref().map(|who| who.name.as_str())
    }

    /// Their profession, in words.
    #[must_use]
    pub fn profession(&self, language: Language) -> Option<String> {
        Some(words::profession(self.who.as_ref()?.profession.as_ref()?, language))
    }

    /// What they are, or what they work for: care before anything else.
    #[must_use]
    pub fn kind(&self) -> Option<OrganisationKind> {
        self.who.as_ref()?.circle()
    }

    /// Whether the grantee stands; one who is suspended reads nothing, whatever was agreed.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.who.as_ref().is_some_and(|who| who.active)
    }

    /// What is agreed to, in one sentence; absent when there are no terms, or nobody known to have them.
    #[must_use]
    pub fn sentence(&self, language: Language) -> Option<String> {
        let issued = self.history.last()?.issued;
        let said = match (&self.terms, self.excluded) {
            (Some(terms), _) => Said::Grant(terms),
            (None, Some(_)) => Said::Exclude,
            (None, None) => return None,
        };
        sentence(said, self.who.as_ref()?, issued, language).ok()
    }
}

/// A revision of a consent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Past {
    /// From 1.
    pub revision: i64,
    /// `grant`, `narrow`, `revoke`, `exclude` or `lift`.
    pub op: &'static str,
    /// When it was prepared.
    pub issued: Timestamp,
    /// Log index.
    pub leaf: u64,
    /// The statement, byte for byte.
    pub statement: Vec<u8>,
    /// How it was signed (`proof::statement::Evidence`); empty for a revocation, which needs no signature.
    pub evidence: Vec<u8>,
}

impl Consents {
    /// Every consent of a patient, ended ones too.
    ///
    /// # Errors
    /// [`ConsentError::Unavailable`] when a row does not prove what it says: nothing is then shown as if it held.
    pub async fn list(&self, patient: PatientId) -> Result<Vec<View>, ConsentError> {
        let keys = self.keys(patient).await?;
        let mut views = Vec::new();
        for row in self.store.consents_of(patient).await? {
            views.push(self.view(patient, &row, &keys).await?);
        }
        Ok(views)
    }

    /// One consent of a patient.
    ///
    /// # Errors
    /// [`ConsentError::Unknown`] when there is none.
    pub async fn one(&self, patient: PatientId, consent: ConsentId) -> Result<View, ConsentError> {
        let keys = self.keys(patient).await?;
        let row = self.store.consent_of(patient, consent).await?.ok_or(ConsentError::Unknown)?;
        self.view(patient, &row, &keys).await
    }

    async fn view(&self, patient: PatientId, row: &ConsentRow, keys: &PatientKeys) -> Result<View, ConsentError> {
        if row.state == "active" {
            self.checker.check(patient, row, keys)?;
        } else if !ConsentSeal::of(patient, row).holds(&self.mac, &row.seal) {
            return Err(Unproved("row altered").into());
        }
        let mut view = View {
            consent: row.consent,
            revision: row.revision,
            state: "ended",
            terms: None,
            excluded: None,
            who: None,
            token: None,
            leaf: 0,
            history: Vec::new(),
        };
        for past in self.store.revisions_of(patient, row.consent).await? {
            let (kept, said) = self.opened(patient, (past.consent, past.revision), &past.evidence, keys)?;
            let op = said.op.word();
            match said.op {
                Op::Grant(terms) | Op::Narrow(terms) => {
                    view.terms = Some(terms);
                    view.token = String::from_utf8(kept.token).ok();
                }
                Op::Exclude(professional) => view.excluded = Some(professional),
                Op::Revoke | Op::Lift => {}
            }
            view.leaf = u64::try_from(past.leaf).unwrap_or(0);
            let (revision, issued, leaf) = (past.revision, said.issued, view.leaf);
            let (statement, evidence) = (kept.statement, kept.evidence);
            view.history.push(Past { revision, op, issued, leaf, statement, evidence });
        }
        if view.history.last().map(|past| past.revision) != Some(row.revision) {
            return Err(Unproved("revisions missing").into());
        }
        view.who = self.grantee_of(&view).await?;
        if row.state == "active" {
            view.state = at(view.terms.as_ref(), self.clock.now());
        }
        Ok(view)
    }

    async fn grantee_of(&self, view: &View) -> Result<Option<Known>, ConsentError> {
        let excluded = view.excluded.map(Grantee::Professional);
        let Some(grantee) = view.terms.as_ref().map(|t| t.grantee.clone()).or(excluded) else { return Ok(None) };
        match self.known(&grantee).await {
            Ok(who) => Ok(Some(who)),
            Err(ConsentError::NoGrantee) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

/// Where an active consent stands in its own time.
fn at(terms: Option<&Terms>, now: Timestamp) -> &'static str {
    match terms {
        Some(terms) if now >= terms.valid.to => "expired",
        Some(terms) if now < terms.valid.from => "pending",
        Some(_) | None => "active",
    }
}
