//! Claims, read as strict types, and the limits of time.

use super::Refused;
use super::refused::ensure;
use crate::clock::Timestamp;
use crate::json::{self, Limits, Node, Value};

/// The end of the year 9999: later moments mean nothing and overflow the clock (J26, J27).
const LAST_SECOND: i64 = 253_402_300_799;

/// The longest text of a claim that has no limit of its own.
const LONGEST_TEXT: usize = 1024;

/// The claims of a verified payload, or an object within them.
#[derive(Debug)]
pub struct Claims<'a>(Node<'a>);

impl<'a> Claims<'a> {
    /// Reads claims from a payload; private to the room, since only what is verified has claims.
    pub(super) fn read(payload: &'a [u8]) -> Result<Self, Refused> {
        let tree = json::parse(payload, Limits::TOKEN).map_err(|_| Refused::because("claims"))?;
        if tree.is_object() { Ok(Self(tree)) } else { Err(Refused::because("claims")) }
    }

    /// The value called `name`; a `null` is a value, and no claim accepts it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.0.get(name)
    }

    /// Refuses any claim that is not in `names`.
    ///
    /// # Errors
    /// [`Refused`] when there is one.
    pub fn only(&self, names: &[&str]) -> Result<(), Refused> {
        only(&self.0, names)
    }

    /// A text that must be there, not empty, at most 1024 bytes.
    ///
    /// # Errors
    /// [`Refused`] otherwise.
    pub fn text(&self, name: &str) -> Result<&str, Refused> {
        text(&self.0, name)
    }

    /// A text that may be absent.
    ///
    /// # Errors
    /// [`Refused`] when it is there but not such a text.
    pub fn optional_text(&self, name: &str) -> Result<Option<&str>, Refused> {
        optional_text(&self.0, name)
    }

    /// A text that must be exactly `wanted`.
    ///
    /// # Errors
    /// [`Refused`] with `word` otherwise.
    pub fn exact(&self, name: &str, wanted: &str, word: &'static str) -> Result<(), Refused> {
        ensure(self.0.text_of(name) == Some(wanted), word)
    }

    /// A moment in whole seconds that must be there: a plain integer from 0 to the year 9999.
    ///
    /// # Errors
    /// [`Refused`] for fractions, exponents, texts, negative and later moments.
    pub fn time(&self, name: &str) -> Result<Timestamp, Refused> {
        self.optional_time(name)?.ok_or(Refused::because("time missing"))
    }

    /// A moment that may be absent.
    ///
    /// # Errors
    /// [`Refused`] when it is there but not such a moment.
    pub fn optional_time(&self, name: &str) -> Result<Option<Timestamp>, Refused> {
        let Some(node) = self.0.get(name) else { return Ok(None) };
        let seconds = node.as_i64().filter(|s| (0..=LAST_SECOND).contains(s));
        seconds.map(|s| Some(Timestamp::from_secs(s))).ok_or(Refused::because("time"))
    }

    /// Requires exactly one audience, one of `accepted`; in an array only if `array_of_one` says so (J25, D15).
    ///
    /// # Errors
    /// [`Refused`] when it is absent, another, or one of several.
    pub fn audience(&self, accepted: &[&str], array_of_one: bool) -> Result<(), Refused> {
        let aud = self.0.get("aud").ok_or(Refused::because("aud missing"))?;
        let one = match (&aud.value, aud.items()) {
            (Value::Array(_), [one]) if array_of_one => one.as_str(),
            _ => aud.as_str(),
        };
        ensure(one.is_some_and(|aud| accepted.contains(&aud)), "aud")
    }
}

/// Refuses any member of `node` that is not in `names`.
pub(super) fn only(node: &Node<'_>, names: &[&str]) -> Result<(), Refused> {
    ensure(node.members().iter().all(|m| names.contains(&&*m.name)), "claim unknown")
}

/// The object called `name` within `node`.
pub(super) fn object<'n, 'a>(node: Option<&'n Node<'a>>) -> Result<Option<&'n Node<'a>>, Refused> {
    match node {
        None => Ok(None),
        Some(node) if node.is_object() => Ok(Some(node)),
        Some(_) => Err(Refused::because("claim not an object")),
    }
}

pub(super) fn text<'n>(node: &'n Node<'_>, name: &str) -> Result<&'n str, Refused> {
    optional_text(node, name)?.ok_or(Refused::because("claim missing"))
}

pub(super) fn optional_text<'n>(node: &'n Node<'_>, name: &str) -> Result<Option<&'n str>, Refused> {
    let Some(node) = node.get(name) else { return Ok(None) };
    let text = node.as_str().filter(|t| !t.is_empty() && t.len() <= LONGEST_TEXT);
    text.map(Some).ok_or(Refused::because("claim not a text"))
}

/// When something signed is taken: its limits in time, all of which the caller gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The present moment.
    pub now: Timestamp,
    /// How many seconds `iat` and `nbf` may lie ahead, for clocks that differ; `exp` has no such grace.
    pub ahead: i64,
    /// How many seconds ago `iat` may lie.
    pub oldest: i64,
    /// How many seconds may lie between `iat` (or now) and `exp`.
    pub longest: i64,
}

impl Window {
    /// For what others sign: 10 s of difference between clocks (J28, FA-16).
    #[must_use]
    pub const fn of_others(now: Timestamp, longest: i64) -> Self {
        Self { now, ahead: 10, oldest: longest, longest }
    }

    /// For what this house signs: no difference at all (J28).
    #[must_use]
    pub const fn of_ours(now: Timestamp, longest: i64) -> Self {
        Self { now, ahead: 0, oldest: longest, longest }
    }

    /// Whether something with these claims is taken now; at the second of `exp` it no longer is.
    ///
    /// # Errors
    /// [`Refused`] when any limit is passed.
    pub fn holds(
        &self,
        issued: Option<Timestamp>,
        not_before: Option<Timestamp>,
        expires: Timestamp,
    ) -> Result<(), Refused> {
        let latest = self.now.plus_secs(self.ahead);
        ensure(self.now < expires, "exp past")?;
        ensure(expires <= latest.plus_secs(self.longest), "exp too far")?;
        ensure(not_before.is_none_or(|t| t <= latest), "nbf ahead")?;
        let Some(issued) = issued else { return Ok(()) };
        ensure(issued <= latest, "iat ahead")?;
        ensure(issued >= self.now.plus_secs(self.oldest.saturating_neg()), "iat too old")?;
        ensure(issued < expires && expires <= issued.plus_secs(self.longest), "exp too long after iat")
    }
}
