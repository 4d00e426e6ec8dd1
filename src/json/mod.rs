//! Strict, lossless JSON.
//!
//! Lives here: a tree over the source text (numbers stay text, every node knows its span) and the
//! canonical form of RFC 8785 for what is signed.
//! May touch: nothing.
//! Must never: keep the last of two equal names, round a number, or guess at broken text.
//!
//! Why not a general parser: it keeps the last duplicate, turns large numbers into floats and drops
//! the zeros of `1.50` (FHIR R4 §2.24.0.1 says decimals keep their precision).

mod canonical;
mod parse;

use std::borrow::Cow;

pub use canonical::{NotCanonical, canonical, quote};
pub use parse::{Broken, Limits, parse};

/// A half-open range of byte offsets in the source text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A value and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Node<'a> {
    /// What it is.
    pub value: Value<'a>,
    /// Where it stands in the source text.
    pub span: Span,
}

/// A JSON value; numbers are the source text, strings are unescaped.
#[derive(Clone, PartialEq, Debug)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number exactly as written.
    Number(&'a str),
    /// A string, unescaped; borrowed when it had no escape.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Node<'a>>),
    /// An object in source order; names are unique.
    Object(Vec<Member<'a>>),
}

/// A name and its value within an object.
#[derive(Clone, PartialEq, Debug)]
pub struct Member<'a> {
    /// The name, unescaped.
    pub name: Cow<'a, str>,
    /// Offset of the opening quote of the name.
    pub at: usize,
    /// The value.
    pub node: Node<'a>,
}

impl<'a> Node<'a> {
    /// The member called `name`, when this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.members().iter().find(|m| m.name == name).map(|m| &m.node)
    }

    /// The string called `name`, when this is an object that has it as a string.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Node::as_str)
    }

    /// The integer called `name`, when it is written as a plain integer that fits.
    #[must_use]
    pub fn int_of(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Node::as_i64)
    }

    /// The string, when this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(s) = &self.value { Some(s) } else { None }
    }

    /// The integer, when this is a number written without fraction or exponent that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Value::Number(n) = &self.value { n.parse().ok() } else { None }
    }

    /// The elements; empty when this is not an array.
    #[must_use]
    pub fn items(&self) -> &[Node<'a>] {
        if let Value::Array(items) = &self.value { items } else { &[] }
    }

    /// The members; empty when this is not an object.
    #[must_use]
    pub fn members(&self) -> &[Member<'a>] {
        if let Value::Object(members) = &self.value { members } else { &[] }
    }

    /// Whether this is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }
}
