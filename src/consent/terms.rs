//! Terms as JSON, under the names they have in statements.
//!
//! A statement is canonical because it is signed. Here the order of lists is free and repeats are taken once: what
//! comes of it is shown again before anybody signs.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::clock::Timestamp;
use crate::json::{Node, Value};
use crate::model::statement::BadStatement;
use crate::model::{Period, Terms};

/// The members of terms; no other is taken.
pub const MEMBERS: [&str; 9] = [
    "grantee",
    "scope",
    "purpose",
    "confidentiality",
    "sensitivity",
    "authoredFrom",
    "authoredTo",
    "notBefore",
    "notAfter",
];

/// Reads terms.
///
/// # Errors
/// [`BadStatement::Member`] for whatever is missing, unknown or out of range; nothing is filled in.
pub fn read(tree: &Node<'_>) -> Result<Terms, BadStatement> {
    if !tree.members().iter().all(|m| MEMBERS.contains(&m.name.as_ref())) {
        return Err(BadStatement::Member("terms"));
    }
    let optional = |name, open| if tree.get(name).is_some() { seconds(tree, name) } else { Ok(Timestamp(open)) };
    Ok(Terms {
        grantee: parsed(tree, "grantee")?,
        scope: list(tree, "scope")?,
        purpose: list(tree, "purpose")?,
        confidentiality: parsed(tree, "confidentiality")?,
        sensitivity: list(tree, "sensitivity")?,
        authored: Period { from: optional("authoredFrom", i64::MIN)?, to: optional("authoredTo", i64::MAX)? },
        valid: Period { from: seconds(tree, "notBefore")?, to: seconds(tree, "notAfter")? },
    })
}

/// Writes terms.
#[must_use]
pub fn write(terms: &Terms) -> serde_json::Value {
    let texts = |items: Vec<String>| serde_json::Value::from(items);
    let mut value = serde_json::json!({
        "grantee": terms.grantee.to_string(),
        "scope": texts(terms.scope.iter().map(ToString::to_string).collect()),
        "purpose": texts(terms.purpose.iter().map(|p| p.code().to_owned()).collect()),
        "confidentiality": terms.confidentiality.code(),
        "sensitivity": texts(terms.sensitivity.iter().map(ToString::to_string).collect()),
        "notBefore": terms.valid.from.secs(),
        "notAfter": terms.valid.to.secs(),
    });
    if let Some(object) = value.as_object_mut() {
        for (name, moment, open) in
            [("authoredFrom", terms.authored.from, i64::MIN), ("authoredTo", terms.authored.to, i64::MAX)]
        {
            if moment.0 != open {
                object.insert(name.to_owned(), moment.secs().into());
            }
        }
    }
    value
}

fn parsed<T: FromStr>(tree: &Node<'_>, name: &'static str) -> Result<T, BadStatement> {
    tree.text_of(name).and_then(|t| t.parse().ok()).ok_or(BadStatement::Member(name))
}

fn list<T: FromStr + Ord>(tree: &Node<'_>, name: &'static str) -> Result<Vec<T>, BadStatement> {
    let Some(Node { value: Value::Array(items), .. }) = tree.get(name) else {
        return Err(BadStatement::Member(name));
    };
    let all: Option<BTreeSet<T>> = items.iter().map(|n| n.as_str()?.parse().ok()).collect();
    Ok(all.ok_or(BadStatement::Member(name))?.into_iter().collect())
}

fn seconds(tree: &Node<'_>, name: &'static str) -> Result<Timestamp, BadStatement> {
    let fits = |s: &i64| (0..=253_402_300_799).contains(s);
    tree.int_of(name).filter(fits).map(Timestamp::from_secs).ok_or(BadStatement::Member(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    const TERMS: &str = r#"{"grantee":"professional/00000000000000000000000000","scope":["Observation.rs","Condition.r"],
        "purpose":["TREAT"],"confidentiality":"N","sensitivity":[],"notBefore":1790000000,"notAfter":1797776000}"#;

    fn of(text: &str) -> Result<Terms, BadStatement> {
        read(&parse(text.as_bytes(), Limits::TOKEN).unwrap())
    }

    #[test]
    fn terms_are_read_back_as_written_and_lists_are_put_in_order() {
        let terms = of(TERMS).unwrap();
        assert_eq!(terms.scope[0].to_string(), "Condition.r");
        assert_eq!(of(&write(&terms).to_string()), Ok(terms.clone()));
        let dated = Terms { authored: Period { from: Timestamp::from_secs(5), to: Timestamp::from_secs(6) }, ..terms };
        assert_eq!(of(&write(&dated).to_string()), Ok(dated));
    }

    #[test]
    fn nothing_is_filled_in_and_nothing_unknown_is_skipped() {
        for name in ["grantee", "scope", "purpose", "confidentiality", "sensitivity", "notBefore", "notAfter"] {
            let text = TERMS.replacen(&format!("\"{name}\""), "\"x\"", 1);
            assert!(of(&text).is_err(), "{name}");
            assert!(of(&TERMS.replacen(&format!("\"{name}\":"), &format!("\"{name}\":null,\"x\":"), 1)).is_err());
        }
        assert!(of(&TERMS.replacen('{', "{\"x\":1,", 1)).is_err());
        assert!(of("[]").is_err());
    }
}
