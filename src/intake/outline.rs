//! A Bundle without its resources, so that never more than one resource's tree is held.
//!
//! The cutting need not be trusted: every piece is parsed strictly afterwards, the outline with a stub in each gap
//! and each resource on its own, and valid values in the place of valid values make a valid whole. A wrong cut can
//! only refuse.

use crate::json::Span;

/// A resource that was cut out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Position of its entry, from 0.
    pub(super) entry: usize,
    /// Where the resource stands.
    pub(super) span: Span,
    kind: Option<Span>,
    id: Option<Span>,
}

/// Where the resources of a Bundle stand.
#[derive(Debug)]
pub(super) struct Outline<'t> {
    text: &'t str,
    pub(super) cuts: Vec<Cut>,
}

/// What a text looks like from afar.
pub(super) enum Look<'t> {
    /// A Bundle.
    Bundle(Outline<'t>),
    /// One resource, or nothing that can be read at all.
    Other,
    /// A Bundle one of whose names is written with an escape.
    Escaped,
}

/// Longest type or id that is copied into a stub.
const LONGEST: usize = 200;

impl<'t> Outline<'t> {
    /// Looks for the resources of a Bundle.
    pub(super) fn look(text: &'t str) -> Look<'t> {
        let scan = Scan { bytes: text.as_bytes() };
        let (mut bundle, mut entries, mut escaped) = (false, None, false);
        let whole = scan.members(scan.blank(0), &mut |name, span| {
            escaped |= name.contains(&b'\\');
            match name {
                b"resourceType" => bundle = text.get(span.start..span.end) == Some("\"Bundle\""),
                b"entry" => entries = Some(span),
                _ => {}
            }
        });
        if whole.is_none() || !bundle {
            return Look::Other;
        }
        let mut outline = Self { text, cuts: Vec::new() };
        let mut entry = 0;
        if let Some(span) = entries {
            let cut = scan.items(span.start, &mut |at| {
                scan.members(at, &mut |name, span| {
                    escaped |= name.contains(&b'\\');
                    if name == b"resource" {
                        outline.cuts.push(scan.cut(entry, span));
                    }
                });
                entry += 1;
            });
            if cut.is_none() {
                return Look::Other;
            }
        }
        if escaped { Look::Escaped } else { Look::Bundle(outline) }
    }

    /// The text with a resource that needs nothing in each gap: for validating the Bundle around them.
    pub(super) fn blank(&self) -> String {
        self.fill(|_, out| out.push_str("{\"resourceType\":\"Parameters\"}"))
    }

    /// The text with only type and id of each resource: for telling how the entries refer to each other.
    pub(super) fn named(&self) -> String {
        self.fill(|cut, out| {
            out.push('{');
            for (name, span) in [("resourceType", cut.kind), ("id", cut.id)] {
                let value = span.filter(|s| s.end - s.start <= LONGEST).and_then(|s| self.text.get(s.start..s.end));
                if let Some(value) = value.filter(|v| v.starts_with('"')) {
                    let comma = if out.ends_with('{') { "" } else { "," };
                    out.extend([comma, "\"", name, "\":", value]);
                }
            }
            out.push('}');
        })
    }

    fn fill(&self, stub: impl Fn(&Cut, &mut String)) -> String {
        let cut: usize = self.cuts.iter().map(|c| c.span.end - c.span.start).sum();
        let mut out = String::with_capacity(self.text.len().saturating_sub(cut) + 120 * self.cuts.len());
        let mut done = 0;
        for cut in &self.cuts {
            out.push_str(self.text.get(done..cut.span.start).unwrap_or_default());
            stub(cut, &mut out);
            done = cut.span.end;
        }
        out.push_str(self.text.get(done..).unwrap_or_default());
        out
    }
}

/// Finds where values end; knows brackets and strings and nothing else.
struct Scan<'t> {
    bytes: &'t [u8],
}

impl Scan<'_> {
    fn at(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn blank(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.at(at) {
            at += 1;
        }
        at
    }

    /// The end of the string that begins at `at`.
    fn string(&self, mut at: usize) -> Option<usize> {
        at += 1;
        loop {
            match self.at(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }

    /// The end of the value that begins at `at`.
    fn value(&self, mut at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        loop {
            match self.at(at)? {
                b'"' => at = self.string(at)?,
                b'{' | b'[' => {
                    depth += 1;
                    at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    at += 1;
                }
                _ if depth > 0 => {
                    at += 1;
                    continue;
                }
                _ => {
                    while self.at(at).is_some_and(|b| !b",]} \t\n\r".contains(&b)) {
                        at += 1;
                    }
                }
            }
            if depth == 0 {
                return Some(at);
            }
        }
    }

    /// Shows each member of the object at `at`: its name as written, and where its value stands.
    fn members(&self, at: usize, each: &mut dyn FnMut(&[u8], Span)) -> Option<usize> {
        self.list(at, (b'{', b'}'), &mut |at| {
            if self.at(at)? != b'"' {
                return None;
            }
            let end = self.string(at)?;
            let colon = self.blank(end);
            if self.at(colon)? != b':' {
                return None;
            }
            let start = self.blank(colon + 1);
            let span = Span { start, end: self.value(start)? };
            each(self.bytes.get(at + 1..end - 1)?, span);
            Some(span.end)
        })
    }

    /// Shows where each element of the array at `at` begins.
    fn items(&self, at: usize, each: &mut dyn FnMut(usize)) -> Option<usize> {
        self.list(at, (b'[', b']'), &mut |at| {
            let end = self.value(at)?;
            each(at);
            Some(end)
        })
    }

    fn list(&self, at: usize, ends: (u8, u8), one: &mut dyn FnMut(usize) -> Option<usize>) -> Option<usize> {
        if self.at(at)? != ends.0 {
            return None;
        }
        let mut at = self.blank(at + 1);
        if self.at(at)? == ends.1 {
            return Some(at + 1);
        }
        loop {
            at = self.blank(one(at)?);
            match self.at(at)? {
                b',' => at = self.blank(at + 1),
                b if b == ends.1 => return Some(at + 1),
                _ => return None,
            }
        }
    }

    fn cut(&self, entry: usize, span: Span) -> Cut {
        let mut cut = Cut { entry, span, kind: None, id: None };
        self.members(span.start, &mut |name, span| match name {
            b"resourceType" => cut.kind = Some(span),
            b"id" => cut.id = Some(span),
            _ => {}
        });
        cut
    }
}
