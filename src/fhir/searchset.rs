//! The answer to a search, put together from stored texts byte for byte.

use std::fmt::Write as _;

use crate::json::quote;
use crate::model::Confidentiality;

/// Why an entry is there (FHIR search-entry-mode).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// It matched.
    Match,
    /// It came along.
    Include,
}

/// An entry: the absolute address of the resource and its exact text.
#[derive(Clone, Copy, Debug)]
pub struct Match<'m> {
    /// `[base]/Type/id`.
    pub full_url: &'m str,
    /// The resource's JSON as stored.
    pub resource: &'m str,
    /// Why it is there.
    pub mode: Mode,
    /// How confidential it is, where it says so.
    pub confidentiality: Option<Confidentiality>,
}

/// What stands before the entries.
#[derive(Clone, Copy, Debug)]
pub struct Head<'h> {
    /// The address of this page.
    pub own: &'h str,
    /// The address of the next, when there is one.
    pub next: Option<&'h str>,
    /// How many match, when that is told.
    pub total: Option<u64>,
    /// An OperationOutcome about the search itself.
    pub outcome: Option<&'h str>,
}

/// Writes a searchset Bundle.
///
/// The caller vouches that every text is one whole JSON resource: they are written as they are.
#[must_use]
pub fn searchset(head: &Head<'_>, matches: &[Match<'_>]) -> String {
    let size: usize = matches.iter().map(|m| m.full_url.len() + m.resource.len() + 64).sum();
    let mut out = String::with_capacity(size + head.own.len() + 256);
    out.push_str(r#"{"resourceType":"Bundle","#);
    // SL-03: as confidential as the most confidential in it, and no code that tells why.
    if let Some(highest) = matches.iter().filter_map(|m| m.confidentiality).max() {
        let (system, code) = (Confidentiality::SYSTEM, highest.code());
        let _infallible = write!(out, r#""meta":{{"security":[{{"system":"{system}","code":"{code}"}}]}},"#);
    }
    out.push_str(r#""type":"searchset","#);
    if let Some(total) = head.total {
        // Writing to a String cannot fail.
        let _infallible = write!(out, r#""total":{total},"#);
    }
    out.push_str(r#""link":["#);
    link(&mut out, "self", head.own);
    if let Some(next) = head.next {
        out.push(',');
        link(&mut out, "next", next);
    }
    out.push(']');
    // An empty array is not valid FHIR, so the array begins with its first entry (FH-34).
    let mut open = r#","entry":["#;
    for found in matches {
        out.push_str(open);
        open = ",";
        out.push_str(r#"{"fullUrl":"#);
        quote(found.full_url, &mut out);
        out.push_str(r#","resource":"#);
        out.push_str(found.resource);
        out.push_str(match found.mode {
            Mode::Match => r#","search":{"mode":"match"}}"#,
            Mode::Include => r#","search":{"mode":"include"}}"#,
        });
    }
    if let Some(outcome) = head.outcome {
        out.push_str(open);
        open = ",";
        out.push_str(r#"{"resource":"#);
        out.push_str(outcome);
        out.push_str(r#","search":{"mode":"outcome"}}"#);
    }
    out.push_str(if open == "," { "]}" } else { "}" });
    out
}

fn link(out: &mut String, relation: &str, url: &str) {
    out.push_str(r#"{"relation":"#);
    quote(relation, out);
    out.push_str(r#","url":"#);
    quote(url, out);
    out.push('}');
}
