//! Whether the values of a record meet a clause (FH-40 to FH-43).

use std::cmp::Ordering;

use super::clause::{Clause, Modifier, Prefix, Term, own};
use super::decimal::Decimal;
use super::query::Query;
use super::values::SearchValue;
use crate::clock::Timestamp;
use crate::model::Period;
use crate::model::fold;

/// Whether one of the alternatives of `clause` is met by one of `values`.
pub(super) fn clause(query: &Query, clause: &Clause, values: &[SearchValue]) -> bool {
    let any = || clause.terms.iter().any(|t| values.iter().any(|v| term(query, &clause.modifier, t, v)));
    match clause.modifier {
        Modifier::Missing(missing) => values.is_empty() == missing,
        Modifier::Not => !any(),
        Modifier::None
        | Modifier::Exact
        | Modifier::Contains
        | Modifier::Identifier
        | Modifier::Text
        | Modifier::Above
        | Modifier::Below => any(),
    }
}

fn term(query: &Query, modifier: &Modifier, term: &Term, value: &SearchValue) -> bool {
    match (term, value) {
        (Term::Token { system, code }, SearchValue::Token { system: s, code: c })
            if *modifier != Modifier::Identifier =>
        {
            token(system.as_deref(), code.as_deref(), s, c)
        }
        (Term::Token { system, code }, SearchValue::Identifier { system: s, value: v }) => {
            token(system.as_deref(), code.as_deref(), s, v)
        }
        (Term::Text { folded, exact }, SearchValue::Text(text)) => match modifier {
            Modifier::Exact => text == exact,
            Modifier::Contains => fold(text).contains(folded),
            Modifier::None
            | Modifier::Not
            | Modifier::Missing(_)
            | Modifier::Identifier
            | Modifier::Text
            | Modifier::Above
            | Modifier::Below => fold(text).starts_with(folded),
        },
        (Term::Date(prefix, asked), SearchValue::Date(found)) => date(*prefix, asked, found, query.now),
        (Term::Reference { kind, id }, SearchValue::Reference(text)) => reference(query, kind.as_deref(), id, text),
        (Term::Number(prefix, asked), SearchValue::Number(text)) => number(*prefix, *asked, text),
        (
            Term::Quantity { prefix, number: asked, system, unit },
            SearchValue::Quantity { number: digits, system: s, code, unit: u },
        ) => {
            // Without a system, the unit may be its code or its display (FHIR R4 §3.1.1.4.9).
            let same_unit = unit.as_ref().is_none_or(|unit| unit == code || (system.is_none() && unit == u));
            system.as_ref().is_none_or(|system| system == s) && same_unit && number(*prefix, *asked, digits)
        }
        (Term::Uri(asked), SearchValue::Uri(found)) if *modifier == Modifier::Above => below(found, asked),
        (Term::Uri(asked), SearchValue::Uri(found)) if *modifier == Modifier::Below => below(asked, found),
        (Term::Uri(asked), SearchValue::Uri(found)) => asked == found,
        (Term::Label(folded), SearchValue::Label(text)) => fold(text).contains(folded),
        (Term::Composite(terms), SearchValue::Composite(parts)) => {
            let met =
                |(t, values): (&Term, &Vec<SearchValue>)| values.iter().any(|v| self::term(query, modifier, t, v));
            terms.len() == parts.len() && terms.iter().zip(parts).all(met)
        }
        _ => false,
    }
}

/// Whether `long` is `short` or lies below it in the hierarchy of its path.
fn below(short: &str, long: &str) -> bool {
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || short.ends_with('/') || rest.starts_with('/'))
}

fn token(system: Option<&str>, code: Option<&str>, found_system: &str, found_code: &str) -> bool {
    system.is_none_or(|s| s == found_system) && code.is_none_or(|c| c == found_code)
}

fn reference(query: &Query, kind: Option<&str>, id: &str, text: &str) -> bool {
    let text = own(text, &query.base);
    let plain = text.split_once("/_history/").map_or(text, |(t, _)| t);
    if plain.contains(':') {
        // A foreign URL or a canonical: only the whole of it is the same thing, whatever its version.
        return kind.is_none()
            && id.contains(':')
            && (plain == id || plain.split_once('|').is_some_and(|(p, _)| p == id));
    }
    plain.split_once('/').is_some_and(|(k, i)| i == id && kind.is_none_or(|kind| kind == k))
}

fn date(prefix: Prefix, asked: &Period, found: &Period, now: Timestamp) -> bool {
    let equal = asked.contains(found);
    match prefix {
        Prefix::Eq => equal,
        Prefix::Ne => !equal,
        Prefix::Gt => found.to > asked.to,
        Prefix::Lt => found.from < asked.from,
        Prefix::Ge => found.to > asked.to || equal,
        Prefix::Le => found.from < asked.from || equal,
        Prefix::Sa => found.from > asked.to,
        Prefix::Eb => found.to < asked.from,
        Prefix::Ap => {
            // Ten per cent of the way from then to now, as the standard recommends.
            let slack = now.0.saturating_sub(asked.from.0).saturating_abs() / 10;
            found.from.0 <= asked.to.0.saturating_add(slack) && found.to.0 >= asked.from.0.saturating_sub(slack)
        }
    }
}

fn number(prefix: Prefix, asked: Decimal, digits: &str) -> bool {
    let Some(found) = Decimal::parse(digits) else { return false };
    let within = |(low, high): (Decimal, Decimal)| found.cmp(low).is_ge() && found.cmp(high).is_lt();
    match (prefix, found.cmp(asked)) {
        (Prefix::Eq, _) => within(asked.precision()),
        (Prefix::Ne, _) => !within(asked.precision()),
        (Prefix::Gt | Prefix::Sa, order) => order == Ordering::Greater,
        (Prefix::Lt | Prefix::Eb, order) => order == Ordering::Less,
        (Prefix::Ge, order) => order.is_ge(),
        (Prefix::Le, order) => order.is_le(),
        (Prefix::Ap, _) => {
            let (low, high) = asked.about();
            found.cmp(low).is_ge() && found.cmp(high).is_le()
        }
    }
}
