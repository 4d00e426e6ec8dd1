//! Medians and spreads.

/// Smallest, median and largest of several figures.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Spread {
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut all: Vec<f64> = figures.into_iter().filter(|f| f.is_finite()).collect();
        all.sort_by(f64::total_cmp);
        let (least, most) = (all.first().copied(), all.last().copied());
        let middle = all.len() / 2;
        let upper = all.get(middle).copied().unwrap_or_default();
        let median = if all.len().is_multiple_of(2) {
            f64::midpoint(all.get(middle.wrapping_sub(1)).copied().unwrap_or_default(), upper)
        } else {
            upper
        };
        Self { least: least.unwrap_or_default(), median, most: most.unwrap_or_default() }
    }
}

/// The value below which `share` thousandths of the sorted `figures` lie.
pub(super) fn quantile(figures: &[u32], share: usize) -> u32 {
    let at = (figures.len() * share / 1000).min(figures.len().saturating_sub(1));
    figures.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_between_the_middle_figures() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { least: 1.0, median: 2.0, most: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Spread { least: 1.0, median: 2.5, most: 4.0 });
        assert_eq!(Spread::of([]), Spread::default());
    }

    #[test]
    fn a_quantile_is_one_of_the_figures() {
        let figures: Vec<u32> = (1..=100).collect();
        assert_eq!((quantile(&figures, 500), quantile(&figures, 990), quantile(&figures, 1000)), (51, 100, 100));
        assert_eq!(quantile(&[], 500), 0);
    }
}
