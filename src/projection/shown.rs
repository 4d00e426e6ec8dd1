//! Showing: what was written is handed out only against a spent permit.

use serde_json::Value;

use crate::fhir::{Answers, Query, SearchValues, extract};
use crate::json::{self, Limits};
use crate::ledger::Receipt;
use crate::model::{Confidentiality, RecordKey};
use crate::policy::Permit;
use crate::release::Withheld;

/// A resource that may be shown to the one it was told to. Only this room makes one.
#[derive(Debug)]
pub struct Shown {
    reference: String,
    version: i64,
    leaf: u64,
    confidentiality: Option<Confidentiality>,
    text: String,
}

impl Shown {
    /// `Type/id`.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Its version.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// The leaf under which this showing stands in the log.
    #[must_use]
    pub const fn leaf(&self) -> u64 {
        self.leaf
    }

    /// How confidential it says that it is.
    #[must_use]
    pub const fn confidentiality(&self) -> Option<Confidentiality> {
        self.confidentiality
    }

    /// The resource as FHIR JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same, given away.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}

/// What a search shows.
#[derive(Debug, Default)]
pub struct Page {
    /// The matches, in order.
    pub matches: Vec<Shown>,
    /// How many there are in all, when that is known.
    pub total: Option<u64>,
    /// Where the next page begins, when there may be one.
    pub next: Option<String>,
    /// The leaf under which the search stands in the log, when it was not refused.
    pub leaf: Option<u64>,
}

/// A resource that is written and not yet shown.
pub(super) struct Told {
    reference: String,
    version: i64,
    confidentiality: Option<Confidentiality>,
    text: String,
    values: SearchValues,
}

impl Told {
    /// Writes `resource`, which says its own type, id and version.
    pub(super) fn of(resource: &Value) -> Result<Self, Withheld> {
        let member = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default();
        let reference = format!("{}/{}", member("resourceType"), member("id"));
        let version = resource.pointer("/meta/versionId").and_then(Value::as_str).and_then(|v| v.parse().ok());
        let label = resource.pointer("/meta/security/0/code").and_then(Value::as_str);
        let confidentiality = label.and_then(|code| code.parse().ok());
        let text = resource.to_string();
        let values = {
            let tree = json::parse(text.as_bytes(), Limits::FHIR).map_err(Withheld::unavailable)?;
            extract(&tree)
        };
        Ok(Self { reference, version: version.unwrap_or(1), confidentiality, text, values })
    }

    /// Whether it is found; a query that chains is none of ours, so no record's key matters.
    pub(super) fn matches(&self, query: &Query, key: RecordKey) -> bool {
        query.matches(key, &self.values, &Answers::default())
    }
}

/// Puts written resources in the order that was asked for.
pub(super) fn in_order(told: &mut [Told], query: &Query) {
    if !query.sort.is_empty() {
        told.sort_by_cached_key(|one| query.order_of(&one.values));
    }
}

/// A permit that was spent with the receipt of the same deed.
pub(super) struct Spent(u64);

impl Spent {
    /// Spends both: one deed, one answer.
    #[expect(clippy::needless_pass_by_value, reason = "permit and receipt are spent here")]
    pub(super) fn of(permit: Permit, receipt: Receipt) -> Result<Self, Withheld> {
        if permit.deed() == receipt.deed() { Ok(Self(receipt.leaf())) } else { Err(Withheld::unavailable(Mismatch)) }
    }

    /// The leaf of the deed.
    pub(super) const fn leaf(&self) -> u64 {
        self.0
    }

    /// Hands out what was written.
    pub(super) fn show(&self, told: Told) -> Shown {
        let Told { reference, version, confidentiality, text, .. } = told;
        Shown { reference, version, leaf: self.0, confidentiality, text }
    }

    /// Hands out all that was written, which is all there is.
    pub(super) fn show_all(&self, told: Vec<Told>) -> Page {
        let total = Some(told.len() as u64);
        let matches = told.into_iter().map(|one| self.show(one)).collect();
        Page { matches, total, next: None, leaf: Some(self.0) }
    }
}

/// Permit and receipt do not belong together.
#[derive(Debug, thiserror::Error)]
#[error("permit and receipt do not belong together")]
struct Mismatch;
