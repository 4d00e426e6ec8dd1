//! A view of one resource's envelope.

use crate::clock::Timestamp;
use crate::json::Node;
use crate::model::Coding;

/// The envelope of a resource, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'n, 'a> {
    node: &'n Node<'a>,
}

impl<'n, 'a> Resource<'n, 'a> {
    /// Looks at `node`; everything is absent when it is not a resource.
    #[must_use]
    pub const fn of(node: &'n Node<'a>) -> Self {
        Self { node }
    }

    /// The tree.
    #[must_use]
    pub const fn node(&self) -> &'n Node<'a> {
        self.node
    }

    /// `resourceType`; empty when absent.
    #[must_use]
    pub fn type_name(&self) -> &'n str {
        self.node.text_of("resourceType").unwrap_or_default()
    }

    /// The logical id.
    #[must_use]
    pub fn id(&self) -> Option<&'n str> {
        self.node.text_of("id")
    }

    /// `meta.versionId`.
    #[must_use]
    pub fn version_id(&self) -> Option<&'n str> {
        self.node.get("meta")?.text_of("versionId")
    }

    /// `meta.lastUpdated`.
    #[must_use]
    pub fn last_updated(&self) -> Option<Timestamp> {
        super::moment::instant(self.node.get("meta")?.text_of("lastUpdated")?).map(|p| p.from)
    }

    /// `meta.security`; a missing system or code reads as empty.
    #[must_use]
    pub fn security(&self) -> Vec<Coding> {
        self.node
            .get("meta")
            .and_then(|m| m.get("security"))
            .map_or_else(Vec::new, |s| s.items().iter().map(coding).collect())
    }
}

/// A Coding; what is missing reads as empty.
pub(super) fn coding(node: &Node<'_>) -> Coding {
    let text = |name| node.text_of(name).unwrap_or_default().to_owned();
    Coding { system: text("system"), code: text("code") }
}

/// All codings of a CodeableConcept, or of an array of them.
pub(super) fn codings(concept: Option<&Node<'_>>) -> Vec<Coding> {
    let Some(concept) = concept else { return Vec::new() };
    let concepts = if concept.is_object() { std::slice::from_ref(concept) } else { concept.items() };
    concepts.iter().filter_map(|c| c.get("coding")).flat_map(Node::items).map(coding).collect()
}

/// The nodes at a path of plain names, arrays spread out.
pub(super) fn at<'n, 'a>(node: &'n Node<'a>, path: &str) -> Vec<&'n Node<'a>> {
    let mut here = vec![node];
    for name in path.split('.') {
        let below = here.iter().filter_map(|n| n.get(name));
        here = below.flat_map(|n| if n.items().is_empty() { std::slice::from_ref(n) } else { n.items() }).collect();
    }
    here
}
