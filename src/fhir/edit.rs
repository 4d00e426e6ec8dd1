//! Edits by span: every byte outside the given spans stays as it was.

use crate::json::Span;

/// Puts `replacement` in the place of the bytes of `span`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Splice {
    /// Where; empty inserts.
    pub span: Span,
    /// What.
    pub replacement: String,
}

/// Splices overlap or lie outside the text, or a reference cannot be rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEdit {
    /// Two splices touch the same bytes, or one lies outside the text.
    #[error("edits overlap or lie outside the text")]
    Overlap,
    /// A reference cannot be kept or rewritten.
    #[error(transparent)]
    Link(#[from] super::links::BadLink),
    /// The tree is not that of a resource.
    #[error("not a resource")]
    NotAResource,
}

/// Splices to be applied together, once.
#[derive(Clone, Default, Debug)]
pub struct Edit {
    splices: Vec<Splice>,
}

impl Edit {
    /// No change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the bytes of `span`.
    pub fn replace(&mut self, span: Span, replacement: String) {
        self.splices.push(Splice { span, replacement });
    }

    /// Inserts before the byte at `offset`.
    pub fn insert(&mut self, offset: usize, text: String) {
        self.replace(Span { start: offset, end: offset }, text);
    }

    /// The splices, in the order they were given.
    #[must_use]
    pub fn splices(&self) -> &[Splice] {
        &self.splices
    }

    /// Applies all splices to the part of `text` that `within` names, and returns that part.
    ///
    /// # Errors
    /// [`BadEdit::Overlap`] when two splices overlap or one leaves `within`.
    pub fn apply(mut self, text: &str, within: Span) -> Result<String, BadEdit> {
        self.splices.sort_by_key(|s| (s.span.start, s.span.end));
        let added: usize = self.splices.iter().map(|s| s.replacement.len()).sum();
        let mut out = String::with_capacity(within.end.saturating_sub(within.start).saturating_add(added));
        let mut at = within.start;
        for splice in &self.splices {
            if splice.span.end < splice.span.start || splice.span.end > within.end {
                return Err(BadEdit::Overlap);
            }
            out.push_str(text.get(at..splice.span.start).ok_or(BadEdit::Overlap)?);
            out.push_str(&splice.replacement);
            at = splice.span.end;
        }
        out.push_str(text.get(at..within.end).ok_or(BadEdit::Overlap)?);
        Ok(out)
    }
}
