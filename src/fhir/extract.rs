//! From a resource to the values by which it can be found.

use super::authored::stretch;
use super::evaluate::{Found, Item, evaluate, evaluate_within};
use super::parameters::{self, Kind, Parameter};
use super::path::Expr;
use super::schema::schema;
use super::values::{SearchValue, SearchValues};
use crate::json::{Node, Value};
use crate::model::Period;

/// Reads the search values of a validated resource, for every parameter of its type.
///
/// Run it on the resource as stored, after ids and references were rewritten.
#[must_use]
pub fn extract(resource: &Node<'_>) -> SearchValues {
    let mut all = SearchValues::default();
    for parameter in parameters::of(resource.text_of("resourceType").unwrap_or_default()) {
        let mut values = Vec::new();
        match evaluate(&parameter.expr, resource) {
            Found::Truth(truth) => values.push(token("", if truth { "true" } else { "false" })),
            Found::Items(items) if parameter.kind == Kind::Composite => {
                values.extend(items.iter().filter_map(|i| composite(parameter, resource, i)));
            }
            Found::Items(items) => items.iter().for_each(|i| convert(parameter.kind, i, &mut values)),
        }
        debug_assert!(values.iter().all(|v| v.fits(parameter.kind)), "{}", parameter.code);
        all.push(parameter.code, values);
    }
    all
}

/// The values of each part within one element; none when a part has no value there.
fn composite(parameter: &Parameter, resource: &Node<'_>, item: &Item<'_, '_>) -> Option<SearchValue> {
    let part = |(kind, expr): &(Kind, Expr)| {
        let mut values = Vec::new();
        for found in evaluate_within(expr, resource, *item) {
            convert(*kind, &found, &mut values);
        }
        (!values.is_empty()).then_some(values)
    };
    parameter.parts.iter().map(part).collect::<Option<Vec<_>>>().map(SearchValue::Composite)
}

fn convert(kind: Kind, item: &Item<'_, '_>, out: &mut Vec<SearchValue>) {
    match kind {
        Kind::Token => tokens(item, out),
        Kind::Text => texts(item, out),
        Kind::Date => out.extend(dates(item).map(SearchValue::Date)),
        Kind::Reference => references(item.node, out),
        Kind::Quantity => quantities(item, out),
        Kind::Uri => out.extend(item.node.as_str().map(|t| SearchValue::Uri(t.to_owned()))),
        Kind::Number => out.extend(number(item.node).map(SearchValue::Number)),
        // R4 has no composite of composites.
        Kind::Composite => {}
    }
}

fn text(node: &Node<'_>, name: &str) -> String {
    node.text_of(name).unwrap_or_default().to_owned()
}

fn token(system: &str, code: &str) -> SearchValue {
    SearchValue::Token { system: system.to_owned(), code: code.to_owned() }
}

fn label(node: &Node<'_>, name: &str) -> Option<SearchValue> {
    node.text_of(name).map(|t| SearchValue::Label(t.to_owned()))
}

fn tokens(item: &Item<'_, '_>, out: &mut Vec<SearchValue>) {
    let node = item.node;
    let pair = |n: &Node<'_>, code| n.text_of(code).map(|c| token(n.text_of("system").unwrap_or_default(), c));
    match (item.type_name, &node.value) {
        ("CodeableConcept", _) => {
            let codings = node.get("coding").map_or(&[][..], Node::items);
            out.extend(codings.iter().filter_map(|c| pair(c, "code")));
            out.extend(codings.iter().filter_map(|c| label(c, "display")));
            out.extend(label(node, "text"));
        }
        ("Coding", _) => {
            out.extend(pair(node, "code"));
            out.extend(label(node, "display"));
        }
        ("Identifier", _) => {
            out.extend(pair(node, "value"));
            out.extend(node.get("type").and_then(|t| label(t, "text")));
        }
        ("ContactPoint", _) => out.extend(node.text_of("value").map(|v| token("", v))),
        (_, Value::Bool(truth)) => out.push(token("", if *truth { "true" } else { "false" })),
        (_, Value::Number(digits)) => out.push(token("", digits)),
        (_, Value::String(code)) => {
            // The system of a plain code is the one its value set takes it from.
            let set = item.binding.and_then(|b| schema().set(b));
            out.push(token(set.and_then(|s| s.system_of(code)).unwrap_or_default(), code));
        }
        (_, Value::Null | Value::Array(_) | Value::Object(_)) => {}
    }
}

fn texts(item: &Item<'_, '_>, out: &mut Vec<SearchValue>) {
    let names: &[&str] = match item.type_name {
        "HumanName" => &["family", "given", "prefix", "suffix", "text"],
        "Address" => &["line", "city", "district", "state", "postalCode", "country", "text"],
        "CodeableConcept" => &["text"],
        _ => {
            out.extend(item.node.as_str().map(|t| SearchValue::Text(t.to_owned())));
            return;
        }
    };
    for part in names.iter().filter_map(|n| item.node.get(n)) {
        let parts = if part.items().is_empty() { std::slice::from_ref(part) } else { part.items() };
        out.extend(parts.iter().filter_map(Node::as_str).map(|t| SearchValue::Text(t.to_owned())));
    }
}

fn dates(item: &Item<'_, '_>) -> impl Iterator<Item = Period> {
    let mut found = Vec::new();
    if item.type_name == "Timing" {
        found.extend(item.node.get("event").map_or(&[][..], Node::items).iter().filter_map(stretch));
        found.extend(item.node.get("repeat").and_then(|r| r.get("boundsPeriod")).and_then(stretch));
    } else {
        found.extend(stretch(item.node));
    }
    found.into_iter()
}

fn references(node: &Node<'_>, out: &mut Vec<SearchValue>) {
    if let Some(canonical) = node.as_str() {
        out.push(SearchValue::Reference(canonical.to_owned()));
        return;
    }
    out.extend(node.text_of("reference").map(|r| SearchValue::Reference(r.to_owned())));
    if let Some(identifier) = node.get("identifier") {
        let (system, value) = (text(identifier, "system"), text(identifier, "value"));
        out.push(SearchValue::Identifier { system, value });
    }
}

fn number(node: &Node<'_>) -> Option<String> {
    if let Value::Number(digits) = node.value { Some(digits.to_owned()) } else { None }
}

fn quantities(item: &Item<'_, '_>, out: &mut Vec<SearchValue>) {
    let quantity = |n: &Node<'_>| {
        let number = number(n.get("value")?)?;
        Some(SearchValue::Quantity { number, system: text(n, "system"), code: text(n, "code"), unit: text(n, "unit") })
    };
    match item.type_name {
        "Money" => out.extend(item.node.get("value").and_then(number).map(|number| SearchValue::Quantity {
            number,
            system: "urn:iso:std:iso:4217".to_owned(),
            code: text(item.node, "currency"),
            unit: String::new(),
        })),
        // A range is found by its ends.
        "Range" => out.extend(["low", "high"].iter().filter_map(|end| item.node.get(end).and_then(quantity))),
        _ => out.extend(quantity(item.node)),
    }
}
