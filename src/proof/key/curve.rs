//! Whether a point lies on its curve, asked once when a key is enrolled.
//!
//! `ring` asks it only while verifying, and its answer there cannot be told from a bad signature; its key
//! agreement would tell, but draws chance. So the curve equation is computed here: slow and plain (a doubling
//! and an addition per bit), on public values only, and compared with `ring` in the tests.

/// A number below 2^256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    // `Ord` is derived: the high half must come first.
    high: u128,
    low: u128,
}

impl Number {
    const ZERO: Self = Self { high: 0, low: 0 };
    const ONE: Self = Self { high: 0, low: 1 };

    fn from_be(bytes: &[u8; 32]) -> Self {
        let (high, low) = bytes.iter().enumerate().fold((0, 0), |(high, low), (i, byte)| {
            if i < 16 { (high << 8 | u128::from(*byte), low) } else { (high, low << 8 | u128::from(*byte)) }
        });
        Self { high, low }
    }

    /// The sum modulo 2^256, and whether it went over.
    const fn plus(self, other: Self) -> (Self, bool) {
        let (low, carry) = self.low.overflowing_add(other.low);
        let (high, over) = self.high.overflowing_add(other.high);
        let (high, over_by_carry) = high.overflowing_add(carry as u128);
        (Self { high, low }, over || over_by_carry)
    }

    /// The difference modulo 2^256.
    const fn minus(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        Self { high: self.high.wrapping_sub(other.high).wrapping_sub(borrow as u128), low }
    }

    const fn bit(self, i: u32) -> bool {
        let half = if i < 128 { self.low } else { self.high };
        (half >> (i % 128)) & 1 == 1
    }
}

/// The integers modulo a prime above 2^254.
#[derive(Clone, Copy)]
struct Field(Number);

impl Field {
    fn add(self, a: Number, b: Number) -> Number {
        let (sum, over) = a.plus(b);
        if over || sum >= self.0 { sum.minus(self.0) } else { sum }
    }

    fn sub(self, a: Number, b: Number) -> Number {
        if a >= b { a.minus(b) } else { a.plus(self.0).0.minus(b) }
    }

    fn mul(self, a: Number, b: Number) -> Number {
        (0..256).rev().fold(Number::ZERO, |acc, i| {
            let doubled = self.add(acc, acc);
            if b.bit(i) { self.add(doubled, a) } else { doubled }
        })
    }

    fn pow(self, base: Number, exponent: Number) -> Number {
        (0..256).rev().fold(Number::ONE, |acc, i| {
            let squared = self.mul(acc, acc);
            if exponent.bit(i) { self.mul(squared, base) } else { squared }
        })
    }
}

const P256: Field =
    Field(Number { high: 0xffff_ffff_0000_0001_0000_0000_0000_0000, low: 0x0000_0000_ffff_ffff_ffff_ffff_ffff_ffff });
const P256_B: Number =
    Number { high: 0x5ac6_35d8_aa3a_93e7_b3eb_bd55_7698_86bc, low: 0x651d_06b0_cc53_b0f6_3bce_3c3e_27d2_604b };

/// Whether y² = x³ − 3x + b with both coordinates reduced (SP 800-56A §5.6.2.3.3; the curve has cofactor 1).
pub(super) fn is_on_p256(x: &[u8; 32], y: &[u8; 32]) -> bool {
    let (x, y) = (Number::from_be(x), Number::from_be(y));
    if x >= P256.0 || y >= P256.0 {
        return false;
    }
    let three = Number { high: 0, low: 3 };
    let slope = P256.sub(P256.mul(x, x), three);
    P256.mul(y, y) == P256.add(P256.mul(x, slope), P256_B)
}

const ED25519: Field =
    Field(Number { high: 0x7fff_ffff_ffff_ffff_ffff_ffff_ffff_ffff, low: 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_ffed });
const ED25519_D: Number =
    Number { high: 0x5203_6cee_2b6f_fe73_8cc7_4079_7779_e898, low: 0x0070_0a4d_4141_d8ab_75eb_4dca_1359_78a3 };
/// (p − 1) / 2, Euler's exponent.
const ED25519_HALF: Number =
    Number { high: 0x3fff_ffff_ffff_ffff_ffff_ffff_ffff_ffff, low: 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_fff6 };

/// Whether a point with this y exists, that is (y² − 1) / (dy² + 1) is a square (RFC 8032 §5.1.3).
pub(super) fn is_on_ed25519(encoded: &[u8; 32]) -> bool {
    let y = ed25519_y(encoded);
    if y >= ED25519.0 {
        return false;
    }
    let y2 = ED25519.mul(y, y);
    let above = ED25519.sub(y2, Number::ONE);
    let below = ED25519.add(ED25519.mul(ED25519_D, y2), Number::ONE);
    ED25519.pow(ED25519.mul(above, below), ED25519_HALF) == Number::ONE
}

fn ed25519_y(encoded: &[u8; 32]) -> Number {
    let mut bytes = *encoded;
    bytes.reverse();
    let mut y = Number::from_be(&bytes);
    // The topmost bit is the sign of x.
    y.high &= u128::MAX >> 1;
    y
}

/// The y of the points of order 8 (x ↦ −x gives the other four).
const ORDER_8: [Number; 2] = [
    Number { high: 0x05fc_536d_8802_38b1_3933_c6d3_05ac_dfd5, low: 0xf098_eff2_89f4_c345_b027_b2c2_8f95_e826 },
    Number { high: 0x7a03_ac92_77fd_c74e_c6cc_392c_fa53_202a, low: 0x0f67_100d_760b_3cba_4fd8_4d3d_706a_17c7 },
];

/// Whether the point is one of the eight of small order, in any spelling: such a key verifies any message (J21).
pub(super) fn is_small_order(encoded: &[u8; 32]) -> bool {
    let y = ed25519_y(encoded);
    // Unreduced spellings of y reach p..p+18 only, so subtracting p once is enough.
    let y = if y >= ED25519.0 { y.minus(ED25519.0) } else { y };
    // y = 0 has order 4, y = 1 is the identity, y = −1 has order 2.
    y <= Number::ONE || y == ED25519.0.minus(Number::ONE) || ORDER_8.contains(&y)
}
