//! Search parameters as asked, read strictly: a filter that is dropped would widen the answer (security F11).

use std::cmp::Ordering;

use super::decimal::Decimal;
use super::matching;
use super::moment;
use super::parameters::{self, Kind};
use super::schema::schema;
use super::values::{SearchValue, SearchValues};
use crate::clock::Timestamp;
use crate::model::Period;

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
    /// Too many parameters or alternatives.
    #[error("the search has too many parts")]
    TooLarge,
}

const MOST_CLAUSES: usize = 64;
const MOST_ALTERNATIVES: usize = 256;
const LONGEST_VALUE: usize = 8192;

/// How a number or date is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

/// One alternative of a clause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Term {
    /// No system asked is `None`, asked to be absent is empty; no code asked is `None`.
    Token {
        system: Option<String>,
        code: Option<String>,
    },
    Text {
        folded: String,
        exact: String,
    },
    Date(Prefix, Period),
    /// Type, when one is named, and id or the whole of a foreign URL.
    Reference {
        kind: Option<String>,
        id: String,
    },
    Number(Prefix, Decimal),
    Quantity {
        prefix: Prefix,
        number: Decimal,
        system: Option<String>,
        unit: Option<String>,
    },
    Uri(String),
}

/// What the modifier of a clause asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Modifier {
    None,
    Missing(bool),
    Not,
    Exact,
    Contains,
    Identifier,
}

/// One parameter: at least one alternative must match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Clause {
    pub(super) code: &'static str,
    pub(super) modifier: Modifier,
    pub(super) terms: Vec<Term>,
}

/// By what the matches are put in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SortKey {
    /// `_lastUpdated` or `date`.
    pub code: &'static str,
    /// Latest first.
    pub descending: bool,
}

/// A search of one type; all its clauses must match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The type searched.
    pub resource_type: &'static str,
    /// `_count`, when given.
    pub count: Option<u32>,
    /// `_sort`; empty leaves the order to the store.
    pub sort: Vec<SortKey>,
    clauses: Vec<Clause>,
    pub(super) base: String,
    pub(super) now: Timestamp,
}

