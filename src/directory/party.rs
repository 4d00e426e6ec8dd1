//! Enrolments as canonical JSON: the exact bytes are signed by the registry, stored and checked.

use crate::id::{ClientId, OrganisationId, ProfessionalId};
use crate::json::{self, Limits, Node};
use crate::model::{ClinicalScope, OrganisationKind, Profession};

/// An enrolment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Party {
    /// An organisation.
    Organisation(Organisation),
    /// A professional.
    Professional(Professional),
    /// A piece of software.
    Client(Client),
}

/// An organisation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// What it is, which bounds what it may ever see.
    pub kind: OrganisationKind,
    /// Its public name.
    pub name: String,
    /// Its number in the national register (FINESS, SIREN), or empty.
    pub number: String,
    /// Whether the enrolment stands.
    pub active: bool,
}

/// A professional.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Professional {
    /// Their id.
    pub id: ProfessionalId,
    /// Their public name.
    pub name: String,
    /// Profession code.
    pub profession: Profession,
    /// Their number in the national register (RPPS), or empty.
    pub number: String,
    /// Where they work; at least one.
    pub organisations: Vec<OrganisationId>,
    /// Whether the enrolment stands.
    pub active: bool,
}

/// Which rules a client's tokens follow (standards §1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// SMART App Launch: bearer tokens.
    Smart,
    /// FAPI 2.0: sender-constrained tokens (DPoP).
    Fapi2,
}

/// A piece of software.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its id, also its OAuth `client_id`.
    pub id: ClientId,
    /// Whose software it is.
    pub organisation: OrganisationId,
    /// Its public name.
    pub name: String,
    /// Which rules its tokens follow.
    pub profile: Profile,
    /// Its public key as a JWK, the exact text.
    pub key: String,
    /// What it may ever ask for; sorted, unique.
    pub scopes: Vec<ClinicalScope>,
    /// Whether the enrolment stands.
    pub active: bool,
}

/// The bytes are not an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an enrolment: {0}")]
pub struct BadParty(pub &'static str);

impl Party {
    /// The 16 bytes that name it.
    #[must_use]
    pub const fn id(&self) -> [u8; 16] {
        match self {
            Self::Organisation(o) => *o.id.as_bytes(),
            Self::Professional(p) => *p.id.as_bytes(),
            Self::Client(c) => *c.id.as_bytes(),
        }
    }

    /// `organisation`, `professional` or `client`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Organisation(_) => "organisation",
            Self::Professional(_) => "professional",
            Self::Client(_) => "client",
        }
    }

    /// Its number in the national register, or empty.
    #[must_use]
    pub const fn number(&self) -> &str {
        match self {
            Self::Organisation(o) => o.number.as_str(),
            Self::Professional(p) => p.number.as_str(),
            Self::Client(_) => "",
        }
    }

    /// Whether the enrolment stands.
    #[must_use]
    pub const fn active(&self) -> bool {
        match self {
            Self::Organisation(o) => o.active,
            Self::Professional(p) => p.active,
            Self::Client(c) => c.active,
        }
    }

    /// The same enrolment, standing or suspended.
    #[must_use]
    pub fn with_active(mut self, standing: bool) -> Self {
        match &mut self {
            Self::Organisation(o) => o.active = standing,
            Self::Professional(p) => p.active = standing,
            Self::Client(c) => c.active = standing,
        }
        self
    }

    /// The canonical text of this enrolment at `revision`.
    #[must_use]
    pub fn to_body(&self, revision: i64) -> String {
        let value = match self {
            Self::Organisation(o) => serde_json::json!({
                "active": o.active, "id": o.id.to_string(), "is": "organisation", "kind": o.kind.word(),
                "name": o.name, "number": o.number, "revision": revision,
            }),
            Self::Professional(p) => serde_json::json!({
                "active": p.active, "id": p.id.to_string(), "is": "professional", "name": p.name,
                "number": p.number, "organisations": texts(&p.organisations),
                "profession": p.profession.code(), "revision": revision,
            }),
            Self::Client(c) => serde_json::json!({
                "active": c.active, "id": c.id.to_string(), "is": "client", "key": c.key, "name": c.name,
                "organisation": c.organisation.to_string(),
                "profile": match c.profile { Profile::Smart => "smart", Profile::Fapi2 => "fapi2" },
                "revision": revision, "scopes": texts(&c.scopes),
            }),
        };
        // Members are written above in canonical order, and serde_json keeps that order (josekit turns
        // `preserve_order` on) and escapes as RFC 8785 does; `parse` refuses the text if any of it were not so.
        value.to_string()
    }

    /// Reads an enrolment and its revision.
    ///
    /// # Errors
    /// [`BadParty`] when the text is not canonical or a member is missing, unknown or malformed.
    pub fn parse(body: &str) -> Result<(Self, i64), BadParty> {
        let tree = json::parse(body.as_bytes(), Limits::TOKEN).map_err(|_| BadParty("not JSON"))?;
        let revision = tree.int_of("revision").filter(|r| *r >= 1).ok_or(BadParty("revision"))?;
        let party = match tree.text_of("is") {
            Some("organisation") => Self::Organisation(Organisation {
                id: parsed(&tree, "id")?,
                kind: parsed(&tree, "kind")?,
                name: text(&tree, "name")?,
                number: text(&tree, "number")?,
                active: active(&tree)?,
            }),
            Some("professional") => Self::Professional(Professional {
                id: parsed(&tree, "id")?,
                name: text(&tree, "name")?,
                profession: parsed(&tree, "profession")?,
                number: text(&tree, "number")?,
                organisations: list(&tree, "organisations")?,
                active: active(&tree)?,
            }),
            Some("client") => Self::Client(Client {
                id: parsed(&tree, "id")?,
                organisation: parsed(&tree, "organisation")?,
                name: text(&tree, "name")?,
                profile: match tree.text_of("profile") {
                    Some("smart") => Profile::Smart,
                    Some("fapi2") => Profile::Fapi2,
                    _ => return Err(BadParty("profile")),
                },
                key: text(&tree, "key")?,
                scopes: list(&tree, "scopes")?,
                active: active(&tree)?,
            }),
            _ => return Err(BadParty("is")),
        };
        if party.to_body(revision) == body { Ok((party, revision)) } else { Err(BadParty("not canonical")) }
    }
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn text(tree: &Node<'_>, name: &'static str) -> Result<String, BadParty> {
    tree.text_of(name).map(str::to_owned).ok_or(BadParty(name))
}

