//! Security labels (HL7 v3 Confidentiality and ActCode sensitivities, as FHIR R4 `meta.security` carries them).

use std::fmt;
use std::str::FromStr;

/// A code that is not in the closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown code")]
pub struct UnknownCode;

/// How confidential a record is, in order (v3-Confidentiality): U < L < M < N < R < V.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Confidentiality {
    /// Unrestricted.
    U,
    /// Low.
    L,
    /// Moderate.
    M,
    /// Normal: the ordinary state of a health record, not "none".
    #[default]
    N,
    /// Restricted.
    R,
    /// Very restricted.
    V,
}

impl Confidentiality {
    /// The code system of these codes.
    pub const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

    /// The code, one letter.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::U => "U",
            Self::L => "L",
            Self::M => "M",
            Self::N => "N",
            Self::R => "R",
            Self::V => "V",
        }
    }

    /// The place in the order, from 0.
    #[must_use]
    pub const fn rank(self) -> i64 {
        self as i64
    }
}

impl FromStr for Confidentiality {
    type Err = UnknownCode;
    fn from_str(code: &str) -> Result<Self, UnknownCode> {
        Ok(match code {
            "U" => Self::U,
            "L" => Self::L,
            "M" => Self::M,
            "N" => Self::N,
            "R" => Self::R,
            "V" => Self::V,
            _ => return Err(UnknownCode),
        })
    }
}

/// A sensitive category (v3-ActCode, the sensitivity value set; standards §8.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sensitivity(&'static str);

impl Sensitivity {
    /// The code system of these codes.
    pub const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

    /// Every sensitivity we know, each with its direct parent in v3-ActCode where it has one.
    pub const ALL: [(&'static str, Option<&'static str>); 21] = [
        ("ETH", None),
        ("GDIS", None),
        ("HIV", None),
        ("SCA", None),
        ("SICKLE", None),
        ("SDV", None),
        ("SEX", None),
        ("STD", None),
        ("TBOO", None),
        ("VIO", None),
        ("SPI", None),
        ("BH", Some("SPI")),
        ("COGN", Some("BH")),
        ("DVD", Some("BH")),
        ("EMOTDIS", Some("BH")),
        ("MH", Some("SPI")),
        ("PSY", Some("SPI")),
        ("PSYTHPN", Some("SPI")),
        ("SUD", Some("SPI")),
        ("ETHUD", Some("SUD")),
        ("OPIOIDUD", Some("SUD")),
    ];

    /// The code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.0
    }

    /// Whether a rule that names `self` speaks of data labelled `other`: itself and its descendants, and
    /// a rule on ETH also covers ETHUD and OPIOIDUD, which the PCF profile prints under it (SL-06).
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self.0 == "ETH" && matches!(other.0, "ETHUD" | "OPIOIDUD") {
            return true;
        }
        let mut at = Some(other.0);
        while let Some(code) = at {
            if code == self.0 {
                return true;
            }
            at = Self::ALL.iter().find(|(c, _)| *c == code).and_then(|(_, parent)| *parent);
        }
        false
    }
}

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for Sensitivity {
    type Err = UnknownCode;
    fn from_str(code: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().find(|(c, _)| *c == code).map(|(c, _)| Self(c)).ok_or(UnknownCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_on_a_sensitivity_covers_its_descendants_and_no_others() {
        let s = |c: &str| c.parse::<Sensitivity>().unwrap();
        assert!(s("SUD").covers(&s("OPIOIDUD")));
        assert!(s("SPI").covers(&s("PSY")));
        assert!(s("ETH").covers(&s("ETHUD")));
        assert!(!s("ETHUD").covers(&s("SUD")));
        assert!(!s("HIV").covers(&s("STD")));
    }
}
