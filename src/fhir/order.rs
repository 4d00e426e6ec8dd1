//! The order of the matches, as bytes that compare the same way.

use super::decimal::Decimal;
use super::parameters::{self, Kind};
use super::query::{BadQuery, Query};
use super::values::{SearchValue, SearchValues};
use crate::model::fold;

/// By what the matches are put in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SortKey {
    /// A search parameter of the type.
    pub code: &'static str,
    /// Latest or greatest first.
    pub descending: bool,
}

/// The most keys of one search.
const MOST: usize = 4;
/// So many bytes of a text decide: the rest is left to the ids.
const LONGEST: usize = 64;

/// Reads `_sort`.
pub(super) fn read(resource_type: &str, value: &str) -> Result<Vec<SortKey>, BadQuery> {
    let mut keys: Vec<SortKey> = Vec::new();
    for key in value.split(',') {
        let (name, descending) = key.strip_prefix('-').map_or((key, false), |k| (k, true));
        let parameter = parameters::find(resource_type, name).ok_or(BadQuery::Value("_sort"))?;
        if parameter.kind == Kind::Composite || keys.iter().any(|k| k.code == parameter.code) || keys.len() == MOST {
            return Err(BadQuery::Value("_sort"));
        }
        keys.push(SortKey { code: parameter.code, descending });
    }
    Ok(keys)
}

impl Query {
    /// Where a record with these values stands in the order asked for; empty when none is asked for.
    ///
    /// The least of its values counts, or the greatest when the order is descending; without a value it comes last.
    #[must_use]
    pub fn order_of(&self, values: &SearchValues) -> Vec<u8> {
        let mut out = Vec::new();
        for key in &self.sort {
            let keys = values.of(key.code).iter().filter_map(|v| bytes(v, key.descending));
            match if key.descending { keys.max() } else { keys.min() } {
                None => out.push(1),
                Some(found) => {
                    out.push(0);
                    out.extend(found.iter().map(|b| if key.descending { !b } else { *b }));
                }
            }
        }
        out
    }
}

fn bytes(value: &SearchValue, descending: bool) -> Option<Vec<u8>> {
    Some(match value {
        SearchValue::Date(period) => {
            let at = if descending { period.to } else { period.from };
            (at.0 ^ i64::MIN).to_be_bytes().to_vec()
        }
        SearchValue::Number(number) | SearchValue::Quantity { number, .. } => Decimal::parse(number)?.order().to_vec(),
        SearchValue::Text(text) => ended(&fold(text)),
        SearchValue::Token { code, .. } => ended(code),
        SearchValue::Reference(text) | SearchValue::Uri(text) => ended(text),
        SearchValue::Identifier { .. } | SearchValue::Label(_) | SearchValue::Composite(_) => return None,
    })
}

/// The beginning of a text and a zero, so that what is shorter comes first.
fn ended(text: &str) -> Vec<u8> {
    text.bytes().filter(|b| *b != 0).take(LONGEST).chain(std::iter::once(0)).collect()
}
