//! CapabilityStatement: what is declared must be exactly what works (FH-01, FH-02).

use super::parameters::{self, Kind};
use crate::json::quote;

/// What is offered on one resource type.
#[derive(Clone, Debug)]
pub struct TypeOffer {
    /// The type.
    pub name: &'static str,
    /// The interactions, as `read` and `search-type`; what is created may be created conditionally.
    pub interactions: Vec<&'static str>,
}

/// What the server tells of itself.
#[derive(Clone, Copy, Debug)]
pub struct Server<'s> {
    /// Base URL, without a final slash.
    pub base: &'s str,
    /// When this statement last changed, as a FHIR dateTime.
    pub date: &'s str,
    /// Name and version of the software.
    pub software: (&'s str, &'s str),
    /// The types, and what is offered on each.
    pub types: &'s [TypeOffer],
    /// What is said of every type: member of `rest.resource` and its JSON value.
    pub traits: &'s [(&'static str, &'static str)],
    /// The interactions offered on the whole system, as `transaction`.
    pub system_interactions: &'s [&'static str],
}

/// Writes the statement.
#[must_use]
pub fn statement(server: &Server<'_>) -> String {
    let mut out = String::from(r#"{"resourceType":"CapabilityStatement","status":"active","date":"#);
    quote(server.date, &mut out);
    out.push_str(r#","kind":"instance","software":{"name":"#);
    quote(server.software.0, &mut out);
    out.push_str(r#","version":"#);
    quote(server.software.1, &mut out);
    out.push_str(r#"},"implementation":{"description":"#);
    quote(server.software.0, &mut out);
    out.push_str(r#","url":"#);
    quote(server.base, &mut out);
    out.push_str(r#"},"fhirVersion":"4.0.1","format":["json"],"patchFormat":["application/json-patch+json"],"rest":[{"mode":"server","security":{"cors":false,"#);
    out.push_str(
        r#""service":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/restful-security-service","#,
    );
    out.push_str(r#""code":"SMART-on-FHIR"}]}]}"#);
    list(&mut out, "resource", server.types, |out, offer| resource(out, offer, server.traits));
    list(&mut out, "interaction", server.system_interactions, |out, code| {
        out.push_str(r#"{"code":"#);
        quote(code, out);
        out.push('}');
    });
    out.push_str("}]}");
    out
}

fn resource(out: &mut String, offer: &TypeOffer, traits: &[(&str, &str)]) {
    out.push_str(r#"{"type":"#);
    quote(offer.name, out);
    list(out, "interaction", &offer.interactions, |out, code| {
        out.push_str(r#"{"code":"#);
        quote(code, out);
        out.push('}');
    });
    let creates = offer.interactions.contains(&"create");
    out.push_str(if creates { r#","conditionalCreate":true"# } else { r#","conditionalCreate":false"# });
    for (member, value) in traits {
        out.push(',');
        quote(member, out);
        out.push(':');
        out.push_str(value);
    }
    if offer.interactions.contains(&"search-type") {
        list(out, "searchParam", parameters::of(offer.name), |out, parameter| {
            out.push_str(r#"{"name":"#);
            quote(parameter.code, out);
            out.push_str(r#","type":"#);
            quote(type_code(parameter.kind), out);
            out.push('}');
        });
    }
    out.push('}');
}

const fn type_code(kind: Kind) -> &'static str {
    match kind {
        Kind::Token => "token",
        Kind::Text => "string",
        Kind::Date => "date",
        Kind::Reference => "reference",
        Kind::Quantity => "quantity",
        Kind::Uri => "uri",
        Kind::Number => "number",
        Kind::Composite => "composite",
    }
}

/// Writes `,"name":[…]`, or nothing when there are no items: empty arrays are not valid FHIR.
fn list<T: Copy>(out: &mut String, name: &str, items: impl IntoIterator<Item = T>, write: impl Fn(&mut String, T)) {
    let mut any = false;
    for item in items {
        if any {
            out.push(',');
        } else {
            out.push(',');
            quote(name, out);
            out.push_str(":[");
            any = true;
        }
        write(out, item);
    }
    if any {
        out.push(']');
    }
}