impl Query {
    /// Reads decoded `name[:modifier]`, `value` pairs; `base` is our own address, without a final slash.
    ///
    /// # Errors
    /// [`BadQuery`] for whatever is not understood in full (FH-36, FH-37).
    pub fn parse<'p>(
        resource_type: &str,
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
        base: &str,
        now: Timestamp,
    ) -> Result<Self, BadQuery> {
        let (_, ty) = schema().resource(resource_type).ok_or(BadQuery::Type)?;
        let base = base.trim_end_matches('/').to_owned();
        let mut query = Self { resource_type: ty.name, count: None, sort: Vec::new(), clauses: Vec::new(), base, now };
        for (name, value) in pairs {
            if value.len() > LONGEST_VALUE || query.clauses.len() >= MOST_CLAUSES {
                return Err(BadQuery::TooLarge);
            }
            match name {
                "_count" => query.set_count(value)?,
                "_sort" => query.set_sort(value)?,
                _ => {
                    let clause = query.clause(name, value)?;
                    query.clauses.push(clause);
                }
            }
        }
        Ok(query)
    }

    /// Whether a record with these values is found.
    #[must_use]
    pub fn matches(&self, values: &SearchValues) -> bool {
        self.clauses.iter().all(|c| matching::clause(self, c, values.of(c.code)))
    }

    /// The order `_sort` asks for; equal when it asks for none.
    #[must_use]
    pub fn compare(&self, a: &SearchValues, b: &SearchValues) -> Ordering {
        let dates = |v: &SearchValues, code: &str| -> Vec<Period> {
            let date = |v: &SearchValue| if let SearchValue::Date(p) = v { Some(*p) } else { None };
            v.of(code).iter().filter_map(date).collect()
        };
        let by = |key: &SortKey| {
            let (a, b) = (dates(a, key.code), dates(b, key.code));
            if key.descending {
                b.iter().map(|p| p.to).max().cmp(&a.iter().map(|p| p.to).max())
            } else {
                a.iter().map(|p| p.from).min().cmp(&b.iter().map(|p| p.from).min())
            }
        };
        self.sort.iter().map(by).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// For each clause on `code` without modifier, its alternatives: token codes, or references as `Type/id` or `id`.
    ///
    /// With it the caller finds whose records are asked for (`patient`, `subject`, `_id`).
    #[must_use]
    pub fn asked(&self, code: &str) -> Vec<Vec<String>> {
        let word = |t: &Term| match t {
            Term::Token { code, .. } => code.clone(),
            Term::Reference { kind: Some(kind), id } => Some(format!("{kind}/{id}")),
            Term::Reference { kind: None, id } => Some(id.clone()),
            Term::Text { .. } | Term::Date(..) | Term::Number(..) | Term::Quantity { .. } | Term::Uri(_) => None,
        };
        let plain = self.clauses.iter().filter(|c| c.code == code && c.modifier == Modifier::None);
        plain.map(|c| c.terms.iter().filter_map(word).collect()).collect()
    }

    fn set_count(&mut self, value: &str) -> Result<(), BadQuery> {
        if self.count.is_some() {
            return Err(BadQuery::Twice("_count"));
        }
        let digits = value.bytes().all(|b| b.is_ascii_digit());
        self.count = Some(value.parse().ok().filter(|_| digits).ok_or(BadQuery::Value("_count"))?);
        Ok(())
    }

    fn set_sort(&mut self, value: &str) -> Result<(), BadQuery> {
        if !self.sort.is_empty() {
            return Err(BadQuery::Twice("_sort"));
        }
        for key in value.split(',') {
            let (name, descending) = key.strip_prefix('-').map_or((key, false), |k| (k, true));
            let code = match name {
                "_lastUpdated" => "_lastUpdated",
                "date" => "date",
                _ => return Err(BadQuery::Value("_sort")),
            };
            let fits = parameters::find(self.resource_type, code).is_some_and(|p| p.kind == Kind::Date);
            if !fits || self.sort.iter().any(|s| s.code == code) {
                return Err(BadQuery::Value("_sort"));
            }
            self.sort.push(SortKey { code, descending });
        }
        Ok(())
    }

    fn clause(&self, name: &str, value: &str) -> Result<Clause, BadQuery> {
        let (code, modifier) = name.split_once(':').map_or((name, None), |(c, m)| (c, Some(m)));
        let parameter = parameters::find(self.resource_type, code).ok_or(BadQuery::Parameter)?;
        let code = parameter.code;
        let mut forced = None;
        let modifier = match (parameter.kind, modifier) {
            (_, None) => Modifier::None,
            (_, Some("missing")) => {
                let missing = value.parse().map_err(|_| BadQuery::Value(code))?;
                return Ok(Clause { code, modifier: Modifier::Missing(missing), terms: Vec::new() });
            }
            (Kind::Token, Some("not")) => Modifier::Not,
            (Kind::Text, Some("exact")) => Modifier::Exact,
            (Kind::Text, Some("contains")) => Modifier::Contains,
            (Kind::Reference, Some("identifier")) => Modifier::Identifier,
            (Kind::Reference, Some(kind)) => {
                let (_, ty) = schema().resource(kind).ok_or(BadQuery::Modifier(code))?;
                if !parameter.targets.is_empty() && !parameter.targets.contains(&ty.name) {
                    return Err(BadQuery::Modifier(code));
                }
                forced = Some(ty.name);
                Modifier::None
            }
            (_, Some(_)) => return Err(BadQuery::Modifier(code)),
        };
        let parts = split(value, ',');
        if parts.len() > MOST_ALTERNATIVES {
            return Err(BadQuery::TooLarge);
        }
        let kind = if modifier == Modifier::Identifier { Kind::Token } else { parameter.kind };
        let terms: Option<Vec<_>> = parts.into_iter().map(|p| self.term(kind, p, forced)).collect();
        Ok(Clause { code, modifier, terms: terms.ok_or(BadQuery::Value(code))? })
    }

    fn term(&self, kind: Kind, text: &str, forced: Option<&str>) -> Option<Term> {
        if text.is_empty() {
            return None;
        }
        Some(match kind {
            Kind::Token => {
                let (system, code) = match split(text, '|').as_slice() {
                    [code] => (None, unescape(code)?),
                    [system, code] => (Some(unescape(system)?), unescape(code)?),
                    _ => return None,
                };
                let code = Some(code).filter(|c| !c.is_empty());
                if system.as_deref().unwrap_or_default().is_empty() && code.is_none() {
                    return None;
                }
                Term::Token { system, code }
            }
            Kind::Text => {
                let exact = unescape(text)?;
                Term::Text { folded: super::fold::fold(&exact), exact }
            }
            Kind::Date => {
                let (prefix, rest) = prefix(text);
                Term::Date(prefix, moment::searched(rest)?)
            }
            Kind::Reference => self.reference(&unescape(text)?, forced)?,
            Kind::Uri => Term::Uri(unescape(text)?),
            Kind::Number => {
                let (prefix, rest) = prefix(text);
                Term::Number(prefix, Decimal::parse(rest)?)
            }
            Kind::Quantity => quantity(text)?,
        })
    }

    fn reference(&self, text: &str, forced: Option<&str>) -> Option<Term> {
        let text = self.own(text);
        let (kind, id) = if text.contains(':') {
            (None, text)
        } else {
            match text.split_once('/') {
                None => (None, text),
                Some((kind, id)) => (Some(schema().resource(kind)?.1.name), id),
            }
        };
        let kind = match (kind, forced) {
            (Some(kind), Some(forced)) if kind != forced => return None,
            (kind, forced) => kind.or(forced),
        };
        let fits = text.contains(':') || super::primitive::is_id(id);
        fits.then(|| Term::Reference { kind: kind.map(str::to_owned), id: id.to_owned() })
    }

    /// An absolute URL of ours as a relative one.
    pub(super) fn own<'t>(&self, reference: &'t str) -> &'t str {
        let rest = reference.strip_prefix(self.base.as_str()).filter(|_| !self.base.is_empty());
        rest.and_then(|r| r.strip_prefix('/')).unwrap_or(reference)
    }
}