fn parsed<T: std::str::FromStr>(tree: &Node<'_>, name: &'static str) -> Result<T, BadParty> {
    tree.text_of(name).and_then(|t| t.parse().ok()).ok_or(BadParty(name))
}

fn list<T: std::str::FromStr>(tree: &Node<'_>, name: &'static str) -> Result<Vec<T>, BadParty> {
    let items = tree.get(name).ok_or(BadParty(name))?.items();
    items.iter().map(|n| n.as_str().and_then(|t| t.parse().ok()).ok_or(BadParty(name))).collect()
}

fn active(tree: &Node<'_>) -> Result<bool, BadParty> {
    match tree.get("active").map(|n| &n.value) {
        Some(json::Value::Bool(standing)) => Ok(*standing),
        _ => Err(BadParty("active")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn enrolments_are_canonical_and_read_back_the_same() {
        let chance = SeededChance::new(5);
        let organisation = OrganisationId::random(&chance).unwrap();
        let parties = [
            Party::Organisation(Organisation {
                id: organisation,
                kind: OrganisationKind::Insurer,
                name: "Mutuelle « Été »\n".into(),
                number: String::new(),
                active: true,
            }),
            Party::Professional(Professional {
                id: ProfessionalId::random(&chance).unwrap(),
                name: "Dr Martin".into(),
                profession: "10".parse().unwrap(),
                number: "810000000001".into(),
                organisations: vec![organisation],
                active: false,
            }),
            Party::Client(Client {
                id: ClientId::random(&chance).unwrap(),
                organisation,
                name: "Logiciel".into(),
                profile: Profile::Fapi2,
                key: "{\"kty\":\"EC\"}".into(),
                scopes: vec!["Observation.rs".parse().unwrap()],
                active: true,
            }),
        ];
        for party in parties {
            let body = party.to_body(3);
            let tree = json::parse(body.as_bytes(), Limits::TOKEN).unwrap();
            assert_eq!(json::canonical(&tree).unwrap(), body);
            assert_eq!(Party::parse(&body), Ok((party.clone(), 3)));
            assert!(Party::parse(&body.replace(":3", ":3.0")).is_err());
            assert!(Party::parse(&body.replacen('{', "{ ", 1)).is_err());
            assert_ne!(party.clone().with_active(!party.active()).to_body(3), body);
        }
    }
}
