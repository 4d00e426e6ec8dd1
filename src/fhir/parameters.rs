//! The search parameters of R4, loaded once.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::path::{self, Expr};
use super::schema::resource_types;

/// What is compared, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Token,
    Text,
    Date,
    Reference,
    Quantity,
    Uri,
    Number,
    /// Parts that are of one element, separated by `$`.
    Composite,
}

impl Kind {
    /// Special parameters are not offered: R4 has one, the nearness of places.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "token" => Self::Token,
            "string" => Self::Text,
            "date" => Self::Date,
            "reference" => Self::Reference,
            "quantity" => Self::Quantity,
            "uri" => Self::Uri,
            "number" => Self::Number,
            "composite" => Self::Composite,
            _ => return None,
        })
    }
}

/// A search parameter of one resource type.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) code: &'static str,
    pub(super) kind: Kind,
    /// Types a reference may point to; empty when any.
    pub(super) targets: Vec<&'static str>,
    pub(super) expr: Expr,
    /// The parts of a composite: what they are, and where in its element they stand.
    pub(super) parts: Vec<(Kind, Expr)>,
}

static PARAMETERS: LazyLock<HashMap<&'static str, Vec<Parameter>>> =
    LazyLock::new(|| read(include_str!("definitions/parameters.txt")));

/// Reads the definitions now, so that the first request does not wait for it.
pub fn load() {
    LazyLock::force(&PARAMETERS);
}

/// The parameters of a resource type, sorted by code; none for an unknown type.
pub(super) fn of(resource_type: &str) -> &'static [Parameter] {
    PARAMETERS.get(resource_type).map_or(&[], Vec::as_slice)
}

/// The parameter `code` of a resource type.
pub(super) fn find(resource_type: &str, code: &str) -> Option<&'static Parameter> {
    let all = of(resource_type);
    all.binary_search_by(|p| p.code.cmp(code)).ok().and_then(|i| all.get(i))
}

fn read(text: &'static str) -> HashMap<&'static str, Vec<Parameter>> {
    let types: Vec<_> = resource_types().collect();
    let mut all: HashMap<_, Vec<_>> = types.iter().map(|t| (*t, Vec::new())).collect();
    for line in text.lines() {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        let (code, kind, bases, targets, expression) = (next(), next(), next(), next(), next());
        let (Some(kind), Some(expr)) = (Kind::named(kind), path::parse(expression)) else { continue };
        let Some(parts) = parts(next()) else { continue };
        let targets: Vec<_> = targets.split_ascii_whitespace().collect();
        for base in bases.split(' ') {
            let Some(expr) = expr.for_base(base) else { continue };
            let one = [base];
            let wide = matches!(base, "Resource" | "DomainResource");
            for name in if wide { types.as_slice() } else { &one } {
                let parameter =
                    Parameter { code, kind, targets: targets.clone(), expr: expr.clone(), parts: parts.clone() };
                if let Some(list) = all.get_mut(name) {
                    list.push(parameter);
                }
            }
        }
    }
    for list in all.values_mut() {
        list.sort_by_key(|p| p.code);
    }
    all
}

/// `type=expression;…`; `None` when a part cannot be read.
fn parts(text: &'static str) -> Option<Vec<(Kind, Expr)>> {
    let part = |p: &'static str| {
        let (kind, expression) = p.split_once('=')?;
        Some((Kind::named(kind)?, path::parse(expression)?))
    };
    if text.is_empty() { Some(Vec::new()) } else { text.split(';').map(part).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_of_the_definitions_parses_and_speaks_of_each_of_its_bases() {
        let mut count = 0;
        for line in include_str!("definitions/parameters.txt").lines() {
            let columns: Vec<_> = line.split('\t').collect();
            let [code, _, bases, _, expression, ..] = columns[..] else { panic!("{line}") };
            count += 1;
            if expression.is_empty() {
                assert!(matches!(code, "_text" | "_content" | "_query"), "{code}");
                continue;
            }
            let expr = path::parse(expression).unwrap_or_else(|| panic!("{code}: {expression}"));
            for base in bases.split(' ') {
                assert!(expr.for_base(base).is_some(), "{code} of {base}");
            }
        }
        assert_eq!(count, 1378);
    }

    #[test]
    fn parameters_are_found_by_type_and_code() {
        assert_eq!(find("Observation", "code").map(|p| p.kind), Some(Kind::Token));
        assert_eq!(find("Patient", "_lastUpdated").map(|p| p.kind), Some(Kind::Date));
        assert_eq!(find("Observation", "code-value-quantity").map(|p| p.parts.len()), Some(2));
        assert!(find("Location", "near").is_none() && find("Observation", "nonsense").is_none());
        assert!(of("Observation").windows(2).all(|w| w[0].code < w[1].code));
    }
}
