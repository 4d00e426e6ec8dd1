//! Bundles that bring resources in: transaction, batch, collection, document.

use std::collections::HashMap;

use super::edit::{BadEdit, Edit};
use super::links::{Links, look_up};
use super::stamp::Envelope;
use crate::json::{Node, quote};

/// Why the Bundle came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BundleKind {
    /// All entries or none.
    Transaction,
    /// Entries on their own.
    Batch,
    /// A set of resources.
    Collection,
    /// A Composition and what it refers to.
    Document,
}

/// The Bundle cannot be taken in; positions count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBundle {
    /// Not a Bundle.
    #[error("not a Bundle")]
    NotABundle,
    /// A type that brings nothing in.
    #[error("only Bundles of type transaction, batch, collection or document are accepted")]
    Kind,
    /// A rule of the standard about the whole Bundle.
    #[error("{0}")]
    Rule(&'static str),
    /// A rule of the standard about one entry.
    #[error("entry {0}: {1}")]
    Entry(usize, &'static str),
}

/// What is asked for one entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Read.
    Get,
    /// Read without body.
    Head,
    /// Create.
    Post,
    /// Update.
    Put,
    /// Delete.
    Delete,
    /// Change in part.
    Patch,
}

/// The request of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Request<'n> {
    /// The verb.
    pub method: Method,
    /// Relative to the base.
    pub url: &'n str,
    /// Conditional create.
    pub if_none_exist: Option<&'n str>,
    /// Version the update rests on.
    pub if_match: Option<&'n str>,
    /// Version the reader has.
    pub if_none_match: Option<&'n str>,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'n, 'a> {
    text: &'n str,
    /// Position in the Bundle, from 0.
    pub index: usize,
    /// What other entries call it.
    pub full_url: Option<&'n str>,
    /// The resource.
    pub resource: Option<&'n Node<'a>>,
    /// What is asked; always there in transactions and batches.
    pub request: Option<Request<'n>>,
}

/// A Bundle whose rules were checked.
#[derive(Debug)]
pub struct Bundle<'n, 'a> {
    kind: BundleKind,
    entries: Vec<Entry<'n, 'a>>,
    by_url: HashMap<String, usize>,
}

impl<'n, 'a> Bundle<'n, 'a> {
    /// Reads a validated Bundle; `text` is the source of `node`.
    ///
    /// # Errors
    /// [`BadBundle`] for other types and for broken rules bdl-3, bdl-5, bdl-7, bdl-8, bdl-9, bdl-10, bdl-11.
    pub fn read(text: &'n str, node: &'n Node<'a>) -> Result<Self, BadBundle> {
        if node.text_of("resourceType") != Some("Bundle") {
            return Err(BadBundle::NotABundle);
        }
        let kind = match node.text_of("type") {
            Some("transaction") => BundleKind::Transaction,
            Some("batch") => BundleKind::Batch,
            Some("collection") => BundleKind::Collection,
            Some("document") => BundleKind::Document,
            _ => return Err(BadBundle::Kind),
        };
        let mut bundle = Self { kind, entries: Vec::new(), by_url: HashMap::new() };
        for (index, entry) in node.get("entry").map_or(&[][..], Node::items).iter().enumerate() {
            let entry = read_entry(kind, text, index, entry).map_err(|reason| BadBundle::Entry(index, reason))?;
            if let Some(key) = entry.key()
                && bundle.by_url.insert(key, index).is_some()
            {
                return Err(BadBundle::Entry(index, "the same resource occurs twice (bdl-7)"));
            }
            bundle.entries.push(entry);
        }
        if kind == BundleKind::Document {
            bundle.check_document(node)?;
        }
        Ok(bundle)
    }

    fn check_document(&self, node: &Node<'_>) -> Result<(), BadBundle> {
        let identifier = node.get("identifier");
        if identifier.is_none_or(|i| i.text_of("system").is_none() || i.text_of("value").is_none()) {
            return Err(BadBundle::Rule("a document must have an identifier with system and value (bdl-9)"));
        }
        if node.get("timestamp").is_none() {
            return Err(BadBundle::Rule("a document must have a timestamp (bdl-10)"));
        }
        let first = self.entries.first().and_then(|e| e.resource).and_then(|r| r.text_of("resourceType"));
        if first != Some("Composition") {
            return Err(BadBundle::Rule("the first resource of a document must be a Composition (bdl-11)"));
        }
        Ok(())
    }

    /// Why it came.
    #[must_use]
    pub const fn kind(&self) -> BundleKind {
        self.kind
    }

