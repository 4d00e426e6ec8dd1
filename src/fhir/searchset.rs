//! The answer to a search, put together from stored texts byte for byte.

use std::fmt::Write as _;

use crate::json::quote;

/// A match: the absolute address of the resource and its exact text.
#[derive(Clone, Copy, Debug)]
pub struct Match<'m> {
    /// `[base]/Type/id`.
    pub full_url: &'m str,
    /// The resource's JSON as stored.
    pub resource: &'m str,
}

/// Writes a searchset Bundle; `next` is the link to the next page, when there is one, `total` the number of all
/// matches, when it is known.
///
/// The caller vouches that every text is one whole JSON resource: they are written as they are.
#[must_use]
pub fn searchset(self_url: &str, next: Option<&str>, total: Option<u64>, matches: &[Match<'_>]) -> String {
    let size: usize = matches.iter().map(|m| m.full_url.len() + m.resource.len() + 64).sum();
    let mut out = String::with_capacity(size + self_url.len() + 256);
    // Writing to a String cannot fail.
    out.push_str(r#"{"resourceType":"Bundle","type":"searchset""#);
    if let Some(total) = total {
        let _infallible = write!(out, r#","total":{total}"#);
    }
    out.push_str(r#","link":["#);
    link(&mut out, "self", self_url);
    if let Some(next) = next {
        out.push(',');
        link(&mut out, "next", next);
    }
    out.push(']');
    for (i, found) in matches.iter().enumerate() {
        // An empty array is not valid FHIR, so the array begins with its first entry (FH-34).
        out.push_str(if i == 0 { r#","entry":["# } else { "," });
        out.push_str(r#"{"fullUrl":"#);
        quote(found.full_url, &mut out);
        out.push_str(r#","resource":"#);
        out.push_str(found.resource);
        out.push_str(r#","search":{"mode":"match"}}"#);
    }
    out.push_str(if matches.is_empty() { "}" } else { "]}" });
    out
}

fn link(out: &mut String, relation: &str, url: &str) {
    out.push_str(r#"{"relation":"#);
    quote(relation, out);
    out.push_str(r#","url":"#);
    quote(url, out);
    out.push('}');
}
