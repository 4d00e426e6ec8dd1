//! Formats of the primitive types (FHIR R4 §2.24.0.1).

use super::moment;
use crate::json::{Node, Value};

/// A primitive type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

/// The value is of another JSON type than its FHIR type has, or its text is malformed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    Kind(&'static str),
    Text(&'static str),
}

impl Primitive {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "base64Binary" => Self::Base64Binary,
            "boolean" => Self::Boolean,
            "canonical" => Self::Canonical,
            "code" => Self::Code,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "id" => Self::Id,
            "instant" => Self::Instant,
            "integer" => Self::Integer,
            "markdown" => Self::Markdown,
            "oid" => Self::Oid,
            "positiveInt" => Self::PositiveInt,
            "string" => Self::String,
            "time" => Self::Time,
            "unsignedInt" => Self::UnsignedInt,
            "uri" => Self::Uri,
            "url" => Self::Url,
            "uuid" => Self::Uuid,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }

    /// Checks the JSON type and the format of `node`.
    pub(super) fn check(self, node: &Node<'_>) -> Result<(), Fault> {
        match (self, &node.value) {
            (Self::Boolean, Value::Bool(_)) => Ok(()),
            (Self::Boolean, _) => Err(Fault::Kind("must be true or false")),
            (Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt, Value::Number(text)) => {
                self.number(text).map_or(Ok(()), |reason| Err(Fault::Text(reason)))
            }
            (Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt, _) => {
                Err(Fault::Kind("must be a JSON number"))
            }
            (_, Value::String(text)) => self.text(text).map_or(Ok(()), |reason| Err(Fault::Text(reason))),
            (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(Fault::Kind("must be a JSON string"))
            }
        }
    }

    fn number(self, text: &str) -> Option<&'static str> {
        let within = |from: i64, to: i64| text.parse::<i64>().is_ok_and(|n| n >= from && n <= to);
        let most = i64::from(i32::MAX);
        let (good, reason) = if self == Self::Decimal {
            (is_decimal(text), "has more digits or a larger exponent than is accepted")
        } else if self == Self::PositiveInt {
            (within(1, most), "must be a whole number from 1 to 2147483647")
        } else if self == Self::UnsignedInt {
            (within(0, most), "must be a whole number from 0 to 2147483647")
        } else {
            (within(i64::from(i32::MIN), most), "must be a whole number of 32 bits")
        };
        (!good).then_some(reason)
    }

    fn text(self, text: &str) -> Option<&'static str> {
        if text.is_empty() {
            return Some("must not be empty");
        }
        let (good, reason) = match self {
            Self::Base64Binary => (is_base64(text), "is not base64"),
            Self::Code => (is_code(text), "is not a code: no blanks at the ends, single blanks within"),
            Self::Id => (is_id(text), "is not an id: 1 to 64 of letters, digits, hyphen and full stop"),
            Self::Date => (moment::date(text).is_some(), "is not a date: YYYY, YYYY-MM or YYYY-MM-DD"),
            Self::DateTime => (moment::date_time(text).is_some(), "is not a dateTime: a date, or date, time and zone"),
            Self::Instant => (moment::instant(text).is_some(), "is not an instant: date, time to the second and zone"),
            Self::Time => (moment::time(text), "is not a time: hh:mm:ss"),
            Self::Uri | Self::Url | Self::Canonical => (is_uri(text), "must not hold blanks or control characters"),
            Self::Oid => (is_oid(text), "is not an OID: urn:oid:…"),
            Self::Uuid => (is_uuid(text), "is not a UUID: urn:uuid:… in lower case"),
            // A megabyte is the bound that the standard sets for strings.
            Self::String | Self::Markdown => {
                (text.len() <= 1_048_576 && is_text(text), "is too long, blank, or holds control characters")
            }
            Self::Xhtml => (true, ""),
            Self::Boolean | Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt => {
                (false, "must not be a JSON string")
            }
        };
        (!good).then_some(reason)
    }
}

/// The exponent is allowed by the standard's pattern; both are bounded, because a short text may otherwise
/// stand for a number that no reader can hold (security E03).
fn is_decimal(text: &str) -> bool {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i32>();
    digits.len() <= 40 && exponent.is_ok_and(|e| e.unsigned_abs() <= 99)
}

fn is_text(text: &str) -> bool {
    let mut ink = false;
    for c in text.chars() {
        if c < ' ' && !matches!(c, '\t' | '\r' | '\n') {
            return false;
        }
        ink = ink || !c.is_whitespace();
    }
    ink
}

fn is_code(text: &str) -> bool {
    let mut blank = true;
    for c in text.chars() {
        let white = c.is_whitespace();
        if c.is_control() || (white && blank) {
            return false;
        }
        blank = white;
    }
    !blank
}

fn is_uri(text: &str) -> bool {
    text.len() <= 8192 && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Whether `text` fits `Resource.id`.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

fn is_oid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:oid:") else { return false };
    let mut parts = rest.split('.');
    let plain = |p: &str| p == "0" || (!p.starts_with('0') && !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    matches!(parts.next(), Some("0" | "1" | "2")) && rest.len() <= 256 && rest.contains('.') && parts.all(plain)
}

fn is_uuid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:uuid:") else { return false };
    rest.len() == 36
        && rest.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn is_base64(text: &str) -> bool {
    let (mut count, mut padding) = (0_usize, 0_usize);
    for b in text.bytes() {
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        count += 1;
    }
    count > 0 && count % 4 == 0 && padding <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_accepts_its_own_and_refuses_the_rest() {
        use Primitive as P;
        let cases: [(P, &[&str], &[&str]); 7] = [
            (P::Code, &["a", "a b"], &[" a", "a ", "a  b", ""]),
            (P::Id, &["a-1.B"], &["a b", "é", "a_b", &"x".repeat(65)]),
            (P::Uri, &["urn:a", "Patient/1"], &["a b", ""]),
            (P::Oid, &["urn:oid:1.2.250.1"], &["1.2", "urn:oid:3.1", "urn:oid:1.02", "urn:oid:1"]),
            (P::Base64Binary, &["AAAA", "AA==", "AAA=", "AA AA"], &["AAA", "A===", "=AAA", "A*AA"]),
            (P::String, &["x", " x\n"], &["", " ", "\u{1}x"]),
            (
                P::Uuid,
                &["urn:uuid:0d1c2b3a-0000-4000-8000-0123456789ab"],
                &["urn:uuid:0D1C2B3A-0000-4000-8000-0123456789AB"],
            ),
        ];
        for (primitive, good, bad) in cases {
            for text in good {
                assert_eq!(primitive.text(text), None, "{primitive:?} {text}");
            }
            for text in bad {
                assert!(primitive.text(text).is_some(), "{primitive:?} {text}");
            }
        }
    }

    #[test]
    fn numbers_are_bounded() {
        for good in ["1.50", "-0", "1E+2", "0.000000000000000001"] {
            assert_eq!(Primitive::Decimal.number(good), None, "{good}");
        }
        for bad in ["1e400", "1e-400", &"9".repeat(41)] {
            assert!(Primitive::Decimal.number(bad).is_some(), "{bad}");
        }
        for bad in ["1.0", "2147483648", "18446744073709551616", "1e2"] {
            assert!(Primitive::Integer.number(bad).is_some(), "{bad}");
        }
        assert!(Primitive::PositiveInt.number("0").is_some() && Primitive::UnsignedInt.number("-1").is_some());
    }
}
