//! What a search asks for, in words that can be kept in a link and read again.

use super::Withheld;
use crate::clock::Timestamp;
use crate::fhir::{Answers, BadQuery, Everything, Handling, Query, SearchValues, Step, Total, View};
use crate::model::{RecordFacts, RecordKey};

/// The most records on one page, and how many there are when nobody says.
pub(super) const MOST: usize = 1000;
/// Bytes of all names and values: they must fit into a link, which is part of an address.
const LONGEST: usize = 4096;

/// A search, or all of a record.
#[derive(Clone, Debug)]
pub(super) enum What {
    Search(Box<Query>),
    Everything(Everything),
}

/// What is asked for, and the parameters it was read from.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(super) what: What,
    pub(super) pairs: Vec<(String, String)>,
}

impl Wanted {
    /// A search of `resource_type`; `base` is our own address.
    ///
    /// # Errors
    /// [`BadQuery`].
    pub fn search(
        resource_type: &str,
        pairs: Vec<(String, String)>,
        base: &str,
        now: Timestamp,
        handling: Handling,
    ) -> Result<Self, BadQuery> {
        let query = Query::read(resource_type, borrowed(&pairs), base, now, handling)?;
        let kept = pairs.into_iter().enumerate().filter(|(place, _)| !query.ignored.contains(place));
        Self { pairs: kept.map(|(_, pair)| pair).collect(), what: What::Search(Box::new(query)) }.bounded()
    }

    /// What a record of `resource_type` has that must not be there yet, as the conditions of a conditional create say it
    /// (FHIR R4 §3.1.0.8.1): conditions alone, at least one, and nothing about how an answer should look.
    ///
    /// # Errors
    /// [`BadQuery`].
    pub fn like(
        resource_type: &str,
        mut pairs: Vec<(String, String)>,
        base: &str,
        now: Timestamp,
    ) -> Result<Self, BadQuery> {
        const LOOKS: [&str; 8] =
            ["_count", "_sort", "_summary", "_elements", "_total", "_format", "_include", "_revinclude"];
        let looks = |name: &str| LOOKS.contains(&name.split(':').next().unwrap_or_default());
        if pairs.is_empty() || pairs.iter().any(|(name, _)| looks(name)) {
            return Err(BadQuery::Value("If-None-Exist"));
        }
        // All that match are found, and none is shown.
        pairs.push(("_summary".to_owned(), "count".to_owned()));
        Self::search(resource_type, pairs, base, now, Handling::Strict)
    }

    /// All of a patient's record.
    ///
    /// # Errors
    /// [`BadQuery`].
    pub fn everything(pairs: Vec<(String, String)>) -> Result<Self, BadQuery> {
        let what = What::Everything(Everything::parse(borrowed(&pairs))?);
        Self { what, pairs }.bounded()
    }

    /// The search, unless everything is asked for.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        if let What::Search(query) = &self.what { Some(query) } else { None }
    }

    fn bounded(self) -> Result<Self, BadQuery> {
        let size: usize = self.pairs.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
        if size > LONGEST { Err(BadQuery::TooLarge) } else { Ok(self) }
    }

    /// The one type searched; `None` is every type.
    pub(super) fn kind(&self) -> Option<&'static str> {
        self.query().map(|q| q.resource_type)
    }

    /// How this deed is called in the log.
    pub(super) fn called(&self) -> &'static str {
        if self.query().is_some() { "search" } else { "everything" }
    }

    /// The most records on a page.
    pub(super) fn page(&self) -> usize {
        let asked = match &self.what {
            What::Search(query) if query.view.is_none() => Some(0),
            What::Search(query) => query.count,
            What::Everything(all) => all.count,
        };
        asked.map_or(MOST, |n| usize::try_from(n).map_or(MOST, |n| n.min(MOST)))
    }

    /// Whether all matches are to be counted.
    pub(super) fn counts(&self) -> bool {
        self.query().is_some_and(|q| q.total == Total::Counted || q.view.is_none())
    }

    /// Whether the number may be told when it is known anyway.
    pub(super) fn tells_total(&self) -> bool {
        self.query().is_none_or(|q| q.total != Total::None)
    }

    /// Whether the order is another than that of the ids.
    pub(super) fn sorts(&self) -> bool {
        self.query().is_some_and(|q| !q.sort.is_empty())
    }

    pub(super) fn steps(&self) -> &[Step] {
        self.query().map_or(&[], Query::steps)
    }

    pub(super) fn view(&self) -> &View {
        self.query().and_then(|q| q.view.as_ref()).unwrap_or(&View::Whole)
    }

    pub(super) fn matches(&self, facts: &RecordFacts, values: &SearchValues, answers: &Answers) -> bool {
        match &self.what {
            What::Search(query) => query.matches(facts.key, values, answers),
            What::Everything(all) => all.matches(&facts.resource_type, facts.authored, values),
        }
    }

    pub(super) fn order_of(&self, values: &SearchValues) -> Vec<u8> {
        self.query().map(|q| q.order_of(values)).unwrap_or_default()
    }

    /// What a step finds by this record.
    pub(super) fn step(
        &self,
        step: &Step,
        key: RecordKey,
        values: &SearchValues,
        answers: &Answers,
    ) -> Option<Vec<RecordKey>> {
        self.query()?.step(step, key, values, answers)
    }

    /// The same, read again from a link.
    pub(super) fn again(
        kind: Option<&str>,
        pairs: Vec<(String, String)>,
        base: &str,
        now: Timestamp,
    ) -> Result<Self, Withheld> {
        let wanted = match kind {
            Some(kind) => Self::search(kind, pairs, base, now, Handling::Strict),
            None => Self::everything(pairs),
        };
        // What we sealed ourselves was readable then; a newer release may read more strictly.
        wanted.map_err(|_| Withheld::Hidden)
    }
}

fn borrowed(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}
