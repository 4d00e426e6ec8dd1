//! A search as asked, read strictly: a filter that is dropped would widen the answer (security F11).

use super::chain::{Chains, Condition};
use super::clause::Term;
use super::include::{self, Include};
use super::order::{self, SortKey};
use super::schema::schema;
use super::view::View;
use crate::clock::Timestamp;

/// The search cannot be run exactly as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// Not a resource type of R4.
    #[error("not a resource type")]
    Type,
    /// Not a parameter of this type that is supported here.
    #[error("a search parameter is not supported for this type")]
    Parameter,
    /// The modifier of this parameter.
    #[error("the modifier of `{0}` is not supported")]
    Modifier(&'static str),
    /// The value of this parameter.
    #[error("the value of `{0}` is malformed")]
    Value(&'static str),
    /// A result parameter occurs twice.
    #[error("`{0}` may be given only once")]
    Twice(&'static str),
    /// Two parameters that exclude each other.
    #[error("`{0}` and `{1}` cannot be asked for together")]
    Together(&'static str, &'static str),
    /// Too many parameters, alternatives or links of a chain.
    #[error("the search has too many parts")]
    TooLarge,
}

const MOST_CLAUSES: usize = 64;
const LONGEST_VALUE: usize = 8192;

/// What becomes of parameters that are not known (RFC 7240 `handling`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handling {
    /// The search is refused.
    Strict,
    /// They are left out, and the answer says so.
    Lenient,
}

/// Whether the answer tells how many match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Total {
    /// Never.
    None,
    /// When one page holds them all.
    WhenKnown,
    /// Always.
    Counted,
}

/// A search of one type; all its conditions must hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The type searched.
    pub resource_type: &'static str,
    /// `_count`, when given.
    pub count: Option<u32>,
    /// `_sort`; empty is the order of the records' ids.
    pub sort: Vec<SortKey>,
    /// `_total`.
    pub total: Total,
    /// `_summary` and `_elements`; `None` for `_summary=count`.
    pub view: Option<View>,
    /// `_include` and `_revinclude`.
    pub includes: Vec<Include>,
    /// Places of the pairs that a lenient reading left out.
    pub ignored: Vec<usize>,
    pub(super) conditions: Vec<Condition>,
    pub(super) chains: Chains,
    pub(super) base: String,
    pub(super) now: Timestamp,
}

/// Whose records a search asks for, in its own words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Named {
    /// A reference, as `Patient/id` or `id`.
    Reference(String),
    /// An identifier: system and value.
    Identifier(String, String),
}

