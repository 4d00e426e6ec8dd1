//! The engine: policies loaded once, questions answered.

use std::borrow::Cow;
use std::collections::HashMap;

use cedar_policy::{Entities, Request, Schema};
use ring::digest::{Context, SHA256};

use super::PolicyError;
use super::access::{self, Asker};
use super::entities::{self, Names};
use super::layer::{Erred, Layer};
use super::matrix::Matrix;
use super::memo::{Memo, Outcome, Shared};
use super::permit::{Admitted, Denial, Matter, Permit};
use super::question::{Provision, Question};
use super::reason::Reason;
use crate::clock::Timestamp;
use crate::id::{DeedId, PatientId};
use crate::model::{Actor, Grantee, Purpose, RecordFacts, Software};

/// Each policy file by its path, in the order of the digest.
pub(super) const FILES: [(&str, &str); 4] = [
    ("fr/law.cedar", include_str!("../../policies/fr/law.cedar")),
    ("fr/matrix.toml", include_str!("../../policies/fr/matrix.toml")),
    ("garant.cedar", include_str!("../../policies/garant.cedar")),
    ("schema.cedarschema", include_str!("../../policies/schema.cedarschema")),
];

/// The policies, checked and ready.
pub struct Engine {
    pub(super) schema: Schema,
    pub(super) names: Names,
    pub(super) consent: Layer,
    pub(super) law: Layer,
    pub(super) matrix: Matrix,
    /// Each row of the matrix as a checked entity.
    pub(super) rows: HashMap<String, Entities>,
    memo: Memo,
    digest: [u8; 32],
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({})", self.digest_hex())
    }
}

impl Engine {
    /// Loads the embedded policies.
    ///
    /// # Errors
    /// [`PolicyError`] when a policy, the schema or the matrix is in any doubt; the server must then not start.
    pub fn load() -> Result<Self, PolicyError> {
        Self::load_from(&FILES)
    }