fn prefix(text: &str) -> (Prefix, &str) {
    let known = match text.get(..2) {
        Some("eq") => Prefix::Eq,
        Some("ne") => Prefix::Ne,
        Some("gt") => Prefix::Gt,
        Some("lt") => Prefix::Lt,
        Some("ge") => Prefix::Ge,
        Some("le") => Prefix::Le,
        Some("sa") => Prefix::Sa,
        Some("eb") => Prefix::Eb,
        Some("ap") => Prefix::Ap,
        _ => return (Prefix::Eq, text),
    };
    (known, text.get(2..).unwrap_or_default())
}

/// `[prefix]number`, `number|system|code` or `number||code`.
fn quantity(text: &str) -> Option<Term> {
    let parts = split(text, '|');
    let (prefix, digits) = prefix(parts.first()?);
    let number = Decimal::parse(digits)?;
    let given = |t: &&str| unescape(t).filter(|t| !t.is_empty());
    let (system, unit) = match parts.as_slice() {
        [_] => (None, None),
        [_, system, code] => (given(system), Some(given(code)?)),
        _ => return None,
    };
    Some(Term::Quantity { prefix, number, system, unit })
}

/// Cuts at each `separator` that no backslash precedes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut escaped = false;
    text.split(move |c| {
        let cut = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        cut
    })
    .collect()
}

/// Resolves `\,` `\|` `\$` `\\` (FHIR R4 §3.1.1.4.10); any other backslash is malformed.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' { chars.next().filter(|e| matches!(e, ',' | '|' | '$' | '\\'))? } else { c };
        out.push(c);
    }
    Some(out)
}
