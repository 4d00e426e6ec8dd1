//! Text to tree, refusing what two parsers could read differently.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Member, Node, Span, Value};

/// How much is accepted before the text is refused unread.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest text, in bytes.
    pub bytes: usize,
    /// Deepest nesting of arrays and objects.
    pub depth: usize,
}

impl Limits {
    /// For tokens, proofs and statements (security J36: cap 8 kB).
    pub const TOKEN: Self = Self { bytes: 8 * 1024, depth: 8 };
    /// For FHIR resources and Bundles.
    pub const FHIR: Self = Self { bytes: 64 * 1024 * 1024, depth: 64 };
}

/// The text is not JSON as we accept it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct Broken {
    /// What is wrong; never quotes the input.
    pub reason: &'static str,
    /// Byte offset of the fault.
    pub at: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Reads one JSON value that fills the whole of `bytes` (RFC 8259, with unique names).
///
/// # Errors
/// [`Broken`] for anything else: invalid UTF-8, a byte order mark, duplicate names (also when escaped
/// differently), NUL or lone surrogates, depth or length over `limits`, trailing text.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Node<'_>, Broken> {
    if bytes.len() > limits.bytes {
        return Err(Broken { reason: "longer than is accepted", at: limits.bytes, line: 1, column: 1 });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| locate(bytes, e.valid_up_to(), "not UTF-8"))?;
    let mut parser = Parser { text, bytes, at: 0, depth: limits.depth };
    parser.document().map_err(|(at, reason)| locate(bytes, at, reason))
}

fn locate(bytes: &[u8], at: usize, reason: &'static str) -> Broken {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line = before.split(|b| *b == b'\n').count();
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |p| p + 1);
    // Continuation bytes are not counted, so the column is in characters.
    let column = before.get(start..).unwrap_or(&[]).iter().filter(|b| (**b & 0xC0) != 0x80).count() + 1;
    Broken { reason, at, line, column }
}

