//! Pieces that every resource here is written from.

use serde_json::{Value, json};

/// A Coding; a code without a system has none.
pub(super) fn coding(system: &str, code: &str) -> Value {
    if system.is_empty() { json!({ "code": code }) } else { json!({ "system": system, "code": code }) }
}

/// A CodeableConcept of one Coding.
pub(super) fn concept(system: &str, code: &str) -> Value {
    json!({ "coding": [coding(system, code)] })
}

/// Adds a member to an object.
pub(super) fn add(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}