impl Query {
    /// Reads decoded `name[:modifier]`, `value` pairs strictly; `base` is our own address, without a final slash.
    ///
    /// # Errors
    /// [`BadQuery`] for whatever is not understood in full (FH-36, FH-37).
    pub fn parse<'p>(
        resource_type: &str,
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
        base: &str,
        now: Timestamp,
    ) -> Result<Self, BadQuery> {
        Self::read(resource_type, pairs, base, now, Handling::Strict)
    }

    /// Reads them as `handling` says.
    ///
    /// # Errors
    /// [`BadQuery`]. A modifier or value that is not understood is never left out: only whole parameters are.
    pub fn read<'p>(
        resource_type: &str,
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
        base: &str,
        now: Timestamp,
        handling: Handling,
    ) -> Result<Self, BadQuery> {
        let (_, ty) = schema().resource(resource_type).ok_or(BadQuery::Type)?;
        let mut query = Self {
            resource_type: ty.name,
            count: None,
            sort: Vec::new(),
            total: Total::WhenKnown,
            view: Some(View::Whole),
            includes: Vec::new(),
            ignored: Vec::new(),
            conditions: Vec::new(),
            chains: Chains::default(),
            base: base.trim_end_matches('/').to_owned(),
            now,
        };
        let mut given = Vec::new();
        for (place, (name, value)) in pairs.into_iter().enumerate() {
            if value.len() > LONGEST_VALUE || place >= MOST_CLAUSES {
                return Err(BadQuery::TooLarge);
            }
            match query.take(name, value, &mut given) {
                Err(BadQuery::Parameter) if handling == Handling::Lenient => query.ignored.push(place),
                other => other?,
            }
        }
        query.agrees(&given)?;
        Ok(query)
    }

    fn take(&mut self, name: &str, value: &str, given: &mut Vec<&'static str>) -> Result<(), BadQuery> {
        const ONCE: [&str; 6] = ["_count", "_sort", "_summary", "_elements", "_total", "_format"];
        if let Some(name) = ONCE.into_iter().find(|n| *n == name) {
            if given.contains(&name) {
                return Err(BadQuery::Twice(name));
            }
            given.push(name);
        }
        match name {
            "_count" => self.count = Some(digits(value).ok_or(BadQuery::Value("_count"))?),
            "_sort" => self.sort = order::read(self.resource_type, value)?,
            "_summary" if value == "count" => self.view = None,
            "_summary" => self.view = Some(View::summary(value).ok_or(BadQuery::Value("_summary"))?),
            "_elements" => self.view = Some(View::elements(self.resource_type, value)?),
            "_total" => {
                self.total = match value {
                    "none" => Total::None,
                    "estimate" | "accurate" => Total::Counted,
                    _ => return Err(BadQuery::Value("_total")),
                }
            }
            "_format" if matches!(value, "json" | "application/json" | "application/fhir+json") => {}
            "_format" => return Err(BadQuery::Value("_format")),
            _ if name.starts_with("_include") || name.starts_with("_revinclude") => {
                self.includes.push(include::read(self.resource_type, name, value)?);
                if self.includes.len() > include::MOST {
                    return Err(BadQuery::TooLarge);
                }
            }
            _ => {
                let condition = self.chains.read(self.resource_type, name, value, &self.base)?;
                self.conditions.push(condition);
            }
        }
        Ok(())
    }

    fn agrees(&mut self, given: &[&str]) -> Result<(), BadQuery> {
        if given.contains(&"_summary") && given.contains(&"_elements") {
            return Err(BadQuery::Together("_summary", "_elements"));
        }
        // FHIR R4 §3.1.1.5.8: what is included could not be told from what matched.
        if self.view == Some(View::Text) && !self.includes.is_empty() {
            return Err(BadQuery::Together("_summary=text", "_include"));
        }
        // FH-38: `_count=0` is `_summary=count`.
        if self.count == Some(0) {
            self.view = None;
        }
        Ok(())
    }

    /// The patient that the search names, when it names exactly one way and one patient.
    #[must_use]
    pub fn named(&self) -> Option<Named> {
        let codes: &[&str] =
            if self.resource_type == "Patient" { &["_id", "identifier"] } else { &["patient", "subject"] };
        codes.iter().find_map(|code| self.conditions.iter().find_map(|c| self.named_by(c, code)))
    }

    fn named_by(&self, condition: &Condition, code: &str) -> Option<Named> {
        let clause = match condition {
            Condition::Plain(clause) if clause.code == code => clause,
            // `patient.identifier=system|value`
            Condition::Through { code: via, steps } if *via == code => {
                let clause = self.chains.only_clause(steps, "Patient").filter(|c| c.code == "identifier")?;
                return clause.only().and_then(identifier);
            }
            Condition::Plain(_) | Condition::Through { .. } | Condition::Has { .. } => return None,
        };
        let term = clause.only()?;
        if let Term::Reference { kind, id } = term {
            let kind = kind.as_ref().map_or_else(String::new, |kind| format!("{kind}/"));
            return Some(Named::Reference(format!("{kind}{id}")));
        }
        if let (Term::Token { code: Some(id), .. }, "_id") = (term, code) {
            return Some(Named::Reference(id.clone()));
        }
        identifier(term)
    }
}

fn identifier(term: &Term) -> Option<Named> {
    let Term::Token { system: Some(system), code: Some(value) } = term else { return None };
    Some(Named::Identifier(system.clone(), value.clone()))
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}