    pub(super) fn load_from(files: &[(&'static str, &str); 4]) -> Result<Self, PolicyError> {
        let [law, matrix, consent, schema] = files;
        let (schema, warnings) =
            Schema::from_cedarschema_str(schema.1).map_err(|e| PolicyError::Schema(e.to_string()))?;
        if let Some(warning) = warnings.into_iter().next() {
            return Err(PolicyError::Schema(warning.to_string()));
        }
        let names = Names::parse().map_err(PolicyError::Schema)?;
        let matrix = Matrix::load(matrix.1)?;
        let mut rows = HashMap::new();
        for (name, row) in &matrix.rows {
            let unsound = || PolicyError::Matrix(format!("row {name} does not fit the schema"));
            let row = entities::row(names.row(name), row).map_err(|Erred| unsound())?;
            let row = Entities::from_entities([row], Some(&schema)).map_err(|_| unsound())?;
            rows.insert(name.clone(), row);
        }
        Ok(Self {
            consent: Layer::load(consent.0, consent.1, &schema)?,
            law: Layer::load(law.0, law.1, &schema)?,
            schema,
            names,
            matrix,
            rows,
            memo: Memo::default(),
            digest: digest(files),
        })
    }

    /// SHA-256 over every policy file and the matrix; a decision cites it.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The digest in 64 hexadecimal characters, as statements carry it.
    #[must_use]
    pub fn digest_hex(&self) -> String {
        self.digest.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.memo.len()
    }

    /// The edition of the profession matrix in force and its date (FR-30).
    #[must_use]
    pub fn matrix_edition(&self) -> (&str, &str) {
        (&self.matrix.version, &self.matrix.date)
    }

    /// Answers the question: a permit for the records that may be had, or a denial when none may.
    ///
    /// A record is admitted when the law and at least one provision in force allow it (the first such provision is
    /// what it rests on), or when it is the asker's own. The caller has verified the provisions' signatures; the
    /// ledger reads their revisions again in its turn.
    ///
    /// # Errors
    /// A [`Denial`] with the most telling reason. A record whose evaluation erred is not admitted.
    pub fn decide(&self, deed: DeedId, question: &Question<'_>) -> Result<Permit, Denial> {
        self.decide_with(deed, question, Some(&self.memo))
    }

    pub(super) fn decide_with(&self, deed: DeedId, q: &Question<'_>, memo: Option<&Memo>) -> Result<Permit, Denial> {
        let purpose = match q.actor {
            Actor::Patient(_) => Purpose::Patrqt,
            Actor::Software(software) => software.purpose,
        };
        let records = &*at(q.records, q.now);
        let q = &Question { records, ..*q };
        let patient = match one_patient(q.records) {
            Ok(patient) => patient,
            Err(reason) => {
                let (interaction, policy) = (q.interaction, self.digest);
                return Err(Denial { deed, reason, patient: None, interaction, purpose, policy });
            }
        };
        let matter = Matter { deed, patient, interaction: q.interaction, purpose, policy: self.digest };
        let in_force: Vec<&Provision> = q.provisions.iter().filter(|p| p.terms.in_force(q.now)).collect();
        let outcomes = match q.actor {
            Actor::Patient(who) => {
                let shared = Shared::of_patient(&self.digest, *who, q.interaction);
                let own = |r| Memo::or_else(memo, &shared, r, || access::own(self, *who, q.interaction, r));
                q.records.iter().map(own).collect()
            }
            Actor::Software(software) => self.software_outcomes(software, q, &in_force, memo),
        };
        let mut admitted = Vec::with_capacity(outcomes.len());
        let mut why = Reason::NoRecord;
        for (record, outcome) in q.records.iter().zip(outcomes) {
            let under = match outcome {
                Outcome::No(reason) => {
                    why = why.max(reason);
                    continue;
                }
                Outcome::Own => None,
                Outcome::Under(place) => match in_force.get(place) {
                    Some(provision) => Some((provision.consent, provision.revision)),
                    None => return Err(matter.refuse(Reason::PolicyError)),
                },
            };
            admitted.push(Admitted { record: (record.key, record.version), under });
        }
        if admitted.is_empty() {
            return Err(matter.refuse(if why == Reason::NoConsent { without_consent(q) } else { why }));
        }
        Permit::grant(&matter, q.actor, admitted)
    }

    fn software_outcomes(
        &self,
        software: &Software,
        q: &Question<'_>,
        provisions: &[&Provision],
        memo: Option<&Memo>,
    ) -> Vec<Outcome> {
        let Question { standing, interaction, exclusions, .. } = *q;
        let asker = Asker { software, standing, interaction, provisions, exclusions };
        let shared = Shared::of_software(&self.digest, software, standing, interaction, (provisions, exclusions));
        let mut entities: Option<Result<Entities, Erred>> = None;
        let mut outcome = |record: &RecordFacts| {
            Memo::or_else(memo, &shared, record, || match entities.get_or_insert_with(|| asker.entities(self)) {
                Ok(entities) => asker.outcome(self, entities, record),
                Err(Erred) => Outcome::No(Reason::PolicyError),
            })
        };
        q.records.iter().map(&mut outcome).collect()
    }

    /// Whether both what the patient allows and what the law allows say yes.
    pub(super) fn allows(&self, request: &Request, all: &Entities) -> Result<bool, Erred> {
        // Both are asked, always: an error in either is an error, even beside a no.
        let (consent, law) = (self.consent.allows(request, all)?, self.law.allows(request, all)?);
        Ok(consent && law)
    }

    /// The reason why they do not; an error when there is none, for then something is amiss.
    pub(super) fn why(&self, action: &str, request: &Request, all: &Entities) -> Result<Reason, Erred> {
        let reasons = [self.consent.why(action, request, all)?, self.law.why(action, request, all)?];
        reasons.into_iter().flatten().min().ok_or(Erred)
    }

    /// `None` for yes, otherwise the reason.
    pub(super) fn judge(&self, action: &str, request: &Request, all: &Entities) -> Result<Option<Reason>, Erred> {
        if self.allows(request, all)? { Ok(None) } else { self.why(action, request, all).map(Some) }
    }
}

/// The records as they count at `now`: time is no input of what is remembered.
fn at(records: &[RecordFacts], now: Timestamp) -> Cow<'_, [RecordFacts]> {
    if records.iter().any(|r| r.is_announced(now)) {
        return records.iter().map(|r| r.clone().at(now)).collect();
    }
    Cow::Borrowed(records)
}

fn one_patient(records: &[RecordFacts]) -> Result<PatientId, Reason> {
    let first = records.first().ok_or(Reason::NoRecord)?.key.patient;
    if records.iter().all(|r| r.key.patient == first) { Ok(first) } else { Err(Reason::SeveralPatients) }
}

// Told apart for the log only: no consent reaches this actor, or one does but not at this moment.
fn without_consent(q: &Question<'_>) -> Reason {
    let grantees: Vec<Grantee> = match q.actor {
        Actor::Patient(_) => Vec::new(),
        Actor::Software(software) => software.grantees(),
    };
    let late = |p: &Provision| !p.terms.in_force(q.now) && grantees.contains(&p.terms.grantee);
    if q.provisions.iter().any(late) { Reason::Window } else { Reason::NoConsent }
}

fn digest(files: &[(&'static str, &str); 4]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for (name, text) in files {
        for part in [name, text] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
    }
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}
