//! JSON Patch (RFC 6902) on a stored text: what no operation touches stays byte for byte, numbers as they are spelled.

use super::decimal::Decimal;
use super::edit::Edit;
use super::subject::subject;
use crate::json::{self, Broken, Limits, Node, Span, Value};

/// The most operations of one patch.
const MOST: usize = 1000;
/// Bytes that all operations together may read: each reads the whole text.
const COSTLIEST: usize = 128 * 1024 * 1024;
/// Bytes of the longest text that is patched: what a copy doubles grows fast.
const LONGEST: usize = 16 * 1024 * 1024;
/// What a patch leaves as it is (FH-23): whose the record is, which it is, and what the house says of it.
const FIXED: [&str; 5] = ["resourceType", "id", "meta", "subject", "patient"];

/// The patch cannot be read, or cannot be applied to this text. No message quotes either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPatch {
    /// Not JSON as we accept it.
    #[error("not JSON: {0}")]
    Broken(#[from] Broken),
    /// Not a patch as RFC 6902 §3 and §4 have it; operations count from 0.
    #[error("operation {0}: {1}")]
    Malformed(usize, &'static str),
    /// An operation does not succeed on this text.
    #[error("operation {0}: {1}")]
    Failed(usize, &'static str),
    /// It would change what stays as it is.
    #[error("a patch changes neither type, id, meta nor the patient")]
    Fixed,
    /// More work than is done for one request.
    #[error("the patch has too many operations, or its result is too large")]
    TooCostly,
}

/// A patch that was read and not yet applied.
#[derive(Clone, Debug)]
pub struct Patch {
    operations: Vec<Operation>,
}

#[derive(Clone, Debug)]
struct Operation {
    act: Act,
    path: Pointer,
}

#[derive(Clone, Debug)]
enum Act {
    /// The value, as it is spelled.
    Add(String),
    Replace(String),
    Test(String),
    Remove,
    Move(Pointer),
    Copy(Pointer),
}

/// A JSON Pointer (RFC 6901), unescaped.
type Pointer = Vec<String>;

/// Why an operation does not succeed.
type Failure = &'static str;

const ABSENT: Failure = "there is nothing at this place";

impl Patch {
    /// Reads a patch document.
    ///
    /// # Errors
    /// [`BadPatch::Broken`], [`BadPatch::Malformed`], [`BadPatch::TooCostly`].
    pub fn read(bytes: &[u8]) -> Result<Self, BadPatch> {
        let tree = json::parse(bytes, Limits::FHIR)?;
        let Value::Array(items) = &tree.value else { return Err(BadPatch::Malformed(0, "a patch is an array")) };
        if items.len() > MOST {
            return Err(BadPatch::TooCostly);
        }
        // What parses is UTF-8.
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let read = |(i, item)| operation(text, item).map_err(|why| BadPatch::Malformed(i, why));
        Ok(Self { operations: items.iter().enumerate().map(read).collect::<Result<_, _>>()? })
    }

    /// Applies all operations to the stored resource `text`, one after the other, and gives the text they make of it.
    ///
    /// # Errors
    /// [`BadPatch::Failed`] for the first that does not succeed; [`BadPatch::Fixed`], [`BadPatch::TooCostly`].
    pub fn apply(&self, text: &str) -> Result<String, BadPatch> {
        let mut now = text.to_owned();
        let mut cost = 0_usize;
        for (i, operation) in self.operations.iter().enumerate() {
            cost = cost.saturating_add(now.len());
            if cost > COSTLIEST || now.len() > LONGEST {
                return Err(BadPatch::TooCostly);
            }
            let tree = parse(&now)?;
            let failed = |why| BadPatch::Failed(i, why);
            let made = match &operation.act {
                Act::Test(value) => test(&tree, &operation.path, value).map(|()| None),
                Act::Add(value) => add(&now, &tree, &operation.path, value).map(Some),
                Act::Replace(value) => replace(&now, &tree, &operation.path, value).map(Some),
                Act::Remove => remove(&now, &tree, &operation.path).map(Some),
                Act::Copy(from) => {
                    taken(&now, &tree, from).and_then(|value| add(&now, &tree, &operation.path, value)).map(Some)
                }
                Act::Move(from) if from == &operation.path => taken(&now, &tree, from).map(|_| None),
                Act::Move(from) => {
                    let value = taken(&now, &tree, from).map_err(failed)?;
                    let without = remove(&now, &tree, from).map_err(failed)?;
                    add(&without, &parse(&without)?, &operation.path, value).map(Some)
                }
            };
            if let Some(made) = made.map_err(failed)? {
                now = made;
            }
        }
        if keeps(&parse(text)?, &parse(&now)?) { Ok(now) } else { Err(BadPatch::Fixed) }
    }
}

/// A stored text is well-formed, and so is what splices make of it: only size and depth can be wrong.
fn parse(text: &str) -> Result<Node<'_>, BadPatch> {
    json::parse(text.as_bytes(), Limits::FHIR).map_err(|_| BadPatch::TooCostly)
}

fn operation(text: &str, node: &Node<'_>) -> Result<Operation, &'static str> {
    let pointer = |name, missing| node.text_of(name).ok_or(missing).and_then(pointer);
    let value = || {
        let node = node.get("value").ok_or("an operation lacks its value")?;
        text.get(node.span.start..node.span.end).map(str::to_owned).ok_or("an operation lacks its value")
    };
    let path = pointer("path", "an operation lacks its path")?;
    let from = || pointer("from", "an operation lacks its from");
    let act = match node.text_of("op") {
        Some("add") => Act::Add(value()?),
        Some("replace") => Act::Replace(value()?),
        Some("test") => Act::Test(value()?),
        Some("remove") => Act::Remove,
        Some("copy") => Act::Copy(from()?),
        Some("move") => Act::Move(from()?),
        _ => return Err("an operation is one of add, remove, replace, move, copy, test"),
    };
    // RFC 6902 §4.4: nothing moves into itself.
    if matches!(&act, Act::Move(from) if from.len() < path.len() && path.starts_with(from)) {
        return Err("a value cannot move into itself");
    }
    Ok(Operation { act, path })
}

fn pointer(text: &str) -> Result<Pointer, &'static str> {
    const BAD: &str = "not a JSON Pointer";
    let Some(rest) = text.strip_prefix('/') else { return if text.is_empty() { Ok(Vec::new()) } else { Err(BAD) } };
    let token = |token: &str| {
        let escapes = token.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        // In this order: `~01` stands for `~1`.
        if escapes { Ok(token.replace("~1", "/").replace("~0", "~")) } else { Err(BAD) }
    };
    rest.split('/').map(token).collect()
}

/// The position that a token names in an array: one spelling per number (RFC 6901 §4).
fn position(token: &str) -> Option<usize> {
    token.parse().ok().filter(|n: &usize| n.to_string() == token)
}

fn find<'n, 'a>(node: &'n Node<'a>, pointer: &[String]) -> Option<&'n Node<'a>> {
    pointer.iter().try_fold(node, |here, token| match &here.value {
        Value::Object(_) => here.get(token),
        Value::Array(items) => items.get(position(token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

fn taken<'t>(text: &'t str, tree: &Node<'_>, from: &[String]) -> Result<&'t str, Failure> {
    let node = find(tree, from).ok_or(ABSENT)?;
    text.get(node.span.start..node.span.end).ok_or(ABSENT)
}

fn test(tree: &Node<'_>, path: &[String], value: &str) -> Result<(), Failure> {
    let here = find(tree, path).ok_or(ABSENT)?;
    let wanted = json::parse(value.as_bytes(), Limits::FHIR).map_err(|_| "the value is not JSON")?;
    if equal(here, &wanted) { Ok(()) } else { Err("the value at this place is another") }
}

fn replace(text: &str, tree: &Node<'_>, path: &[String], value: &str) -> Result<String, Failure> {
    splice(text, find(tree, path).ok_or(ABSENT)?.span, value.to_owned())
}

fn add(text: &str, tree: &Node<'_>, path: &[String], value: &str) -> Result<String, Failure> {
    let Some((last, before)) = path.split_last() else { return splice(text, tree.span, value.to_owned()) };
    let parent = find(tree, before).ok_or(ABSENT)?;
    let (at, added) = match &parent.value {
        Value::Array(items) => {
            let place = if last == "-" { items.len() } else { position(last).ok_or(ABSENT)? };
            match (items.get(place), items.last()) {
                (Some(next), _) => (next.span.start, format!("{value},")),
                (None, _) if place > items.len() => return Err(ABSENT),
                (None, Some(end)) => (end.span.end, format!(",{value}")),
                (None, None) => (parent.span.start + 1, value.to_owned()),
            }
        }
        Value::Object(members) => {
            if let Some(there) = parent.get(last) {
                return splice(text, there.span, value.to_owned());
            }
            let mut named = String::new();
            json::quote(last, &mut named);
            match members.last() {
                Some(end) => (end.node.span.end, format!(",{named}:{value}")),
                None => (parent.span.start + 1, format!("{named}:{value}")),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(ABSENT),
    };
    splice(text, Span { start: at, end: at }, added)
}

fn remove(text: &str, tree: &Node<'_>, path: &[String]) -> Result<String, Failure> {
    let Some((last, before)) = path.split_last() else { return Err("the whole cannot be removed") };
    let parent = find(tree, before).ok_or(ABSENT)?;
    // Where each of its parts begins and ends; with it goes the comma on one side.
    let (parts, place): (Vec<Span>, Option<usize>) = match &parent.value {
        Value::Array(items) => (items.iter().map(|item| item.span).collect(), position(last)),
        Value::Object(members) => {
            let whole = |m: &json::Member<'_>| Span { start: m.at, end: m.node.span.end };
            (members.iter().map(whole).collect(), members.iter().position(|m| m.name == *last))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(ABSENT),
    };
    let place = place.ok_or(ABSENT)?;
    let own = *parts.get(place).ok_or(ABSENT)?;
    let span = match (parts.get(place + 1), place.checked_sub(1).and_then(|p| parts.get(p))) {
        (Some(next), _) => Span { start: own.start, end: next.start },
        (None, Some(previous)) => Span { start: previous.end, end: own.end },
        (None, None) => own,
    };
    splice(text, span, String::new())
}

fn splice(text: &str, span: Span, with: String) -> Result<String, Failure> {
    let mut edit = Edit::new();
    edit.replace(span, with);
    edit.apply(text, Span { start: 0, end: text.len() }).map_err(|_| ABSENT)
}

/// Whether two values are the same (RFC 6902 §4.6): numbers by value, members in any order.
fn equal(a: &Node<'_>, b: &Node<'_>) -> bool {
    match (&a.value, &b.value) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || Decimal::parse(a).zip(Decimal::parse(b)).is_some_and(|(a, b)| a.cmp(b).is_eq())
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(members), Value::Object(others)) => {
            members.len() == others.len() && members.iter().all(|m| b.get(&m.name).is_some_and(|o| equal(&m.node, o)))
        }
        (a, b) => a == b,
    }
}

/// Whether a patch left alone what it must.
fn keeps(before: &Node<'_>, after: &Node<'_>) -> bool {
    let same = |name: &&str| match (before.get(name), after.get(name)) {
        (Some(before), Some(after)) => equal(before, after),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    FIXED.iter().all(same) && subject(before) == subject(after)
}
