//! Conditions on other records: chained parameters and `_has`, as steps that are answered one after another.
//!
//! Each step asks one type of the same patient one thing. Whoever runs the steps decides on every record before a
//! step sees it, so that what is hidden can neither match nor be told (FH-61).

use std::collections::HashSet;

use super::clause::{Clause, Term};
use super::matching;
use super::parameters::{self, Kind};
use super::query::{BadQuery, Query};
use super::schema::schema;
use super::values::SearchValues;
use crate::model::RecordKey;

/// The most links of one chain.
const DEEPEST: usize = 3;
/// The most steps of one search.
const MOST: usize = 32;

/// One condition of a search or of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    Plain(Clause),
    /// A reference under `code` leads to a record that one of these steps found.
    Through {
        code: &'static str,
        steps: Vec<usize>,
    },
    /// A record that this step found refers here.
    Has {
        step: usize,
    },
}

/// One type to look through before the search itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The type.
    pub resource_type: &'static str,
    condition: Condition,
    /// For `_has`: the parameter whose references count, and the type they must lead to.
    via: Option<(&'static str, &'static str)>,
}

/// All steps of a search; those that others need come first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Chains {
    steps: Vec<Step>,
}

/// What the steps found.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Answers(Vec<HashSet<RecordKey>>);

impl Clause {
    /// Its alternative, when it has exactly one.
    pub(super) fn only(&self) -> Option<&Term> {
        if let [term] = self.terms.as_slice() { Some(term) } else { None }
    }
}

impl Chains {
    /// Reads one parameter of `resource_type`, whatever its form.
    pub(super) fn read(
        &mut self,
        resource_type: &'static str,
        name: &str,
        value: &str,
        base: &str,
    ) -> Result<Condition, BadQuery> {
        self.link(resource_type, name, value, base, DEEPEST)
    }

    fn link(
        &mut self,
        resource_type: &'static str,
        name: &str,
        value: &str,
        base: &str,
        left: usize,
    ) -> Result<Condition, BadQuery> {
        if let Some(rest) = name.strip_prefix("_has:") {
            let mut parts = rest.splitn(3, ':');
            let (source, code, rest) = (parts.next(), parts.next(), parts.next());
            let (Some(source), Some(code), Some(rest)) = (source, code, rest) else { return Err(BadQuery::Parameter) };
            let source = schema().resource(source).ok_or(BadQuery::Parameter)?.1.name;
            let via = reference(source, code)?;
            if !via.targets.is_empty() && !via.targets.contains(&resource_type) {
                return Err(BadQuery::Parameter);
            }
            let left = left.checked_sub(1).ok_or(BadQuery::TooLarge)?;
            let condition = self.link(source, rest, value, base, left)?;
            let step = self.add(Step { resource_type: source, condition, via: Some((via.code, resource_type)) })?;
            return Ok(Condition::Has { step });
        }
        let Some((head, rest)) = name.split_once('.') else {
            return Clause::read(resource_type, name, value, base).map(Condition::Plain);
        };
        let left = left.checked_sub(1).ok_or(BadQuery::TooLarge)?;
        let (code, kind) = head.split_once(':').map_or((head, None), |(c, k)| (c, Some(k)));
        let via = reference(resource_type, code)?;
        let targets: Vec<&'static str> = match kind {
            Some(kind) => {
                let kind = schema().resource(kind).ok_or(BadQuery::Modifier(via.code))?.1.name;
                if !via.targets.is_empty() && !via.targets.contains(&kind) {
                    return Err(BadQuery::Modifier(via.code));
                }
                vec![kind]
            }
            // A reference to anything at all must say which type is meant.
            None if via.targets.is_empty() => return Err(BadQuery::Parameter),
            None => via.targets.clone(),
        };
        let mut steps = Vec::new();
        for target in targets {
            let before = self.steps.len();
            match self.link(target, rest, value, base, left) {
                Ok(condition) => steps.push(self.add(Step { resource_type: target, condition, via: None })?),
                // Other types that the reference may lead to have the parameter, or none has.
                Err(BadQuery::Parameter) => self.steps.truncate(before),
                Err(error) => return Err(error),
            }
        }
        if steps.is_empty() { Err(BadQuery::Parameter) } else { Ok(Condition::Through { code: via.code, steps }) }
    }

    fn add(&mut self, step: Step) -> Result<usize, BadQuery> {
        if self.steps.len() >= MOST {
            return Err(BadQuery::TooLarge);
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    /// The plain clause of the one among `steps` that asks `resource_type`.
    pub(super) fn only_clause(&self, steps: &[usize], resource_type: &str) -> Option<&Clause> {
        let step = steps.iter().filter_map(|i| self.steps.get(*i)).find(|s| s.resource_type == resource_type)?;
        if let Condition::Plain(clause) = &step.condition { Some(clause) } else { None }
    }
}

fn reference(resource_type: &str, code: &str) -> Result<&'static parameters::Parameter, BadQuery> {
    parameters::find(resource_type, code).filter(|p| p.kind == Kind::Reference).ok_or(BadQuery::Parameter)
}

impl Query {
    /// The steps to be run before the search, in this order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.chains.steps
    }

    /// For each condition on other records, the types it asks: if none of them may be searched, nothing can match.
    pub fn asked_beyond(&self) -> impl Iterator<Item = Vec<&'static str>> {
        let of = |i: &usize| self.chains.steps.get(*i).map(|s| s.resource_type);
        let inner = self.chains.steps.iter().map(|s| &s.condition);
        self.conditions.iter().chain(inner).filter_map(move |condition| match condition {
            Condition::Plain(_) => None,
            Condition::Through { steps, .. } => Some(steps.iter().filter_map(of).collect()),
            Condition::Has { step } => Some(of(step).into_iter().collect()),
        })
    }

    /// Whether a record of the step's type meets it, and which records are then found by it.
    #[must_use]
    pub fn step(
        &self,
        step: &Step,
        key: RecordKey,
        values: &SearchValues,
        answers: &Answers,
    ) -> Option<Vec<RecordKey>> {
        if !self.holds(&step.condition, key, values, answers) {
            return None;
        }
        let Some((code, kind)) = step.via else { return Some(vec![key]) };
        let found = values.of(code).iter().filter_map(|v| self.key_in(v));
        Some(found.filter(|(k, _)| *k == kind).map(|(_, key)| key).collect())
    }

    /// Whether a record with this key and these values is found.
    #[must_use]
    pub fn matches(&self, key: RecordKey, values: &SearchValues, answers: &Answers) -> bool {
        self.conditions.iter().all(|c| self.holds(c, key, values, answers))
    }

    fn holds(&self, condition: &Condition, key: RecordKey, values: &SearchValues, answers: &Answers) -> bool {
        match condition {
            Condition::Plain(clause) => matching::clause(self, clause, values.of(clause.code)),
            Condition::Has { step } => answers.0.get(*step).is_some_and(|found| found.contains(&key)),
            Condition::Through { code, steps } => {
                let leads = |i: &usize| {
                    let (Some(step), Some(found)) = (self.chains.steps.get(*i), answers.0.get(*i)) else {
                        return false;
                    };
                    let mut keys = values.of(code).iter().filter_map(|v| self.key_in(v));
                    keys.any(|(kind, key)| kind == step.resource_type && found.contains(&key))
                };
                steps.iter().any(leads)
            }
        }
    }
}

impl Answers {
    /// Keeps what the next step found.
    pub fn push(&mut self, found: HashSet<RecordKey>) {
        self.0.push(found);
    }
}
