//! Strict validation against the R4 definitions.

use std::fmt::Write as _;

use super::issue::{Code, Issue, Severity};
use super::narrative;
use super::primitive::{Fault, Primitive};
use super::schema::{Field, Schema, Shape, Type, TypeId, schema};
use crate::json::{Member, Node, Value};

/// No more than this many issues are reported; a hostile text would otherwise be answered by a larger one.
pub const MOST_ISSUES: usize = 50;

/// Checks a resource of any type against the R4 definitions; empty means valid.
///
/// Recursion is as deep as the tree, which the parser bounds.
#[must_use]
pub fn validate(root: &Node<'_>) -> Vec<Issue> {
    let mut check = Check { schema: schema(), issues: Vec::new() };
    let name = root.text_of("resourceType").and_then(|t| check.schema.resource(t)).map_or("Resource", |(_, t)| t.name);
    check.resource(root, &Place { parent: None, name, index: None }, false);
    check.issues
}

/// A place in the tree; written out only when there is something to say about it.
#[derive(Clone, Copy)]
struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    name: &'p str,
    index: Option<usize>,
}

impl<'p> Place<'p> {
    fn child(&'p self, name: &'p str) -> Self {
        Self { parent: Some(self), name, index: None }
    }

    fn write(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(out);
            out.push('.');
        }
        out.push_str(self.name);
        if let Some(index) = self.index {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "[{index}]");
        }
    }
}

struct Check {
    schema: &'static Schema,
    issues: Vec<Issue>,
}

impl Check {
    fn say(&mut self, place: &Place<'_>, code: Code, reason: &'static str) {
        if self.issues.len() < MOST_ISSUES {
            let mut expression = String::new();
            place.write(&mut expression);
            self.issues.push(Issue { severity: Severity::Error, code, expression, reason });
        }
    }

    fn resource(&mut self, node: &Node<'_>, place: &Place<'_>, contained: bool) {
        if !node.is_object() {
            return self.say(place, Code::Structure, "a resource must be a JSON object");
        }
        let Some(name) = node.text_of("resourceType") else {
            return self.say(place, Code::Required, "resourceType is missing");
        };
        let Some((id, _)) = self.schema.resource(name) else {
            return self.say(place, Code::Structure, "resourceType is not a resource type of FHIR R4");
        };
        if contained {
            self.contained(node, place);
        }
        self.object(node, id, place);
    }

    /// dom-2, dom-4, dom-5: a contained resource has no life, and no label, of its own.
    fn contained(&mut self, node: &Node<'_>, place: &Place<'_>) {
        if node.get("contained").is_some() {
            self.say(
                &place.child("contained"),
                Code::Invariant,
                "a contained resource must not contain others (dom-2)",
            );
        }
        if node.get("id").is_none() {
            self.say(&place.child("id"), Code::Required, "a contained resource must have an id");
        }
        let Some(meta) = node.get("meta") else { return };
        for member in meta.members() {
            let name = member.name.strip_prefix('_').unwrap_or(&member.name);
            let reason = match name {
                "versionId" | "lastUpdated" => "a contained resource must not have it (dom-4)",
                "security" => "a contained resource must not have its own label (dom-5)",
                _ => continue,
            };
            self.say(&place.child("meta").child(name), Code::Invariant, reason);
        }
    }

    fn object(&mut self, node: &Node<'_>, id: TypeId, place: &Place<'_>) {
        let Some(ty) = self.schema.ty(id) else {
            return self.say(place, Code::Structure, "has no definition");
        };
        let Value::Object(members) = &node.value else {
            return self.say(place, Code::Structure, "must be a JSON object");
        };
        if members.is_empty() {
            return self.say(place, Code::Structure, "must not be empty");
        }
        let mut seen: u128 = 0;
        for member in members {
            if ty.is_resource && member.name == "resourceType" {
                continue;
            }
            match field_of(ty, &member.name) {
                None => self.unknown(member, place),
                Some((field, companion)) => {
                    if seen >> field.slot & 1 == 1 {
                        self.once(ty, field, members, place);
                    }
                    seen |= 1 << field.slot;
                    let here = place.child(field.name);
                    if companion {
                        self.companion(field, member, node, &here);
                    } else {
                        self.field(field, member, node, &here);
                    }
                }
            }
        }
        self.missing(ty, seen, place);
        if id == self.schema.extension {
            self.extension(node, place);
        }
    }

    fn unknown(&mut self, member: &Member<'_>, place: &Place<'_>) {
        // A name is echoed only when it can be nothing but a name.
        let plain = member.name.len() <= 64 && member.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let here = if plain { place.child(&member.name) } else { *place };
        self.say(&here, Code::Structure, "is not an element defined here");
    }

