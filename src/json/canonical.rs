//! The canonical form of RFC 8785, for integers and strings only.

use std::fmt::Write as _;

use super::{Node, Value};

/// The tree holds a number that is not a plain integer within ±(2^53 − 1); statements use none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("only integers below 2^53 have a canonical form here")]
pub struct NotCanonical;

/// Writes `node` in the canonical form: no blanks, names sorted by UTF-16 code units (RFC 8785 §3.2.3).
///
/// # Errors
/// [`NotCanonical`] for fractions, exponents and large numbers, whose ECMAScript form we never sign.
pub fn canonical(node: &Node<'_>) -> Result<String, NotCanonical> {
    let mut out = String::new();
    write(node, &mut out)?;
    Ok(out)
}

fn write(node: &Node<'_>, out: &mut String) -> Result<(), NotCanonical> {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(text) => {
            let n: i64 = text.parse().map_err(|_| NotCanonical)?;
            // `-0` is an integer to Rust but has another canonical form.
            if n.unsigned_abs() >= 1 << 53 || *text != n.to_string() {
                return Err(NotCanonical);
            }
            out.push_str(text);
        }
        Value::String(s) => quote(s, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.name.encode_utf16().cmp(b.name.encode_utf16()));
            out.push('{');
            for (i, member) in sorted.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                quote(&member.name, out);
                out.push(':');
                write(&member.node, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Appends `text` as a JSON string with the fewest escapes (RFC 8785 §3.2.2.2).
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{9}' => out.push_str("\\t"),
            '\u{a}' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\u{d}' => out.push_str("\\r"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, parse};
    use super::*;

    fn canon(text: &str) -> Result<String, NotCanonical> {
        canonical(&parse(text.as_bytes(), Limits::TOKEN).unwrap())
    }

    #[test]
    fn names_are_sorted_by_utf_16_code_units() {
        // WA-11: "😀" (surrogates d83d…) sorts before "\ufb33", unlike in UTF-8 order.
        let text = r#"{"z":1,"é":2,"€":3,"\ufb33":4,"\ud83d\ude00":5,"a":[true,null]}"#;
        assert_eq!(canon(text).unwrap(), "{\"a\":[true,null],\"z\":1,\"é\":2,\"€\":3,\"😀\":5,\"\u{fb33}\":4}");
    }

    #[test]
    fn a_canonical_text_is_its_own_canonical_form() {
        let text = r#"{"aud":"https://store.example/fhir","grantee":"urn:oid:1.2.250.1.71.4.2.1|810000000001","iat":1790000000,"id":"urn:uuid:6f0c1a52-7a0e-4b5e-9a55-0f5b7a1c3d10","notAfter":1797776000,"op":"grant","patient":"Patient/p1","purpose":["TREAT"],"scope":["Observation.rs","DocumentReference.rs"],"v":1}"#;
        assert_eq!(canon(text).unwrap(), text);
    }

    #[test]
    fn fractions_and_large_numbers_have_none() {
        for text in ["1.0", "-0", "1e3", "9007199254740992"] {
            assert_eq!(canon(text), Err(NotCanonical), "{text}");
        }
    }
}
