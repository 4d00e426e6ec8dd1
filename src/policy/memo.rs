//! Remembers answers to questions that were asked before, bounded.
//!
//! Why this is sound, in a house that never caches an allow: what is remembered is not that someone may, but the value
//! of a pure function. The key is the SHA-256 digest of every input of the evaluation, injectively written: the policy
//! files, the asker, their standing and token scopes, the interaction, each provision with its revision and terms,
//! each exclusion, and every fact of the record except which record and version it is, which do not enter the
//! entities either. A revoked, narrowed or new consent, a changed label, a suspended organisation is another key.
//! Time is not an input: provisions out of their window are dropped before the key is made, and the ledger reads
//! revisions and windows again in its turn. Errors are not remembered.

use ring::digest::{Context, SHA256};

use super::question::{Exclusion, Provision, Standing};
use super::reason::Reason;
use crate::id::PatientId;
use crate::model::{ClinicalScope, Coding, Grantee, Interaction, Period, RecordFacts, Software, Terms};
use crate::recall::Recall;

/// What the evaluation of one record came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// Admitted under the provision at that place among those in force.
    Under(usize),
    /// Admitted as the asker's own.
    Own,
    /// Not admitted.
    No(Reason),
}

pub(super) type Key = [u8; 32];

/// Answers kept; about 5 MiB.
const CAPACITY: usize = 65_536;

/// The answers, by the digest of all that they depend on.
pub(super) struct Memo(Recall<Outcome>);

impl Default for Memo {
    fn default() -> Self {
        Self(Recall::with_capacity(CAPACITY))
    }
}

impl Memo {
    /// The answer, when it is remembered.
    pub(super) fn recall(&self, key: &Key) -> Option<Outcome> {
        self.0.get(key)
    }

    pub(super) fn keep(&self, key: Key, outcome: Outcome) {
        if outcome != Outcome::No(Reason::PolicyError) {
            self.0.keep(key, outcome);
        }
    }

