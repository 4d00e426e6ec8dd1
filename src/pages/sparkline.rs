//! How often somebody read, month by month: bars, and the same in words.

use crate::clock::Timestamp;
use crate::model::{Language, calendar};

/// Months that are shown.
const MONTHS: i32 = 6;
/// The height of the picture, in its own units.
const HEIGHT: u32 = 40;
const WIDTH: u32 = 28;
const STEP: u32 = 40;

/// Six months of readings.
pub(super) struct Sparkline {
    pub(super) bars: Vec<Bar>,
    /// The same in words, for who does not see the bars.
    pub(super) label: String,
    pub(super) first: &'static str,
    pub(super) last: &'static str,
}

/// One month.
pub(super) struct Bar {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Sparkline {
    /// The months up to now, of readings at these moments.
    pub(super) fn of(readings: impl Iterator<Item = Timestamp>, now: Timestamp, language: Language) -> Self {
        let last = calendar::month(now).unwrap_or_default();
        let first = last - (MONTHS - 1);
        let mut counts = [0u32; MONTHS as usize];
        for at in readings {
            let month = calendar::month(at).map_or(-1, |month| month - first);
            if let Some(count) = usize::try_from(month).ok().and_then(|month| counts.get_mut(month)) {
                *count += 1;
            }
        }
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let bars = counts.iter().zip(0u32..).map(|(count, at)| {
            // An empty month is a line: it was looked at.
            let height = (count * (HEIGHT - 4) / most).max(1);
            Bar { x: 4 + at * STEP, y: HEIGHT - 2 - height, width: WIDTH, height }
        });
        let name = |month| calendar::month_name(month, language);
        let told: Vec<String> = counts.iter().map(u32::to_string).collect();
        let label = match language {
            Language::Fr => format!("Lectures par mois depuis {}\u{a0}: {}", name(first), told.join(", ")),
            Language::En => format!("Readings a month since {}: {}", name(first), told.join(", ")),
        };
        Self { bars: bars.collect(), label, first: name(first), last: name(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_month_has_its_readings_and_older_ones_have_none() {
        let at = |text: &str| Timestamp::from_rfc3339(text).unwrap();
        let readings = ["2025-12-31T10:00:00Z", "2026-03-02T10:00:00Z", "2026-03-31T21:59:00Z", "2026-03-31T22:01:00Z"];
        let line = Sparkline::of(readings.into_iter().map(at), at("2026-06-15T12:00:00Z"), Language::Fr);
        // The last reading of March in UTC is one of April in Paris.
        assert_eq!(line.label, "Lectures par mois depuis janvier\u{a0}: 0, 0, 2, 1, 0, 0");
        assert_eq!((line.first, line.last), ("janvier", "juin"));
        assert!(line.bars.iter().all(|bar| bar.y + bar.height <= HEIGHT));
    }
}