    /// The entries in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry<'n, 'a>] {
        &self.entries
    }

    /// The entry that `reference` names when it stands in the entry `from`.
    #[must_use]
    pub fn resolve(&self, reference: &str, from: &Entry<'_, '_>) -> Option<&Entry<'n, 'a>> {
        // FH-58: the entries of a batch do not know each other.
        if self.kind == BundleKind::Batch {
            return None;
        }
        look_up(&self.by_url, reference, from.full_url).and_then(|i| self.entries.get(*i))
    }
}

fn read_entry<'n, 'a>(
    kind: BundleKind,
    text: &'n str,
    index: usize,
    node: &'n Node<'a>,
) -> Result<Entry<'n, 'a>, &'static str> {
    let resource = node.get("resource");
    let full_url = node.text_of("fullUrl");
    if full_url.is_some_and(|u| u.contains("/_history/")) {
        return Err("fullUrl must not name a version (bdl-8)");
    }
    let acts = matches!(kind, BundleKind::Transaction | BundleKind::Batch);
    let request = match node.get("request") {
        Some(_) if !acts => return Err("a request has no place in this type of Bundle (bdl-3)"),
        None if acts => return Err("a request is required in a transaction or batch (bdl-3)"),
        None => None,
        Some(request) => Some(read_request(request, resource)?),
    };
    if resource.is_none() && request.is_none() {
        return Err("must hold a resource (bdl-5)");
    }
    if node.get("response").is_some() {
        return Err("a response has no place in this type of Bundle (bdl-4)");
    }
    if node.get("search").is_some() {
        return Err("search has no place in this type of Bundle (bdl-2)");
    }
    Ok(Entry { text, index, full_url, resource, request })
}

fn read_request<'n>(node: &'n Node<'_>, resource: Option<&Node<'_>>) -> Result<Request<'n>, &'static str> {
    let method = match node.text_of("method") {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        Some("PUT") => Method::Put,
        Some("DELETE") => Method::Delete,
        Some("PATCH") => Method::Patch,
        _ => return Err("the request has no method"),
    };
    let url = node.text_of("url").ok_or("the request has no url")?;
    if matches!(method, Method::Post | Method::Put) && resource.is_none() {
        return Err("this method needs a resource");
    }
    let named = resource.and_then(|r| r.text_of("resourceType"));
    if method == Method::Post && resource.is_some() && named != Some(url) {
        return Err("the url of a create must be the type of its resource");
    }
    if method == Method::Put && url.split(['/', '?']).next() != named {
        return Err("the url of an update must begin with the type of its resource");
    }
    let (if_none_exist, if_match) = (node.text_of("ifNoneExist"), node.text_of("ifMatch"));
    Ok(Request { method, url, if_none_exist, if_match, if_none_match: node.text_of("ifNoneMatch") })
}

/// Writes the answer to a Bundle, `kind` as `batch-response`; the caller vouches that each of `entries` is one whole
/// JSON object, in the order of the request (FH-55).
#[must_use]
pub fn response(kind: &str, entries: &[String]) -> String {
    let size: usize = entries.iter().map(|entry| entry.len() + 1).sum();
    let mut out = String::with_capacity(size + 80);
    out.push_str(r#"{"resourceType":"Bundle","type":"#);
    quote(kind, &mut out);
    // An empty array is not valid FHIR: the array begins with its first entry.
    let mut open = r#","entry":["#;
    for entry in entries.iter().filter(|entry| !entry.is_empty()) {
        out.push_str(open);
        out.push_str(entry);
        open = ",";
    }
    out.push_str(if open == "," { "]}" } else { "}" });
    out
}

impl Entry<'_, '_> {
    /// What other entries call it: its fullUrl, or `Type/id` when it has none.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let relative = || Some(format!("{}/{}", self.type_name()?, self.resource?.text_of("id")?));
        self.full_url.map(str::to_owned).or_else(relative)
    }

    /// `resourceType` of the resource.
    #[must_use]
    pub fn type_name(&self) -> Option<&str> {
        self.resource.and_then(|r| r.text_of("resourceType"))
    }

    /// The exact text of the resource as it came.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.resource.and_then(|r| self.text.get(r.span.start..r.span.end))
    }

    /// The resource's text with the server's envelope and its links rewritten; all other bytes as they came.
    ///
    /// # Errors
    /// [`BadEdit`] for references that cannot be kept, and when there is no resource.
    pub fn rewritten(&self, links: &Links, envelope: &Envelope<'_>) -> Result<String, BadEdit> {
        let resource = self.resource.ok_or(BadEdit::NotAResource)?;
        let mut edit = Edit::new();
        edit.stamp(resource, envelope)?;
        edit.rewrite(resource, links, self.full_url)?;
        edit.apply(self.text, resource.span)
    }
}
