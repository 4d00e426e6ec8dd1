//! `_include` and `_revinclude`: what comes along with the matches.

use super::parameters::{self, Kind};
use super::query::{BadQuery, Query};
use super::schema::schema;
use super::values::{SearchValue, SearchValues};
use crate::model::RecordKey;

/// The most that one search may name.
pub(super) const MOST: usize = 16;

/// One rule: from records of `source` along the references of `code` to `target`, or the other way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Include {
    /// `_revinclude`: what points to the matches comes along, not what they point to.
    pub reverse: bool,
    /// Also for what came along itself.
    pub iterate: bool,
    /// The type that has the reference.
    pub source: &'static str,
    code: &'static str,
    /// The type referred to, when only one is meant.
    target: Option<&'static str>,
}

/// Reads `_include[:iterate]=Source:code[:Target]`; anything wider is refused.
pub(super) fn read(searched: &str, name: &str, value: &str) -> Result<Include, BadQuery> {
    let (head, iterate) = match name.split_once(':') {
        None => (name, false),
        Some((head, "iterate")) => (head, true),
        Some(("_include", _)) => return Err(BadQuery::Modifier("_include")),
        Some((_, _)) => return Err(BadQuery::Modifier("_revinclude")),
    };
    let (reverse, name) = match head {
        "_include" => (false, "_include"),
        "_revinclude" => (true, "_revinclude"),
        _ => return Err(BadQuery::Parameter),
    };
    let bad = BadQuery::Value(name);
    let mut parts = value.split(':');
    let (source, code, target) = (parts.next().unwrap_or_default(), parts.next().ok_or(bad)?, parts.next());
    let source = schema().resource(source).ok_or(bad)?.1.name;
    let parameter = parameters::find(source, code).filter(|p| p.kind == Kind::Reference).ok_or(bad)?;
    let admits = |name: &str| parameter.targets.is_empty() || parameter.targets.contains(&name);
    let target = match target {
        None => None,
        Some(text) => Some(schema().resource(text).ok_or(bad)?.1.name),
    };
    // What could never come along is a mistake of the asker (FH-44).
    let reaches = if reverse { admits(searched) && target.is_none_or(|t| t == searched) } else { source == searched };
    if parts.next().is_some() || target.is_some_and(|t| !admits(t)) || !(iterate || reaches) {
        return Err(bad);
    }
    Ok(Include { reverse, iterate, source, code: parameter.code, target })
}

impl Query {
    /// The records of ours that a record of the rule's source refers to under the rule.
    #[must_use]
    pub fn follow(&self, include: &Include, values: &SearchValues) -> Vec<(&'static str, RecordKey)> {
        let found = values.of(include.code).iter().filter_map(|v| self.key_in(v));
        found.filter(|(kind, _)| include.target.is_none_or(|target| target == *kind)).collect()
    }

    /// The record of ours that a reference points to.
    pub(super) fn key_in(&self, value: &SearchValue) -> Option<(&'static str, RecordKey)> {
        let SearchValue::Reference(text) = value else { return None };
        let text = super::clause::own(text, &self.base);
        let plain = text.split_once("/_history/").map_or(text, |(t, _)| t);
        let (kind, id) = plain.split_once('/')?;
        Some((schema().resource(kind)?.1.name, id.parse().ok()?))
    }
}
