//! `Patient/$everything` as asked (FH-52).

use super::moment;
use super::query::BadQuery;
use super::schema::schema;
use super::values::{SearchValue, SearchValues};
use crate::clock::Timestamp;
use crate::model::Period;

/// All of a patient's record, or what lies within these bounds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Everything {
    /// `_count`, when given.
    pub count: Option<u32>,
    types: Vec<&'static str>,
    since: Option<Timestamp>,
    care: Period,
}

impl Everything {
    /// Reads `start`, `end`, `_since`, `_type` and `_count`, strictly.
    ///
    /// # Errors
    /// [`BadQuery`] for anything else, `_offset` included: pages are turned by their links.
    pub fn parse<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Self, BadQuery> {
        let mut all = Self { count: None, types: Vec::new(), since: None, care: Period::ALWAYS };
        let mut given: Vec<&str> = Vec::new();
        for (name, value) in pairs {
            const ONCE: [&str; 4] = ["start", "end", "_since", "_count"];
            if let Some(name) = ONCE.into_iter().find(|n| *n == name)
                && given.contains(&name)
            {
                return Err(BadQuery::Twice(name));
            }
            given.push(name);
            match name {
                "start" => all.care.from = moment::date(value).ok_or(BadQuery::Value("start"))?.from,
                "end" => all.care.to = moment::date(value).ok_or(BadQuery::Value("end"))?.to,
                "_since" => all.since = Some(moment::instant(value).ok_or(BadQuery::Value("_since"))?.from),
                "_type" => {
                    for name in value.split(',') {
                        all.types.push(schema().resource(name).ok_or(BadQuery::Value("_type"))?.1.name);
                    }
                }
                "_count" => {
                    let digits = value.bytes().all(|b| b.is_ascii_digit());
                    let count = value.parse().ok().filter(|count| digits && *count > 0);
                    all.count = Some(count.ok_or(BadQuery::Value("_count"))?);
                }
                "_format" if matches!(value, "json" | "application/json" | "application/fhir+json") => {}
                _ => return Err(BadQuery::Parameter),
            }
        }
        Ok(all)
    }

    /// Whether a record belongs to what is asked for; what is undated lies within every stretch of care.
    #[must_use]
    pub fn matches(&self, resource_type: &str, authored: Option<Period>, values: &SearchValues) -> bool {
        let updated = |v: &SearchValue| if let SearchValue::Date(p) = v { Some(p.from) } else { None };
        (self.types.is_empty() || self.types.contains(&resource_type))
            && authored.is_none_or(|p| p.from <= self.care.to && self.care.from <= p.to)
            && self.since.is_none_or(|since| values.of("_lastUpdated").iter().filter_map(updated).any(|at| at >= since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_52_bounds_are_read_strictly_and_the_undated_lies_within() {
        let all = Everything::parse([("start", "2024"), ("end", "2024-03"), ("_type", "Observation,Patient")]).unwrap();
        let values = SearchValues::default();
        let on = |text: &str| moment::date(text);
        assert!(all.matches("Observation", on("2024-02-01"), &values) && all.matches("Patient", None, &values));
        assert!(!all.matches("Observation", on("2024-04-01"), &values) && !all.matches("Condition", None, &values));
        for (pair, error) in [
            (("_offset", "1"), BadQuery::Parameter),
            (("_type", "Nonsense"), BadQuery::Value("_type")),
            (("start", "2024-13"), BadQuery::Value("start")),
            (("_since", "2024"), BadQuery::Value("_since")),
            (("_count", "0"), BadQuery::Value("_count")),
        ] {
            assert_eq!(Everything::parse([pair]), Err(error), "{pair:?}");
        }
        assert_eq!(Everything::parse([("end", "2024"), ("end", "2025")]), Err(BadQuery::Twice("end")));
    }
}