    /// Two fields of one slot are `x` and `_x`, or two types of the same choice.
    fn once(&mut self, ty: &Type, field: &Field, members: &[Member<'_>], place: &Place<'_>) {
        let same = |m: &&Member<'_>| field_of(ty, &m.name).is_some_and(|(f, _)| f.slot == field.slot);
        if members.iter().filter(same).any(|m| m.name.strip_prefix('_').unwrap_or(&m.name) != field.name) {
            self.say(&place.child(field.name), Code::Structure, "only one type of this choice may be there");
        }
    }

    fn missing(&mut self, ty: &Type, seen: u128, place: &Place<'_>) {
        let mut left = ty.required & !seen;
        while left != 0 {
            let slot = left.trailing_zeros();
            left &= left - 1;
            let name = ty.slots.get(slot as usize).copied().unwrap_or_default();
            self.say(&place.child(name), Code::Required, "is required and missing");
        }
    }

    fn field(&mut self, field: &Field, member: &Member<'_>, parent: &Node<'_>, place: &Place<'_>) {
        // FH-11: we understand none, so none may pass as understood.
        if field.name == "modifierExtension" {
            self.say(place, Code::Extension, "this modifier extension is not understood here");
        }
        match (&member.node.value, field.many) {
            (Value::Array(items), true) => {
                if items.is_empty() {
                    self.say(place, Code::Structure, "an array must not be empty");
                }
                for (i, item) in items.iter().enumerate() {
                    let here = Place { index: Some(i), ..*place };
                    if matches!(item.value, Value::Null) && matches!(field.shape, Shape::Primitive(_)) {
                        self.null(field, i, parent, &here);
                    } else {
                        self.value(field, item, &here);
                    }
                }
            }
            (Value::Array(_), false) => self.say(place, Code::Structure, "must not be an array"),
            (_, true) => self.say(place, Code::Structure, "must be an array"),
            (_, false) => self.value(field, &member.node, place),
        }
    }

    /// A null keeps the place of a value that has only extensions.
    fn null(&mut self, field: &Field, index: usize, parent: &Node<'_>, place: &Place<'_>) {
        let companion = parent.members().iter().find(|m| m.name.strip_prefix('_') == Some(field.name));
        let beside = companion.and_then(|m| m.node.items().get(index));
        if beside.is_none_or(|n| matches!(n.value, Value::Null)) {
            self.say(place, Code::Structure, "must not be null");
        }
    }

    fn companion(&mut self, field: &Field, member: &Member<'_>, parent: &Node<'_>, place: &Place<'_>) {
        match (&member.node.value, field.many) {
            (Value::Array(items), true) => {
                if items.iter().all(|i| matches!(i.value, Value::Null)) {
                    self.say(place, Code::Structure, "an array of extensions must hold some");
                }
                if parent.get(field.name).is_some_and(|values| values.items().len() != items.len()) {
                    self.say(place, Code::Structure, "values and their extensions must be arrays of the same length");
                }
                for (i, item) in items.iter().enumerate().filter(|(_, i)| !matches!(i.value, Value::Null)) {
                    self.object(item, self.schema.element, &Place { index: Some(i), ..*place });
                }
            }
            (Value::Array(_), false) => self.say(place, Code::Structure, "must not be an array"),
            (_, true) => self.say(place, Code::Structure, "must be an array"),
            (_, false) => self.object(&member.node, self.schema.element, place),
        }
    }

    fn value(&mut self, field: &Field, node: &Node<'_>, place: &Place<'_>) {
        match field.shape {
            Shape::Primitive(primitive) => self.primitive(primitive, field, node, place),
            Shape::Resource => self.resource(node, place, field.name == "contained"),
            Shape::Complex(id) => {
                self.object(node, id, place);
                if field.binding.is_some_and(|b| !self.bound(b, node)) {
                    self.say(place, Code::CodeInvalid, "must have a coding from its required value set");
                }
            }
        }
    }

    fn primitive(&mut self, primitive: Primitive, field: &Field, node: &Node<'_>, place: &Place<'_>) {
        match primitive.check(node) {
            Err(Fault::Kind(reason)) => return self.say(place, Code::Structure, reason),
            Err(Fault::Text(reason)) => return self.say(place, Code::Value, reason),
            Ok(()) => {}
        }
        let Some(text) = node.as_str() else { return };
        if let Some(set) = field.binding.and_then(|b| self.schema.set(b))
            && !set.has_code(text)
        {
            self.say(place, Code::CodeInvalid, "is not a code of its required value set");
        }
        if primitive == Primitive::Xhtml
            && let Err(reason) = narrative::check(text)
        {
            self.say(place, Code::Invariant, reason);
        }
    }

    fn bound(&self, set: usize, concept: &Node<'_>) -> bool {
        let Some(set) = self.schema.set(set) else { return false };
        concept.get("coding").map_or(&[][..], Node::items).iter().any(|coding| {
            let (Some(system), Some(code)) = (coding.text_of("system"), coding.text_of("code")) else { return false };
            set.codes_of(system).is_some_and(|codes| codes.binary_search(&code).is_ok())
        })
    }

    fn extension(&mut self, node: &Node<'_>, place: &Place<'_>) {
        let valued = node.members().iter().any(|m| m.name.starts_with("value") || m.name.starts_with("_value"));
        if valued == node.get("extension").is_some() {
            self.say(place, Code::Invariant, "must have either a value or extensions (ext-1)");
        }
        // SL-12: we filter whole records; a label on a part would be stored and then ignored.
        let last = node.text_of("url").and_then(|u| u.rsplit(['/', ':', '#']).next()).unwrap_or_default();
        if last.to_ascii_lowercase().ends_with("inline-sec-label") {
            self.say(place, Code::Extension, "labels on parts of a resource are not supported; label the resource");
        }
    }
}

/// The field for a JSON name, and whether the name is that of its `_` companion.
fn field_of<'t>(ty: &'t Type, name: &str) -> Option<(&'t Field, bool)> {
    match name.strip_prefix('_') {
        None => ty.field(name).map(|f| (f, false)),
        // The id of a resource and XHTML carry no extensions.
        Some("id") => None,
        Some(name) => ty
            .field(name)
            .filter(|f| matches!(f.shape, Shape::Primitive(p) if p != Primitive::Xhtml))
            .map(|f| (f, true)),
    }
}
