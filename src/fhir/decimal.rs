//! Decimals compared as they are written, with the precision they are written in.

use std::cmp::Ordering;

/// `mantissa` × 10^-`scale`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Decimal {
    mantissa: i128,
    scale: i32,
}

impl Decimal {
    /// Reads a JSON number; `None` when it is none or has more digits than fit.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
        let bare = whole.strip_prefix('-').unwrap_or(whole);
        let all_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(bare) || !fraction.is_none_or(all_digits) || exponent.unsigned_abs() > 999 {
            return None;
        }
        let fraction = fraction.unwrap_or_default();
        let magnitude: i128 = format!("{bare}{fraction}").parse().ok()?;
        // A factor of 20 must remain for the ranges below.
        let mantissa = if bare.len() == whole.len() { magnitude } else { -magnitude };
        mantissa.checked_mul(20)?;
        Some(Self { mantissa, scale: i32::try_from(fraction.len()).ok()?.checked_sub(exponent)? })
    }

    /// The bounds of what a number written with this precision stands for: `5.4` is 5.35 to 5.45.
    pub(super) fn precision(self) -> (Self, Self) {
        let at = |d| Self { mantissa: self.mantissa * 10 + d, scale: self.scale + 1 };
        (at(-5), at(5))
    }

    /// Ten per cent around it.
    pub(super) fn about(self) -> (Self, Self) {
        let times = |f| Self { mantissa: self.mantissa * f, scale: self.scale + 1 };
        if self.mantissa < 0 { (times(11), times(9)) } else { (times(9), times(11)) }
    }

    pub(super) fn cmp(self, other: Self) -> Ordering {
        let common = self.scale.max(other.scale);
        let aligned = |d: Self| {
            let power = u32::try_from(common - d.scale).ok()?;
            d.mantissa.checked_mul(10_i128.checked_pow(power)?)
        };
        match (aligned(self), aligned(other)) {
            (Some(a), Some(b)) => a.cmp(&b),
            // So far apart that rounding cannot change the order.
            (Some(_) | None, None) | (None, Some(_)) => self.rough().total_cmp(&other.rough()),
        }
    }

    /// Bytes that compare as the values do, but for the last digits.
    pub(super) fn order(self) -> [u8; 8] {
        let bits = self.rough().to_bits().cast_signed();
        // IEEE 754: negative numbers compare the other way round.
        let turned = if bits < 0 { !bits } else { bits ^ i64::MIN };
        turned.to_be_bytes()
    }

    #[expect(clippy::cast_precision_loss, reason = "used only where the order does not depend on the last digits")]
    fn rough(self) -> f64 {
        self.mantissa as f64 * 10_f64.powi(-self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_and_mean_what_their_precision_says() {
        let d = |t: &str| Decimal::parse(t).unwrap();
        assert_eq!(d("1.50").cmp(d("1.5")), Ordering::Equal);
        assert_eq!(d("1e2").cmp(d("100.0")), Ordering::Equal);
        assert_eq!(d("-3").cmp(d("2.9")), Ordering::Less);
        assert_eq!(d("1e90").cmp(d("1e-90")), Ordering::Greater);
        let (low, high) = d("5.4").precision();
        assert!(low.cmp(d("5.35")).is_eq() && high.cmp(d("5.45")).is_eq());
        let (low, high) = d("-10").about();
        assert!(low.cmp(d("-11")).is_eq() && high.cmp(d("-9")).is_eq());
        for bad in ["", "-", "1.", ".5", "a", "1e", "١", &"9".repeat(40), "1e9999999999"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }
}
