//! Multi-row statements with static text, so that they are prepared once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use super::Arg;

/// The largest number of rows in one statement.
const MOST: usize = 64;

/// `{head} ($1,$2),($3,$4) {tail}`: a statement over as many rows as are given, with `columns` placeholders each.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Text before the rows, for example `INSERT INTO t (a, b) VALUES`.
    pub head: &'static str,
    /// Placeholders in a row.
    pub columns: usize,
    /// Text after the rows.
    pub tail: &'static str,
}

static TEXTS: Mutex<Option<HashMap<(&'static str, usize), &'static str>>> = Mutex::new(None);

impl Batch {
    /// The statements over all of `rows`, each with its values.
    pub(super) fn statements<'r>(
        &self,
        rows: &'r [Vec<Arg<'r>>],
    ) -> impl Iterator<Item = (&'static str, Vec<Arg<'r>>)> {
        let batch = *self;
        let mut left = rows;
        Self::cuts(rows.len()).map(move |cut| {
            let (now, rest) = left.split_at_checked(cut).unwrap_or((left, &[]));
            left = rest;
            (batch.text(cut), now.iter().flatten().cloned().collect())
        })
    }

    /// The statements over all of `rows`, each with its values, which it takes along.
    pub(super) fn owned(
        &self,
        rows: Vec<Vec<Arg<'static>>>,
    ) -> impl Iterator<Item = (&'static str, Vec<Arg<'static>>)> {
        let batch = *self;
        let cuts = Self::cuts(rows.len());
        let mut left = rows.into_iter();
        cuts.map(move |cut| (batch.text(cut), left.by_ref().take(cut).flatten().collect()))
    }

    /// How `rows` are cut into statements: powers of two up to 64, so that few texts exist and each is prepared once.
    fn cuts(rows: usize) -> impl Iterator<Item = usize> {
        let mut left = rows;
        std::iter::from_fn(move || {
            let cut = if left >= MOST { MOST } else { left.checked_ilog2().map_or(0, |log| 1 << log) };
            left -= cut;
            (cut > 0).then_some(cut)
        })
    }

    /// The statement for exactly `rows` rows. Built of constants only and kept for ever (at most seven per batch).
    fn text(&self, rows: usize) -> &'static str {
        let mut guard = TEXTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        guard.get_or_insert_with(HashMap::new).entry((self.head, rows)).or_insert_with(|| {
            let mut text = String::from(self.head);
            for row in 0..rows {
                text.push_str(if row == 0 { " (" } else { ", (" });
                for column in 0..self.columns {
                    let comma = if column == 0 { "" } else { ", " };
                    // Writing to a String cannot fail.
                    let _infallible = write!(text, "{comma}${}", row * self.columns + column + 1);
                }
                text.push(')');
            }
            text.push_str(self.tail);
            Box::leak(text.into_boxed_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_rows_is_cut_into_few_texts() {
        for rows in 0..300 {
            assert_eq!(Batch::cuts(rows).sum::<usize>(), rows);
            assert!(Batch::cuts(rows).all(usize::is_power_of_two));
        }
        let batch = Batch { head: "INSERT INTO t (a, b) VALUES", columns: 2, tail: "" };
        assert_eq!(batch.text(2), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)");
    }
}
