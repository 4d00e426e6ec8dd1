//! One policy set: loaded strictly, asked without trust in silence, and able to say why not.

use std::collections::HashSet;
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, Request, Schema, ValidationMode, Validator,
};
use serde_json::Value;

use super::PolicyError;
use super::reason::Reason;

/// The set could not be evaluated; whoever asked must refuse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Erred;

/// A policy set and, derived from the same text, one policy per condition that tells which conditions were met.
pub(super) struct Layer {
    set: PolicySet,
    conditions: PolicySet,
    policies: Vec<Clauses>,
}

/// The conditions of one policy: those that say to whom it applies, and those whose failure is a reason.
struct Clauses {
    action: String,
    applies: Vec<PolicyId>,
    limits: Vec<(PolicyId, Reason)>,
}

impl Layer {
    /// Loads `text`; refuses anything that strict validation or the house doubts.
    pub(super) fn load(file: &'static str, text: &str, schema: &Schema) -> Result<Self, PolicyError> {
        let set = PolicySet::from_str(text).map_err(|e| PolicyError::Syntax(file, e.to_string()))?;
        validate(file, &set, schema)?;
        let mut layer = Self { set, conditions: PolicySet::new(), policies: Vec::new() };
        if layer.set.templates().next().is_some() {
            return Err(PolicyError::House(file, "?".to_owned(), "templates are not used here"));
        }
        let mut seen = HashSet::new();
        for policy in layer.set.policies() {
            let id = policy.annotation("id").unwrap_or_default().to_owned();
            let wrong = |what| PolicyError::House(file, id.clone(), what);
            // A forbid that errs is skipped by Cedar: only permits, so that an error can only take away.
            if policy.effect() != Effect::Permit {
                return Err(wrong("restrictions are conditions of permit, never forbid"));
            }
            if id.is_empty() || !seen.insert(id.clone()) {
                return Err(wrong("each policy has an @id of its own"));
            }
            let clauses = clauses(policy, &id, &mut layer.conditions).map_err(wrong)?;
            layer.policies.push(clauses);
        }
        // Each condition must hold on its own, or its failure would be an error instead of a reason.
        validate(file, &layer.conditions, schema)?;
        Ok(layer)
    }

    /// Whether the set allows the request. An error anywhere is an error, whatever the decision beside it says.
    pub(super) fn allows(&self, request: &Request, entities: &Entities) -> Result<bool, Erred> {
        let response = Authorizer::new().is_authorized(request, &self.set, entities);
        if response.diagnostics().errors().next().is_some() {
            return Err(Erred);
        }
        Ok(response.decision() == Decision::Allow)
    }

    /// Why the set does not allow the request: the first reason of a policy that applies; `None` when it allows.
    pub(super) fn why(&self, action: &str, request: &Request, entities: &Entities) -> Result<Option<Reason>, Erred> {
        let response = Authorizer::new().is_authorized(request, &self.conditions, entities);
        if response.diagnostics().errors().next().is_some() {
            return Err(Erred);
        }
        let met: HashSet<&PolicyId> = response.diagnostics().reason().collect();
        let applying = self.policies.iter().filter(|p| p.action == action && p.applies.iter().all(|c| met.contains(c)));
        let mut why = Some(Reason::NoGround);
        for policy in applying {
            why = policy.limits.iter().filter(|(c, _)| !met.contains(c)).map(|(_, reason)| *reason).min();
            if why.is_none() {
                break;
            }
        }
        Ok(why)
    }

    /// A set that was not checked, to show what the wrapper is for.
    #[cfg(test)]
    pub(super) fn unchecked(text: &str) -> Self {
        Self { set: text.parse().unwrap(), conditions: PolicySet::new(), policies: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn set(&self) -> &PolicySet {
        &self.set
    }
}

fn validate(file: &'static str, set: &PolicySet, schema: &Schema) -> Result<(), PolicyError> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    if result.validation_passed_without_warnings() {
        return Ok(());
    }
    let errors = result.validation_errors().map(ToString::to_string);
    let all: Vec<String> = errors.chain(result.validation_warnings().map(ToString::to_string)).collect();
    Err(PolicyError::Invalid(file, all.join("; ")))
}

/// Splits a policy into one policy per condition, added to `out`, and reads the reason of each.
fn clauses(policy: &Policy, id: &str, out: &mut PolicySet) -> Result<Clauses, &'static str> {
    const SHAPE: &str = "the policy has no shape we can split";
    let json = policy.to_json().map_err(|_| SHAPE)?;
    let action = json.pointer("/action/entity/id").and_then(Value::as_str).ok_or("the policy names one action")?;
    let conditions = json.get("conditions").and_then(Value::as_array).ok_or(SHAPE)?;
    let reasons: Vec<&str> = policy.annotation("reasons").unwrap_or_default().split_ascii_whitespace().collect();
    if reasons.len() != conditions.len() {
        return Err("@reasons names one reason for each condition");
    }
    let mut clauses = Clauses { action: action.to_owned(), applies: Vec::new(), limits: Vec::new() };
    for (i, (condition, code)) in conditions.iter().zip(reasons).enumerate() {
        let mut one = json.clone();
        let slot = one.get_mut("conditions").ok_or(SHAPE)?;
        *slot = Value::Array(vec![condition.clone()]);
        let name = PolicyId::new(format!("{id}#{i}"));
        let one = Policy::from_json(Some(name.clone()), one).map_err(|_| SHAPE)?;
        out.add(one).map_err(|_| SHAPE)?;
        match code {
            "-" => clauses.applies.push(name),
            code => clauses.limits.push((name, Reason::of(code).ok_or("@reasons names a reason that is not known")?)),
        }
    }
    Ok(clauses)
}
