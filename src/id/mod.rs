//! Typed identifiers.
//!
//! Lives here: one type per kind of thing, 16 bytes each, made from a clock and chance passed in.
//! May touch: `clock`, `chance`.
//! Must never: hand an untyped identifier across a room's seam.
//!
//! The text form is 26 lower-case characters of base32hex without padding (RFC 4648 §7): it fits FHIR's
//! `id` type, has one spelling only, and sorts as the bytes do.

use std::fmt;
use std::str::FromStr;

use crate::chance::{self, Chance, NoChance};
use crate::clock::Clock;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// The text is not an identifier of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier (26 characters of 0-9 and a-v)")]
pub struct NotAnId;

fn encode(bytes: [u8; 16]) -> [u8; 26] {
    let number = u128::from_be_bytes(bytes);
    // 26 characters carry 130 bits: the value is shifted left by two so that order is kept.
    std::array::from_fn(|i| {
        let shift = 125 - 5 * i;
        let five = if shift >= 5 { number >> (shift - 2) } else { number << 2 };
        ALPHABET.get((five & 31) as usize).copied().unwrap_or(b'0')
    })
}

/// The text form of `bytes`, without an allocation: a release writes a dozen of these.
fn write(bytes: [u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(std::str::from_utf8(&encode(bytes)).map_err(|_| fmt::Error)?)
}

fn decode(text: &str) -> Result<[u8; 16], NotAnId> {
    if text.len() != 26 {
        return Err(NotAnId);
    }
    let mut number: u128 = 0;
    for (i, c) in text.bytes().enumerate() {
        let five = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'v' => c - b'a' + 10,
            _ => return Err(NotAnId),
        };
        if i < 25 {
            number = (number << 5) | u128::from(five);
        } else {
            // The last character holds three bits; its two low bits are padding and must be zero.
            if five & 3 != 0 {
                return Err(NotAnId);
            }
            number = (number << 3) | u128::from(five >> 2);
        }
    }
    Ok(number.to_be_bytes())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From the 16 bytes kept in a column.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes kept in a column.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// From a column's bytes of unknown length; `None` when they are not 16.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// A time-ordered identifier (UUID version 7, RFC 9562 §5.7).
            ///
            /// # Errors
            /// [`NoChance`] when the generator fails.
            pub fn ordered(clock: &dyn Clock, chance: &dyn Chance) -> Result<Self, NoChance> {
                let milliseconds = u64::try_from(clock.now().0 / 1000).unwrap_or(0);
                let random = chance::bytes::<10>(chance)?;
                let uuid = uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid();
                Ok(Self(*uuid.as_bytes()))
            }

            /// The least identifier that [`Self::ordered`] may make at `at` or later.
            #[must_use]
            pub fn earliest(at: crate::clock::Timestamp) -> Self {
                let milliseconds = u64::try_from(at.0 / 1000).unwrap_or(0);
                Self((u128::from(milliseconds) << 80).to_be_bytes())
            }

            /// An identifier that tells nothing, not even when it was made.
            ///
            /// # Errors
            /// [`NoChance`] when the generator fails.
            pub fn random(chance: &dyn Chance) -> Result<Self, NoChance> {
                Ok(Self(chance::bytes::<16>(chance)?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                decode(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A patient: random, so that it tells neither birth nor enrolment.
    PatientId,
    /// One record of a patient (a FHIR resource across its versions).
    RecordId,
    /// One consent across its revisions.
    ConsentId,
    /// One signed statement.
    StatementId,
    /// An organisation enrolled by the guarantor.
    OrganisationId,
    /// A professional enrolled by the guarantor.
    ProfessionalId,
    /// A piece of software enrolled by the guarantor (OAuth client).
    ClientId,
    /// A patient's signing device or passkey.
    DeviceId,
    /// What a person allowed a piece of software; its tokens name it.
    GrantId,
    /// A keyed name by which the log knows what is enrolled or shut out.
    Mark,
    /// A deed: the permit, its receipt and its leaf carry the same one.
    DeedId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn ordered_identifiers_lie_on_the_right_side_of_each_moment() {
        use crate::clock::TestClock;
        let (clock, chance) = (TestClock::at(Timestamp::from_secs(1_790_000_000)), crate::chance::SeededChance::new(1));
        for _ in 0..100 {
            let id = DeedId::ordered(&clock, &chance).unwrap();
            let now = clock.now();
            assert!(id >= DeedId::earliest(now) && id < DeedId::earliest(Timestamp(now.0 + 1000)));
            clock.advance_secs(1);
        }
    }

    #[test]
    fn text_has_one_spelling_and_sorts_as_bytes_do() {
        let mut last = String::new();
        for n in [0u128, 1, 2, 255, 1 << 64, u128::MAX - 1, u128::MAX] {
            let id = PatientId::from_bytes(n.to_be_bytes());
            let text = id.to_string();
            assert_eq!(text.len(), 26);
            assert_eq!(text.parse::<PatientId>(), Ok(id));
            assert!(text > last);
            last = text;
        }
        for bad in ["", "0", "V0000000000000000000000000", "00000000000000000000000001", "0000000000000000000000000w"] {
            assert_eq!(bad.parse::<PatientId>(), Err(NotAnId), "{bad}");
        }
    }
}