    /// What is remembered for `record`, or what `evaluate` now comes to.
    pub(super) fn or_else(
        memo: Option<&Self>,
        shared: &Shared,
        record: &RecordFacts,
        evaluate: impl FnOnce() -> Outcome,
    ) -> Outcome {
        let Some(memo) = memo else { return evaluate() };
        let key = shared.key(record);
        memo.recall(&key).unwrap_or_else(|| {
            let outcome = evaluate();
            memo.keep(key, outcome);
            outcome
        })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Writes inputs so that no two different inputs are written the same: lengths and counts before contents.
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, n: i64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn count(&mut self, n: usize) {
        self.0.extend_from_slice(&(n as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn id(&mut self, id: &[u8; 16]) {
        self.0.extend_from_slice(id);
    }

    fn byte(&mut self, b: u8) {
        self.0.push(b);
    }

    fn codings(&mut self, codings: &[Coding]) {
        self.count(codings.len());
        for Coding { system, code } in codings {
            self.text(system);
            self.text(code);
        }
    }

    fn period(&mut self, Period { from, to }: &Period) {
        self.number(from.0);
        self.number(to.0);
    }

    fn scopes(&mut self, scopes: &[ClinicalScope]) {
        self.count(scopes.len());
        for ClinicalScope { resource_type, interactions, categories } in scopes {
            self.byte(u8::from(resource_type.is_some()));
            self.text(resource_type.as_deref().unwrap_or_default());
            for i in Interaction::ALL {
                self.byte(u8::from(interactions.has(i)));
            }
            self.codings(categories);
        }
    }

    fn grantee(&mut self, grantee: &Grantee) {
        match grantee {
            Grantee::Organisation(id) => {
                self.byte(0);
                self.id(id.as_bytes());
            }
            Grantee::Professional(id) => {
                self.byte(1);
                self.id(id.as_bytes());
            }
            Grantee::Role(id, profession) => {
                self.byte(2);
                self.id(id.as_bytes());
                self.text(profession.code());
            }
        }
    }

    // Every field is named here and below, so that a new one cannot be forgotten: it would not compile.
    fn terms(&mut self, terms: &Terms) {
        let Terms { grantee, scope, purpose, confidentiality, sensitivity, authored, valid } = terms;
        self.grantee(grantee);
        self.scopes(scope);
        self.count(purpose.len());
        for p in purpose {
            self.text(p.code());
        }
        self.number(confidentiality.rank());
        self.count(sensitivity.len());
        for s in sensitivity {
            self.text(s.code());
        }
        self.period(authored);
        self.period(valid);
    }

    fn software(&mut self, software: &Software) {
        let Software { client, organisation, kind, professional, purpose, scopes } = software;
        self.id(client.as_bytes());
        self.id(organisation.as_bytes());
        self.text(kind.word());
        self.byte(u8::from(professional.is_some()));
        if let Some((id, profession)) = professional {
            self.id(id.as_bytes());
            self.text(profession.code());
        }
        self.text(purpose.code());
        self.scopes(scopes);
    }
}

/// The digest of what all records of one question share.
pub(super) struct Shared(Context);

impl Shared {
    /// For software, under the provisions that are in force.
    pub(super) fn of_software(
        policy: &[u8; 32],
        asker: &Software,
        standing: Standing,
        interaction: Interaction,
        (provisions, exclusions): (&[&Provision], &[Exclusion]),
    ) -> Self {
        let mut w = Writer(Vec::with_capacity(1024));
        w.0.extend_from_slice(policy);
        w.byte(1);
        w.software(asker);
        let Standing { client, organisation, professional } = standing;
        w.0.extend([client, organisation, professional].map(u8::from));
        w.text(interaction.word());
        w.count(provisions.len());
        for Provision { consent, revision, patient, terms } in provisions {
            w.id(consent.as_bytes());
            w.id(patient.as_bytes());
            w.number(*revision);
            w.terms(terms);
        }
        w.count(exclusions.len());
        for Exclusion { consent, revision, professional } in exclusions {
            w.id(consent.as_bytes());
            w.number(*revision);
            w.id(professional.as_bytes());
        }
        let mut context = Context::new(&SHA256);
        context.update(&w.0);
        Self(context)
    }

    /// For a patient who asks for their own.
    pub(super) fn of_patient(policy: &[u8; 32], asker: PatientId, interaction: Interaction) -> Self {
        let mut w = Writer(Vec::with_capacity(96));
        w.0.extend_from_slice(policy);
        w.byte(0);
        w.id(asker.as_bytes());
        w.text(interaction.word());
        let mut context = Context::new(&SHA256);
        context.update(&w.0);
        Self(context)
    }

    /// The key of one record of the question. Which record and which version is left out, on purpose.
    pub(super) fn key(&self, facts: &RecordFacts) -> Key {
        let RecordFacts {
            key,
            version: _,
            resource_type,
            class,
            confidentiality,
            sensitivities,
            categories,
            document_types,
            authored,
            visibility,
            // The engine has taken out what is over by then.
            announced: _,
            author,
        } = facts;
        let mut w = Writer(Vec::with_capacity(256));
        w.id(key.patient.as_bytes());
        w.text(resource_type);
        w.text(class.word());
        w.number(confidentiality.rank());
        w.count(sensitivities.len());
        for s in sensitivities {
            w.text(s.code());
        }
        w.codings(categories);
        w.codings(document_types);
        w.byte(u8::from(authored.is_some()));
        if let Some(period) = authored {
            w.period(period);
        }
        w.count(visibility.len());
        for v in visibility {
            w.text(v.code());
        }
        w.byte(u8::from(author.is_some()));
        if let Some(author) = author {
            w.id(author.as_bytes());
        }
        let mut context = self.0.clone();
        context.update(&w.0);
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        out
    }
}
