//! What the server writes into a resource: id, version, moment, labels (FH-12, SL-01).

use super::edit::{BadEdit, Edit};
use super::resource::coding;
use crate::clock::Timestamp;
use crate::json::{Node, quote};
use crate::model::{Coding, Confidentiality};

/// The server's part of a resource; what a client gave for it is ignored and replaced (FH-12).
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'e> {
    /// Logical id.
    pub id: &'e str,
    /// `meta.versionId`.
    pub version: i64,
    /// `meta.lastUpdated`.
    pub last_updated: Timestamp,
    /// The one Confidentiality code; other labels that are there stay.
    pub confidentiality: Confidentiality,
    /// Labels to add when they are not there, as PATAST (SL-10).
    pub labels: &'e [Coding],
}

impl Edit {
    /// Sets id, version, moment and labels of the resource `node`.
    ///
    /// # Errors
    /// [`BadEdit::NotAResource`] when `node` is not an object with a `resourceType`.
    pub fn stamp(&mut self, node: &Node<'_>, envelope: &Envelope<'_>) -> Result<(), BadEdit> {
        let type_end = node.get("resourceType").ok_or(BadEdit::NotAResource)?.span.end;
        // Insertions at one place are one splice, so that their order is ours.
        let mut after_type = String::new();
        match node.get("id") {
            Some(id) => self.replace(id.span, quoted(envelope.id)),
            None => after_type = format!(",\"id\":{}", quoted(envelope.id)),
        }
        if let Some(meta) = node.get("meta") {
            self.stamp_meta(meta, envelope);
        } else {
            let (version, moment) = own(envelope);
            after_type.push_str(",\"meta\":{\"versionId\":");
            after_type.push_str(&version);
            after_type.push_str(",\"lastUpdated\":");
            after_type.push_str(&moment);
            after_type.push(',');
            after_type.push_str(&security(envelope));
            after_type.push('}');
        }
        if !after_type.is_empty() {
            self.insert(type_end, after_type);
        }
        Ok(())
    }

    fn stamp_meta(&mut self, meta: &Node<'_>, envelope: &Envelope<'_>) {
        let (version, moment) = own(envelope);
        let mut head = Vec::new();
        for (name, value) in [("versionId", version), ("lastUpdated", moment)] {
            match meta.get(name) {
                Some(old) => self.replace(old.span, value),
                None => head.push(format!("\"{name}\":{value}")),
            }
        }
        if let Some(security) = meta.get("security") {
            let there: Vec<_> = security.items().iter().map(coding).collect();
            let mut added = Vec::new();
            for label in wanted(envelope) {
                let confidentiality = label.system == Confidentiality::SYSTEM;
                let same = |c: &Coding| if confidentiality { c.system == label.system } else { *c == label };
                match there.iter().position(same).and_then(|i| Some((there.get(i)?, security.items().get(i)?))) {
                    Some((old, _)) if *old == label => {}
                    Some((_, node)) => self.replace(node.span, written(&label)),
                    None => added.push(written(&label)),
                }
            }
            self.head(security, &added);
        } else {
            head.push(security(envelope));
        }
        self.head(meta, &head);
    }

    /// Puts `parts` first within an array or object.
    fn head(&mut self, node: &Node<'_>, parts: &[String]) {
        if !parts.is_empty() {
            let comma = if node.items().is_empty() && node.members().is_empty() { "" } else { "," };
            self.insert(node.span.start + 1, format!("{}{comma}", parts.join(",")));
        }
    }
}

fn own(envelope: &Envelope<'_>) -> (String, String) {
    (quoted(&envelope.version.to_string()), quoted(&envelope.last_updated.to_rfc3339()))
}

fn security(envelope: &Envelope<'_>) -> String {
    let labels: Vec<_> = wanted(envelope).map(|c| written(&c)).collect();
    format!("\"security\":[{}]", labels.join(","))
}

fn wanted<'e>(envelope: &Envelope<'e>) -> impl Iterator<Item = Coding> + use<'e> {
    let code = envelope.confidentiality.code().to_owned();
    let confidentiality = Coding { system: Confidentiality::SYSTEM.to_owned(), code };
    std::iter::once(confidentiality).chain(envelope.labels.iter().cloned())
}

fn written(label: &Coding) -> String {
    format!("{{\"system\":{},\"code\":{}}}", quoted(&label.system), quoted(&label.code))
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(text, &mut out);
    out
}
