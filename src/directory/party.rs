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
    /// Its public keys as JWKs, exact texts; none for a public client, which proves nothing (SMART only).
    pub keys: Vec<String>,
    /// Where people may be sent back to, compared byte for byte.
    pub redirects: Vec<String>,
    /// Where it is told that a person's session is over (OpenID Connect Back-Channel Logout), or empty.
    pub logout: String,
    /// What it may ever ask for; sorted, unique.
    pub scopes: Vec<ClinicalScope>,
    /// Whether the enrolment stands.
    pub active: bool,
}

/// The bytes are not an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an enrolment: {0}")]
pub struct BadParty(pub &'static str);

impl Client {
    /// Whether it has no way to prove who it is.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether such software may be enrolled.
    ///
    /// # Errors
    /// [`BadParty`] for a public client under FAPI 2.0 (FA-01), for a redirect URI that browsers and we could read
    /// differently, or that is neither https nor, for SMART, this machine itself (FA-22, RFC 8252 §7.3), and for a
    /// logout URI that is not https: we write to it, so this machine is meant in development only.
    pub fn may_enrol(&self, development: bool) -> Result<(), BadParty> {
        if self.is_public() && self.profile == Profile::Fapi2 {
            return Err(BadParty("a public client cannot follow fapi2"));
        }
        let as_if = if development { Profile::Smart } else { Profile::Fapi2 };
        if !self.logout.is_empty() && !is_sound(&self.logout, as_if) {
            return Err(BadParty(
                "a logout URI must be https, absolute, plain ASCII, without user, fragment or backslash",
            ));
        }
        if self.redirects.iter().all(|uri| is_sound(uri, self.profile)) {
            Ok(())
        } else {
            Err(BadParty("a redirect URI must be https, absolute, plain ASCII, without user, fragment or backslash"))
        }
    }
}

fn is_sound(uri: &str, profile: Profile) -> bool {
    let plain = uri.len() <= 512 && uri.bytes().all(|b| b.is_ascii_graphic() && !b"\\#<>\"'`{}|^".contains(&b));
    let secure = uri.strip_prefix("https://");
    let here = uri.strip_prefix("http://").filter(|_| profile == Profile::Smart);
    let authority = |rest: &str| rest.split(['/', '?']).next().unwrap_or_default().to_owned();
    let is_here = |a: &str| {
        let host = a.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(a, |(host, _)| host);
        matches!(host, "127.0.0.1" | "[::1]")
    };
    let fits = secure.is_some_and(|rest| !authority(rest).is_empty() && !authority(rest).contains('@'))
        || here.is_some_and(|rest| is_here(&authority(rest)));
    // The path is written out: `https://host` and `https://host/` are two spellings of one place.
    plain && fits && uri.matches('/').count() > 2
}

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
                "active": c.active, "id": c.id.to_string(), "is": "client", "keys": c.keys, "logout": c.logout,
                "name": c.name,
                "organisation": c.organisation.to_string(),
                "profile": match c.profile { Profile::Smart => "smart", Profile::Fapi2 => "fapi2" },
                "redirects": c.redirects, "revision": revision, "scopes": texts(&c.scopes),
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
                keys: list(&tree, "keys")?,
                redirects: list(&tree, "redirects")?,
                logout: text(&tree, "logout")?,
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
    fn fa_22_only_redirect_uris_that_read_one_way_are_enrolled() {
        for good in ["https://app.example/cb", "https://app.example:8443/a/b?c=d", "https://a.example/"] {
            assert!(is_sound(good, Profile::Fapi2) && is_sound(good, Profile::Smart), "{good}");
        }
        for local in ["http://127.0.0.1/cb", "http://127.0.0.1:3000/cb", "http://[::1]:3000/cb"] {
            assert!(is_sound(local, Profile::Smart) && !is_sound(local, Profile::Fapi2), "{local}");
        }
        for bad in [
            "",
            "app.example/cb",
            "http://app.example/cb",
            "https://app.example",
            "https:///cb",
            "https://u@app.example/cb",
            "https://app.example\\@evil.example/cb",
            "https://app.example/cb#f",
            "https://app.example/c b",
            "https://app.example/é",
            "http://127.0.0.1.nip.io/cb",
            "http://localhost.evil.example/cb",
            "http://127.0.0.1:x@evil.example/cb",
            "javascript://app.example/%0aalert(1)",
            "HTTPS://app.example/cb",
        ] {
            assert!(!is_sound(bad, Profile::Smart), "{bad}");
        }
    }

    #[test]
    fn oi_09_software_is_told_of_logouts_over_tls_or_in_development_on_this_machine() {
        let may = |logout: &str, profile, development| {
            let client = Client {
                id: ClientId::from_bytes([1; 16]),
                organisation: OrganisationId::from_bytes([2; 16]),
                name: String::new(),
                profile,
                keys: vec!["{}".into()],
                redirects: Vec::new(),
                logout: logout.to_owned(),
                scopes: Vec::new(),
                active: true,
            };
            client.may_enrol(development).is_ok()
        };
        for profile in [Profile::Smart, Profile::Fapi2] {
            for development in [false, true] {
                assert!(may("", profile, development) && may("https://app.example/out", profile, development));
                for bad in ["http://app.example/out", "http://127.0.0.1.nip.io/out", "https://u@app.example/out", "x"] {
                    assert!(!may(bad, profile, development), "{bad}");
                }
                assert_eq!(may("http://127.0.0.1:3000/out", profile, development), development);
            }
        }
    }

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
                keys: vec!["{\"kty\":\"EC\"}".into()],
                redirects: vec!["https://app.example/cb".into()],
                logout: "https://app.example/logout".into(),
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
