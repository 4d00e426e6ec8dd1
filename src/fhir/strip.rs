//! French visibility codes leave the text: they are kept beside it (FR-14, EHDS art. 8).
//!
//! In the text they would tell every reader that the patient has hidden something, and they would still say so after
//! the mask is lifted, in each version that was ever stored.

use super::edit::{BadEdit, Edit};
use super::resource::coding;
use crate::json::{Limits, Node, Span, parse};
use crate::model::Visibility;

/// The text without its visibility codes; `None` when it has none. Every other byte stays as it came.
///
/// # Errors
/// [`BadEdit::NotAResource`] when it is not one JSON object.
pub fn strip(text: &str) -> Result<Option<String>, BadEdit> {
    // An escape can spell the system in another way; the tree knows both.
    if !text.contains("TRE") && !text.contains('\\') {
        return Ok(None);
    }
    let node = parse(text.as_bytes(), Limits::FHIR).map_err(|_| BadEdit::NotAResource)?;
    let mut edit = Edit::new();
    if let Some(meta) = node.get("meta") {
        let kept = |label: &Node<'_>| if is_visibility(label) { Kept::Gone } else { Kept::Whole };
        list(&mut edit, text, meta, "security", &kept);
    }
    let contained = node.get("contained").map_or(&[][..], Node::items);
    for part in std::iter::once(&node).chain(contained) {
        list(&mut edit, text, part, "securityLabel", &|concept| within(text, concept));
    }
    if edit.splices().is_empty() { Ok(None) } else { edit.apply(text, node.span).map(Some) }
}

fn is_visibility(label: &Node<'_>) -> bool {
    coding(label).system == Visibility::SYSTEM
}

/// What becomes of an element.
enum Kept {
    Whole,
    Changed(String),
    Gone,
}

/// A concept without its visibility codings; it goes when nothing is left of it.
fn within(text: &str, concept: &Node<'_>) -> Kept {
    let mut edit = Edit::new();
    let kept = |label: &Node<'_>| if is_visibility(label) { Kept::Gone } else { Kept::Whole };
    let left = list(&mut edit, text, concept, "coding", &kept);
    if edit.splices().is_empty() {
        return Kept::Whole;
    }
    if !left && concept.get("text").is_none() && concept.get("extension").is_none() {
        return Kept::Gone;
    }
    edit.apply(text, concept.span).map_or(Kept::Gone, Kept::Changed)
}

/// Rewrites the array `name` of `node` when an element of it changes; whether any element is left.
fn list(edit: &mut Edit, text: &str, node: &Node<'_>, name: &str, keep: &dyn Fn(&Node<'_>) -> Kept) -> bool {
    let Some(place) = node.members().iter().position(|m| m.name == name) else { return false };
    let Some(member) = node.members().get(place) else { return false };
    let (mut left, mut changed) = (Vec::new(), false);
    for item in member.node.items() {
        match keep(item) {
            Kept::Whole => left.push(text.get(item.span.start..item.span.end).unwrap_or_default().to_owned()),
            Kept::Changed(other) => {
                left.push(other);
                changed = true;
            }
            Kept::Gone => changed = true,
        }
    }
    if changed && left.is_empty() {
        edit.replace(whole_member(node, place), String::new());
    } else if changed {
        edit.replace(member.node.span, format!("[{}]", left.join(",")));
    }
    !left.is_empty()
}

/// A member with the comma that it needs.
fn whole_member(node: &Node<'_>, place: usize) -> Span {
    let member = |i: Option<usize>| i.and_then(|i| node.members().get(i));
    let (this, before, after) = (member(Some(place)), member(place.checked_sub(1)), member(place.checked_add(1)));
    let (start, end) = this.map_or((0, 0), |m| (m.at, m.node.span.end));
    match (before, after) {
        (_, Some(after)) => Span { start, end: after.at },
        (Some(before), None) => Span { start: before.node.span.end, end },
        (None, None) => Span { start, end },
    }
}
