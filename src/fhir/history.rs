//! The answer to a history interaction, put together from stored texts byte for byte (FHIR R4 §3.1.0.11).

use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::json::quote;

/// A version: the exact text of the resource, or none when it is the deletion.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'h> {
    /// Which version, from 1.
    pub version: i64,
    /// When it was made.
    pub at: Timestamp,
    /// The resource's JSON as stored.
    pub resource: Option<&'h str>,
}

/// Writes a history Bundle of `name` (`Type/id`) below `base`; `next` is the link to the older ones, when there are any.
///
/// The caller vouches that every text is one whole JSON resource: they are written as they are.
#[must_use]
pub fn history(
    (base, name): (&str, &str),
    (self_url, next): (&str, Option<&str>),
    total: usize,
    entries: &[Entry<'_>],
) -> String {
    let mut out = String::with_capacity(entries.iter().map(|e| e.resource.map_or(0, str::len) + 512).sum());
    let _infallible = write!(out, r#"{{"resourceType":"Bundle","type":"history","total":{total},"link":["#);
    link(&mut out, "self", self_url);
    if let Some(next) = next {
        out.push(',');
        link(&mut out, "next", next);
    }
    out.push(']');
    for (i, entry) in entries.iter().enumerate() {
        // An empty array is not valid FHIR, so the array begins with its first entry.
        out.push_str(if i == 0 { r#","entry":["# } else { "," });
        write_entry(&mut out, base, name, entry);
    }
    out.push_str(if entries.is_empty() { "}" } else { "]}" });
    out
}

fn write_entry(out: &mut String, base: &str, name: &str, entry: &Entry<'_>) {
    // bdl-8: the address of the record, not of the version.
    out.push_str(r#"{"fullUrl":"#);
    quote(&format!("{base}/{name}"), out);
    let (method, url, status) = match (entry.resource, entry.version) {
        (None, _) => ("DELETE", name, "204 No Content"),
        (Some(_), 1) => ("POST", name.split('/').next().unwrap_or_default(), "201 Created"),
        (Some(_), _) => ("PUT", name, "200 OK"),
    };
    if let Some(resource) = entry.resource {
        out.push_str(r#","resource":"#);
        out.push_str(resource);
    }
    let _infallible = write!(out, r#","request":{{"method":"{method}","url":"#);
    quote(url, out);
    let version = entry.version;
    let _infallible = write!(out, r#"}},"response":{{"status":"{status}","etag":"W/\"{version}\"","lastModified":"#);
    quote(&entry.at.to_rfc3339(), out);
    out.push_str("}}");
}

fn link(out: &mut String, relation: &str, url: &str) {
    out.push_str(r#"{"relation":"#);
    quote(relation, out);
    out.push_str(r#","url":"#);
    quote(url, out);
    out.push('}');
}