type Fault = (usize, &'static str);

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<Node<'a>, Fault> {
        self.blank();
        let node = self.value(0)?;
        self.blank();
        if self.at == self.bytes.len() { Ok(node) } else { Err((self.at, "text after the end of the value")) }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        let start = self.at;
        let value = match self.peek() {
            None => return Err((start, "the text ends where a value should be")),
            Some(b'{') => self.object(depth + 1)?,
            Some(b'[') => self.array(depth + 1)?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(_) => return Err((start, "not the beginning of a value")),
        };
        Ok(Node { value, span: Span { start, end: self.at } })
    }

    fn word(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, Fault> {
        if self.text.get(self.at..self.at + word.len()) == Some(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err((self.at, "not the beginning of a value"))
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.closes(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.blank();
            items.push(self.value(depth)?);
            if self.ends(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        self.enter(depth)?;
        let mut members: Vec<Member<'a>> = Vec::new();
        let mut seen = HashSet::new();
        if self.closes(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.blank();
            let at = self.at;
            if self.peek() != Some(b'"') {
                return Err((at, "a name in quotes should be here"));
            }
            let name = self.string()?;
            if !Self::is_new(&members, &mut seen, &name) {
                return Err((at, "this name occurs twice in the same object"));
            }
            self.blank();
            if self.peek() != Some(b':') {
                return Err((self.at, "a colon should be here"));
            }
            self.at += 1;
            self.blank();
            let node = self.value(depth)?;
            members.push(Member { name, at, node });
            if self.ends(b'}')? {
                return Ok(Value::Object(members));
            }
        }
    }

    /// Small objects are compared name by name; a set is kept only once it pays (10^6 names stay linear).
    #[expect(clippy::ptr_arg, reason = "the set keeps a clone, which must stay borrowed from the source")]
    fn is_new(members: &[Member<'a>], seen: &mut HashSet<Cow<'a, str>>, name: &Cow<'a, str>) -> bool {
        const SMALL: usize = 16;
        if members.len() < SMALL {
            return members.iter().all(|m| m.name != *name);
        }
        if seen.is_empty() {
            seen.extend(members.iter().map(|m| m.name.clone()));
        }
        seen.insert(name.clone())
    }

    fn enter(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > self.depth {
            return Err((self.at, "nested deeper than is accepted"));
        }
        self.at += 1;
        Ok(())
    }

    fn closes(&mut self, close: u8) -> bool {
        self.blank();
        let closed = self.peek() == Some(close);
        if closed {
            self.at += 1;
        }
        closed
    }

    fn ends(&mut self, close: u8) -> Result<bool, Fault> {
        self.blank();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(b) if b == close => {
                self.at += 1;
                Ok(true)
            }
            Some(_) | None => Err((self.at, "a comma or the closing bracket should be here")),
        }
    }

    fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            Some(_) | None => return Err((self.at, "a digit should be here")),
        }
        if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err((start, "a number may not begin with zero"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        self.text.get(start..self.at).ok_or((start, "not a number"))
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.digits();
        if self.at == start { Err((start, "a digit should be here")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let open = self.at;
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut run = start;
        loop {
            match self.peek() {
                None => return Err((open, "this string has no end")),
                Some(b'"') => {
                    let tail = self.text.get(run..self.at).ok_or((open, "not UTF-8"))?;
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(tail),
                        Some(mut s) => {
                            s.push_str(tail);
                            Cow::Owned(s)
                        }
                    });
                }
                Some(b'\\') => {
                    let s = owned.get_or_insert_with(String::new);
                    s.push_str(self.text.get(run..self.at).ok_or((open, "not UTF-8"))?);
                    let c = self.escape()?;
                    s.push(c);
                    run = self.at;
                }
                Some(0..=0x1F) => return Err((self.at, "a control character must be escaped")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let at = self.at;
        self.at += 1;
        let kind = self.peek().ok_or((at, "this escape has no end"))?;
        self.at += 1;
        Ok(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode(at)?,
            _ => return Err((at, "unknown escape")),
        })
    }

    fn unicode(&mut self, at: usize) -> Result<char, Fault> {
        let first = self.hex4(at)?;
        let code = match first {
            // NUL would be cut short by one engine and refused by the other (security E13).
            0 => return Err((at, "the character NUL is not accepted")),
            0xD800..=0xDBFF => {
                if self.text.get(self.at..self.at + 2) != Some("\\u") {
                    return Err((at, "half of a surrogate pair"));
                }
                self.at += 2;
                let second = self.hex4(at)?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err((at, "half of a surrogate pair"));
                }
                0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or((at, "half of a surrogate pair"))
    }

    fn hex4(&mut self, at: usize) -> Result<u32, Fault> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or((at, "this escape has no end"))?;
        let mut code = 0;
        for d in digits {
            let digit = char::from(*d).to_digit(16).ok_or((at, "four hexadecimal digits should be here"))?;
            code = code * 16 + digit;
        }
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> &'static str {
        parse(text.as_bytes(), Limits::TOKEN).unwrap_err().reason
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let tree = parse(b"[1.50, -0, 1E+2, 18446744073709551616]", Limits::TOKEN).unwrap();
        let texts: Vec<_> = tree.items().iter().map(|n| n.value.clone()).collect();
        assert_eq!(texts, ["1.50", "-0", "1E+2", "18446744073709551616"].map(Value::Number));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        assert_eq!(reason(r#"{"s":1,"\u0073":2}"#), "this name occurs twice in the same object");
        assert_eq!(reason(r#""a\u0000b""#), "the character NUL is not accepted");
        assert_eq!(reason(r#""\ud800""#), "half of a surrogate pair");
        assert_eq!(reason(r#""\udc00""#), "half of a surrogate pair");
        assert_eq!(reason("\u{feff}{}"), "not the beginning of a value");
        assert_eq!(reason("01"), "a number may not begin with zero");
        assert_eq!(reason("{} {}"), "text after the end of the value");
        assert_eq!(reason("[1,]"), "not the beginning of a value");
        assert_eq!(reason("\"a\nb\""), "a control character must be escaped");
        assert_eq!(parse(b"\"\xff\"", Limits::TOKEN).unwrap_err().reason, "not UTF-8");
    }

    #[test]
    fn deep_text_is_refused_without_deep_recursion() {
        assert_eq!(reason(&"[".repeat(8000)), "nested deeper than is accepted");
        assert!(parse(b"[[[[[[[[1]]]]]]]]", Limits::TOKEN).is_ok());
    }

    #[test]
    fn many_names_stay_linear_and_are_still_unique() {
        let mut text: String = (0..20_000).map(|i| format!("\"k{i}\":0,")).collect();
        let good = format!("{{{text}\"end\":0}}");
        assert!(parse(good.as_bytes(), Limits::FHIR).is_ok());
        text.push_str("\"k19999\":1");
        assert!(parse(format!("{{{text}}}").as_bytes(), Limits::FHIR).is_err());
    }

    #[test]
    fn a_fault_is_located_by_line_and_column() {
        let fault = parse("{\n  \"é\": tru\n}".as_bytes(), Limits::TOKEN).unwrap_err();
        assert_eq!((fault.line, fault.column), (2, 8));
    }

    #[test]
    fn spans_cut_the_source_exactly() {
        let text = r#" {"a": [1, {"b":"c"}] } "#;
        let tree = parse(text.as_bytes(), Limits::TOKEN).unwrap();
        let b = &tree.get("a").unwrap().items()[1];
        assert_eq!(&text[b.span.start..b.span.end], r#"{"b":"c"}"#);
    }
}
