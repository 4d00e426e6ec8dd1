//! Clinical scopes in the grammar of SMART App Launch 2.2 (§ Scopes for requesting FHIR resources).

use std::fmt;
use std::str::FromStr;

use super::record::Coding;

/// What is done with a record: one letter of a scope.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Interaction {
    /// `c`
    Create,
    /// `r`: read, vread, instance history.
    Read,
    /// `u`: update and patch.
    Update,
    /// `d`
    Delete,
    /// `s`: search.
    Search,
}

impl Interaction {
    /// All, in the order SMART prescribes.
    pub const ALL: [Self; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Search];

    /// The letter.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Search => 's',
        }
    }

    /// The word used in policies.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Search => "search",
        }
    }
}

/// A non-empty set of interactions, written in SMART's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Interactions(u8);

impl Interactions {
    /// Whether `interaction` is among them.
    #[must_use]
    pub const fn has(self, interaction: Interaction) -> bool {
        self.0 & (1 << interaction as u8) != 0
    }

    /// Those that are in both; `None` when there are none.
    #[must_use]
    pub const fn and(self, other: Self) -> Option<Self> {
        let both = self.0 & other.0;
        if both == 0 { None } else { Some(Self(both)) }
    }

    /// Whether all of these are in `other`.
    #[must_use]
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

impl From<Interaction> for Interactions {
    fn from(interaction: Interaction) -> Self {
        Self(1 << interaction as u8)
    }
}

impl fmt::Display for Interactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Interaction::ALL.iter().filter(|i| self.has(**i)).try_for_each(|i| write!(f, "{}", i.letter()))
    }
}

/// The text is not a scope we can honour in full; a scope is never granted without its filter (SM-21, SM-25).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a clinical scope of the form Type.cruds?category=system|code")]
pub struct NotAScope;

/// `Type.cruds` with an optional category filter; the context (`patient/`, `system/`) is not part of it.
///
/// Categories are sorted and unique; none means every category.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClinicalScope {
    /// FHIR resource type; `None` is `*`.
    pub resource_type: Option<String>,
    /// What may be done.
    pub interactions: Interactions,
    /// Category filter; empty means no filter.
    pub categories: Vec<Coding>,
}

impl ClinicalScope {
    /// Whether every access this scope allows is also allowed by `other`.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        (other.resource_type.is_none() || other.resource_type == self.resource_type)
            && self.interactions.within(other.interactions)
            && (other.categories.is_empty()
                || (!self.categories.is_empty() && self.categories.iter().all(|c| other.categories.contains(c))))
    }

    /// Whether it allows `interaction` on a resource of `resource_type` that carries `categories`.
    #[must_use]
    pub fn covers(&self, interaction: Interaction, resource_type: &str, categories: &[Coding]) -> bool {
        self.interactions.has(interaction)
            && self.resource_type.as_deref().is_none_or(|t| t == resource_type)
            && (self.categories.is_empty() || self.categories.iter().any(|c| categories.contains(c)))
    }
}

impl fmt::Display for ClinicalScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.resource_type.as_deref().unwrap_or("*"), self.interactions)?;
        for (i, category) in self.categories.iter().enumerate() {
            write!(f, "{}category={category}", if i == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl FromStr for ClinicalScope {
    type Err = NotAScope;
    fn from_str(text: &str) -> Result<Self, NotAScope> {
        let (head, query) = text.split_once('?').map_or((text, None), |(h, q)| (h, Some(q)));
        let (name, letters) = head.split_once('.').ok_or(NotAScope)?;
        let proper =
            name.starts_with(|c: char| c.is_ascii_uppercase()) && name.bytes().all(|b| b.is_ascii_alphabetic());
        let resource_type = match name {
            "*" => None,
            _ if proper && name.len() <= 64 => Some(name.to_owned()),
            _ => return Err(NotAScope),
        };
        let interactions = letters.parse()?;
        let mut categories = Vec::new();
        for pair in query.map(|q| q.split('&')).into_iter().flatten() {
            let value = pair.strip_prefix("category=").ok_or(NotAScope)?;
            let (system, code) = value.split_once('|').ok_or(NotAScope)?;
            let plain =
                |s: &str| s.len() <= 256 && s.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\,|&%+#".contains(&b));
            if code.is_empty() || !plain(system) || !plain(code) {
                return Err(NotAScope);
            }
            categories.push(Coding { system: system.to_owned(), code: code.to_owned() });
        }
        categories.sort();
        categories.dedup();
        Ok(Self { resource_type, interactions, categories })
    }
}

impl FromStr for Interactions {
    type Err = NotAScope;
    /// A subsequence of `cruds`, each letter at most once and in that order; `dus` and `read` are refused.
    fn from_str(letters: &str) -> Result<Self, NotAScope> {
        let mut set = 0u8;
        for letter in letters.chars() {
            let interaction = Interaction::ALL.into_iter().find(|i| i.letter() == letter).ok_or(NotAScope)?;
            let bit = 1 << interaction as u8;
            // Any equal or later letter already present means a repeat or a wrong order.
            if set >= bit {
                return Err(NotAScope);
            }
            set |= bit;
        }
        if set == 0 { Err(NotAScope) } else { Ok(Self(set)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_exactly_or_not_at_all() {
        let text = "Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
        assert_eq!(text.parse::<ClinicalScope>().unwrap().to_string(), text);
        assert_eq!("*.cruds".parse::<ClinicalScope>().unwrap().to_string(), "*.cruds");
        for bad in [
            "Observation.dus",
            "Observation.sr",
            "Observation.",
            "Observation.x",
            "observation.r",
            "Observation.read",
            "Observation.rr",
            "Observation.rs?code=a|b",
            "Observation.rs?category:in=a|b",
            "Observation.rs?category=a",
            "Observation.rs?",
            "Patient/x.r",
            "Observation",
        ] {
            assert_eq!(bad.parse::<ClinicalScope>(), Err(NotAScope), "{bad}");
        }
    }

    #[test]
    fn within_means_covers_no_more() {
        let s = |t: &str| t.parse::<ClinicalScope>().unwrap();
        assert!(s("Observation.r?category=x|lab").within(&s("Observation.rs")));
        assert!(s("Observation.r").within(&s("*.rs")));
        assert!(!s("*.r").within(&s("Observation.rs")));
        assert!(!s("Observation.rs").within(&s("Observation.rs?category=x|lab")));
        assert!(!s("Observation.rs").within(&s("Observation.r")));
    }
}
