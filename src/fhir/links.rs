//! References between the entries of a Bundle, rewritten to the ids they get here (FH-57).

use std::collections::HashMap;

use super::edit::Edit;
use super::primitive::Primitive;
use super::schema::{Shape, schema};
use super::walk::{Visit, primitives};
use crate::json::{Node, quote};

/// A reference that is neither kept nor rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// `Type?query`: resolving it would tell what the sender may not know (security F19).
    #[error("conditional references are not accepted")]
    Conditional,
    /// A `urn:` reference that no entry of the Bundle has as its fullUrl.
    #[error("a reference names an entry that is not in the Bundle")]
    Dangling,
}

/// From the key of each entry (`bundle::Entry::key`) to its new `Type/id`.
#[derive(Clone, Default, Debug)]
pub struct Links {
    new: HashMap<String, String>,
}

impl Links {
    /// Knows no entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that the entry `key` becomes `reference` (`Type/id`).
    pub fn insert(&mut self, key: &str, reference: String) {
        self.new.insert(key.to_owned(), reference);
    }

    /// What `reference` becomes when it stands in the entry `from`; `None` when it names no entry.
    #[must_use]
    pub fn resolve(&self, reference: &str, from: Option<&str>) -> Option<&str> {
        look_up(&self.new, reference, from).map(String::as_str)
    }
}

/// Finds the entry that `reference` names: its fullUrl, or relative to the fullUrl it stands in (FHIR R4 §3.3.1.1).
pub(super) fn look_up<'m, V>(by_url: &'m HashMap<String, V>, reference: &str, from: Option<&str>) -> Option<&'m V> {
    let plain = reference.split_once("/_history/").map_or(reference, |(r, _)| r);
    if let Some(found) = by_url.get(plain) {
        return Some(found);
    }
    let (kind, _) = plain.split_once('/')?;
    schema().resource(kind)?;
    let mut parts = from.filter(|f| f.starts_with("http"))?.rsplitn(3, '/');
    let base = parts.nth(2)?;
    by_url.get(&format!("{base}/{plain}"))
}

impl Edit {
    /// Rewrites every link of `resource` (standing in the entry `from`) that `links` knows.
    ///
    /// # Errors
    /// [`BadLink`] for conditional references and for `urn:` references to no entry.
    pub fn rewrite(&mut self, resource: &Node<'_>, links: &Links, from: Option<&str>) -> Result<(), BadLink> {
        let reference = schema().reference;
        primitives(resource, &mut |visit: Visit<'_, '_>| {
            let Some(text) = visit.node.as_str() else { return Ok(()) };
            let is_reference = visit.field.name == "reference"
                && schema().ty(reference).is_some_and(|t| std::ptr::eq(t, visit.parent));
            let replaced = match visit.field.shape {
                _ if is_reference => rewritten(text, links, from)?,
                Shape::Primitive(Primitive::Uri | Primitive::Url | Primitive::Oid | Primitive::Uuid) => {
                    links.new.get(text).cloned()
                }
                Shape::Primitive(Primitive::Xhtml) => narrative(text, links),
                Shape::Primitive(_) | Shape::Complex(_) | Shape::Resource => None,
            };
            if let Some(new) = replaced {
                let mut quoted = String::with_capacity(new.len() + 2);
                quote(&new, &mut quoted);
                self.replace(visit.node.span, quoted);
            }
            Ok(())
        })
    }
}

fn rewritten(text: &str, links: &Links, from: Option<&str>) -> Result<Option<String>, BadLink> {
    let (target, fragment) = text.split_once('#').map_or((text, None), |(t, f)| (t, Some(f)));
    if target.is_empty() {
        return Ok(None);
    }
    if let Some(new) = links.resolve(target, from) {
        return Ok(Some(fragment.map_or_else(|| new.to_owned(), |f| format!("{new}#{f}"))));
    }
    if target.contains('?') {
        return Err(BadLink::Conditional);
    }
    // Case is ignored: a URN's scheme has none (RFC 8141), and doubt denies.
    if target.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("urn:")) {
        return Err(BadLink::Dangling);
    }
    Ok(None)
}

/// The narrative with its links rewritten; `None` when it has none of ours.
fn narrative(text: &str, links: &Links) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices(['"', '\'']) {
        let before = text.get(done..at)?;
        let attribute = before.trim_end().strip_suffix('=').map(str::trim_end).unwrap_or_default();
        if !(attribute.ends_with("href") || attribute.ends_with("src")) {
            continue;
        }
        let quote = text.get(at..=at)?;
        let Some((value, _)) = text.get(at + 1..)?.split_once(quote) else { break };
        if let Some(new) = links.new.get(value) {
            out.push_str(text.get(done..=at)?);
            out.push_str(new);
            done = at + 1 + value.len();
        }
    }
    if done == 0 {
        return None;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}
