//! A resource in a few words, for people: what it is, what it says, when, from whom. Text as it was written, never
//! interpreted; what is not coded is shown as it stands.

use super::moment::date_time;
use crate::clock::Timestamp;
use crate::json::{self, Limits, Node, Value};

/// A resource in a few words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// What it is; empty when it does not say.
    pub title: String,
    /// What it says.
    pub value: Option<String>,
    /// When what it says was so; the first moment of what was written.
    pub when: Option<Timestamp>,
    /// Whether only a month or year was written for it.
    pub vague: Option<String>,
    /// Who it is from, as far as the resource itself names them.
    pub from: Option<String>,
}

const TITLES: [&str; 8] =
    ["code", "vaccineCode", "medicationCodeableConcept", "description", "type", "title", "category", "class"];
const MOMENTS: [&str; 14] = [
    "effectiveDateTime",
    "authoredOn",
    "occurrenceDateTime",
    "performedDateTime",
    "onsetDateTime",
    "recordedDate",
    "date",
    "created",
    "issued",
    "assertedDate",
    "started",
    "whenHandedOver",
    "startDate",
    "dateAsserted",
];
const PERIODS: [&str; 4] = ["period", "effectivePeriod", "performedPeriod", "billablePeriod"];
const AUTHORS: [&str; 8] =
    ["performer", "requester", "recorder", "author", "asserter", "provider", "informationSource", "custodian"];

impl Summary {
    /// Of a resource's text; `None` when it is not one.
    #[must_use]
    pub fn of(text: &[u8]) -> Option<Self> {
        let tree = json::parse(text, Limits::FHIR).ok()?;
        let title = TITLES.iter().find_map(|name| words(tree.get(name)?));
        let written = MOMENTS.iter().find_map(|name| tree.text_of(name));
        let written = written.or_else(|| PERIODS.iter().find_map(|name| tree.get(name)?.text_of("start")));
        Some(Self {
            title: title.or_else(|| attachment(&tree)).unwrap_or_default(),
            value: value(&tree).or_else(|| parts(&tree)).or_else(|| total(&tree)).or_else(|| dosage(&tree)),
            when: written.and_then(date_time).map(|stretch| stretch.from),
            vague: written.filter(|text| text.len() < 10).map(str::to_owned),
            from: AUTHORS.iter().find_map(|name| display(tree.get(name)?)),
        })
    }
}

/// A coded concept, a coding, a text, or the first of several.
fn words(node: &Node<'_>) -> Option<String> {
    if let Some(text) = node.as_str() {
        return Some(text.to_owned()).filter(|t| !t.is_empty());
    }
    if let Some(first) = node.items().first() {
        return words(first);
    }
    let coded =
        || node.get("coding").and_then(|c| c.items().iter().find_map(|c| c.text_of("display").or(c.text_of("code"))));
    node.text_of("text")
        .or_else(coded)
        .or_else(|| node.text_of("display"))
        .or_else(|| node.text_of("code"))
        .map(str::to_owned)
}

fn display(node: &Node<'_>) -> Option<String> {
    if let Some(first) = node.items().first() {
        return display(first);
    }
    let named = node.text_of("display").map(str::to_owned);
    named.or_else(|| node.get("actor").or_else(|| node.get("who")).and_then(display))
}

fn value(node: &Node<'_>) -> Option<String> {
    if let Some(quantity) = node.get("valueQuantity") {
        let Value::Number(number) = quantity.get("value")?.value else { return None };
        let unit = quantity.text_of("unit").or_else(|| quantity.text_of("code")).unwrap_or_default();
        let sign = quantity.text_of("comparator").unwrap_or_default();
        return Some(format!("{sign}{number}\u{a0}{unit}").trim().to_owned());
    }
    node.text_of("valueString").map(str::to_owned).or_else(|| node.get("valueCodeableConcept").and_then(words))
}

/// The parts of a panel, as the two of a blood pressure.
fn parts(tree: &Node<'_>) -> Option<String> {
    let parts = tree.get("component")?.items();
    let told: Vec<String> =
        parts.iter().filter_map(|p| Some(format!("{}\u{a0}: {}", words(p.get("code")?)?, value(p)?))).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn total(tree: &Node<'_>) -> Option<String> {
    let total = tree.get("total")?;
    let amount = total.items().first().map_or(Some(total), |first| first.get("amount"))?;
    let Value::Number(number) = amount.get("value")?.value else { return None };
    Some(format!("{number}\u{a0}{}", amount.text_of("currency").unwrap_or_default()).trim().to_owned())
}

fn dosage(tree: &Node<'_>) -> Option<String> {
    let dosage = tree.get("dosageInstruction").or_else(|| tree.get("dosage"))?;
    dosage.items().first()?.text_of("text").map(str::to_owned)
}

fn attachment(tree: &Node<'_>) -> Option<String> {
    tree.get("content")?.items().first()?.get("attachment")?.text_of("title").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_told_in_its_own_words() {
        let told = |text: &str| Summary::of(text.as_bytes()).unwrap();
        let one = told(
            r#"{"resourceType":"Observation","code":{"coding":[{"code":"4548-4","display":"HbA1c"}]},
                "effectiveDateTime":"2026-03-12","valueQuantity":{"value":7.10,"unit":"%"},
                "performer":[{"display":"Laboratoire du Port"}]}"#,
        );
        assert_eq!((one.title.as_str(), one.value.as_deref()), ("HbA1c", Some("7.10\u{a0}%")), "digits as written");
        assert_eq!((one.when, one.vague), (Timestamp::from_rfc3339("2026-03-12T00:00:00Z"), None));
        assert_eq!(one.from.as_deref(), Some("Laboratoire du Port"));
        let two = told(
            r#"{"code":{"text":"Tension"},"component":[
                {"code":{"text":"systolique"},"valueQuantity":{"value":120,"unit":"mmHg"}},
                {"code":{"text":"sans valeur"}}],"onsetDateTime":"2019"}"#,
        );
        assert_eq!(two.value.as_deref(), Some("systolique\u{a0}: 120\u{a0}mmHg"));
        assert_eq!(two.vague.as_deref(), Some("2019"));
        assert_eq!(told("{}"), Summary::default());
        assert!(Summary::of(b"[").is_none());
    }
}
