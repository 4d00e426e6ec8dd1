//! One parameter as asked: its alternatives, read strictly.

use super::decimal::Decimal;
use super::moment;
use super::parameters::{self, Kind, Parameter};
use super::query::BadQuery;
use super::schema::schema;
use crate::model::Period;

const MOST_ALTERNATIVES: usize = 256;

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
    /// Text to be found beside a code.
    Label(String),
    Composite(Vec<Term>),
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
    Text,
    Above,
    Below,
}

/// One parameter: at least one alternative must match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Clause {
    pub(super) code: &'static str,
    pub(super) modifier: Modifier,
    pub(super) terms: Vec<Term>,
}

impl Clause {
    /// Reads `code[:modifier]` of `resource_type` and its value; `base` is our own address.
    pub(super) fn read(resource_type: &str, name: &str, value: &str, base: &str) -> Result<Self, BadQuery> {
        let (code, modifier) = name.split_once(':').map_or((name, None), |(c, m)| (c, Some(m)));
        let parameter = parameters::find(resource_type, code).ok_or(BadQuery::Parameter)?;
        let code = parameter.code;
        let mut forced = None;
        let modifier = match (parameter.kind, modifier) {
            (_, None) => Modifier::None,
            (_, Some("missing")) => {
                let missing = value.parse().map_err(|_| BadQuery::Value(code))?;
                return Ok(Self { code, modifier: Modifier::Missing(missing), terms: Vec::new() });
            }
            (Kind::Token, Some("not")) => Modifier::Not,
            (Kind::Token, Some("text")) => Modifier::Text,
            (Kind::Text, Some("exact")) => Modifier::Exact,
            (Kind::Text, Some("contains")) => Modifier::Contains,
            (Kind::Uri, Some("above")) => Modifier::Above,
            (Kind::Uri, Some("below")) => Modifier::Below,
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
        let one = |part: &str| {
            if modifier == Modifier::Text {
                return unescape(part).filter(|t| !t.is_empty()).map(|t| Term::Label(crate::model::fold(&t)));
            }
            if parameter.kind == Kind::Composite {
                return composite(parameter, part, base);
            }
            let kind = if modifier == Modifier::Identifier { Kind::Token } else { parameter.kind };
            term(kind, part, forced, base)
        };
        let terms: Option<Vec<_>> = parts.into_iter().map(one).collect();
        Ok(Self { code, modifier, terms: terms.ok_or(BadQuery::Value(code))? })
    }
}

fn composite(parameter: &Parameter, text: &str, base: &str) -> Option<Term> {
    let asked = split(text, '$');
    if asked.len() != parameter.parts.len() {
        return None;
    }
    let parts = asked.iter().zip(&parameter.parts).map(|(text, (kind, _))| term(*kind, text, None, base));
    parts.collect::<Option<Vec<_>>>().map(Term::Composite)
}

fn term(kind: Kind, text: &str, forced: Option<&str>, base: &str) -> Option<Term> {
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
            Term::Text { folded: crate::model::fold(&exact), exact }
        }
        Kind::Date => {
            let (prefix, rest) = prefix(text);
            Term::Date(prefix, moment::searched(rest)?)
        }
        Kind::Reference => reference(&unescape(text)?, forced, base)?,
        Kind::Uri => Term::Uri(unescape(text)?),
        Kind::Number => {
            let (prefix, rest) = prefix(text);
            Term::Number(prefix, Decimal::parse(rest)?)
        }
        Kind::Quantity => quantity(text)?,
        Kind::Composite => return None,
    })
}

fn reference(text: &str, forced: Option<&str>, base: &str) -> Option<Term> {
    let text = own(text, base);
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
pub(super) fn own<'t>(reference: &'t str, base: &str) -> &'t str {
    let rest = reference.strip_prefix(base).filter(|_| !base.is_empty());
    rest.and_then(|r| r.strip_prefix('/')).unwrap_or(reference)
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
