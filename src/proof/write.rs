//! Writing claims: the members in the order they are given, nothing optional unless it is there.

use std::fmt::Write as _;

use crate::json;

/// An object being written.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        let mut out = String::with_capacity(512);
        out.push('{');
        Self(out)
    }

    fn name(mut self, name: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        json::quote(name, &mut self.0);
        self.0.push(':');
        self
    }

    pub(super) fn text(self, name: &str, value: &str) -> Self {
        let mut object = self.name(name);
        json::quote(value, &mut object.0);
        object
    }

    pub(super) fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(super) fn int(self, name: &str, value: i64) -> Self {
        let mut object = self.name(name);
        // Writing to a String cannot fail.
        let _infallible = write!(object.0, "{value}");
        object
    }

    /// A member whose value is already JSON.
    pub(super) fn json(self, name: &str, value: &str) -> Self {
        let mut object = self.name(name);
        object.0.push_str(value);
        object
    }

    pub(super) fn list(self, name: &str, values: impl Iterator<Item = String>) -> Self {
        let mut object = self.name(name);
        object.0.push('[');
        for (i, value) in values.enumerate() {
            if i > 0 {
                object.0.push(',');
            }
            json::quote(&value, &mut object.0);
        }
        object.0.push(']');
        object
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
