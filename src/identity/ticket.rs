//! What a code or a refresh token stands for, sealed while it is given out.

use crate::clock::Timestamp;
use crate::id::{ClientId, OrganisationId, PatientId};
use crate::json::{self, Limits};
use crate::model::Purpose;
use crate::proof::Thumbprint;

use super::session::Person;

/// Who allowed what to whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ticket {
    pub(super) client: ClientId,
    pub(super) person: Person,
    /// For a professional: through which organisation.
    pub(super) organisation: OrganisationId,
    pub(super) purpose: Purpose,
    /// The one patient of the grant; for a patient, themself.
    pub(super) patient: Option<PatientId>,
    pub(super) scope: String,
    pub(super) bound_to: Option<Thumbprint>,
    pub(super) nonce: Option<String>,
    pub(super) auth_time: Timestamp,
    pub(super) acr: String,
    /// The session in which it was allowed.
    pub(super) session: [u8; 32],
    /// Whether it goes on when that session ends.
    pub(super) outlives: bool,
    /// When the grant ends.
    pub(super) until: Timestamp,
    /// For a code: where it was sent, and the challenge; empty for a refresh token.
    pub(super) redirect: String,
    pub(super) challenge: String,
}

impl Ticket {
    /// The text that is sealed.
    pub(super) fn to_text(&self) -> String {
        let (kind, person) = match self.person {
            Person::Patient(id) => ("patient", id.to_string()),
            Person::Professional(id) => ("professional", id.to_string()),
        };
        serde_json::json!({
            "client": self.client.to_string(), "kind": kind, "person": person,
            "organisation": self.organisation.to_string(), "purpose": self.purpose.code(),
            "patient": self.patient.map(|p| p.to_string()), "scope": self.scope,
            "jkt": self.bound_to.map(|t| t.to_string()), "nonce": self.nonce, "auth_time": self.auth_time.0,
            "acr": self.acr, "session": Thumbprint(self.session).to_string(), "outlives": i64::from(self.outlives), "until": self.until.0,
            "redirect": self.redirect, "challenge": self.challenge,
        })
        .to_string()
    }

    /// Reads that text back.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let limits = Limits { bytes: 64 * 1024, ..Limits::TOKEN };
        let tree = json::parse(text.as_bytes(), limits).ok()?;
        let text = |name| tree.text_of(name).map(str::to_owned);
        let person = tree.text_of("person")?;
        Some(Self {
            client: tree.text_of("client")?.parse().ok()?,
            person: match tree.text_of("kind")? {
                "patient" => Person::Patient(person.parse().ok()?),
                "professional" => Person::Professional(person.parse().ok()?),
                _ => return None,
            },
            organisation: tree.text_of("organisation")?.parse().ok()?,
            purpose: tree.text_of("purpose")?.parse().ok()?,
            patient: tree.text_of("patient").map(str::parse).transpose().ok()?,
            scope: text("scope")?,
            bound_to: tree.text_of("jkt").map(str::parse).transpose().ok()?,
            nonce: text("nonce"),
            auth_time: Timestamp(tree.int_of("auth_time")?),
            acr: text("acr")?,
            session: tree.text_of("session")?.parse::<Thumbprint>().ok()?.0,
            outlives: tree.int_of("outlives")? != 0,
            until: Timestamp(tree.int_of("until")?),
            redirect: text("redirect")?,
            challenge: text("challenge")?,
        })
    }

    /// Whether `word` was granted.
    pub(super) fn has(&self, word: &str) -> bool {
        self.scope.split(' ').any(|s| s == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProfessionalId;

    #[test]
    fn a_ticket_reads_back_the_same() {
        let ticket = Ticket {
            client: ClientId::from_bytes([1; 16]),
            person: Person::Professional(ProfessionalId::from_bytes([2; 16])),
            organisation: OrganisationId::from_bytes([3; 16]),
            purpose: Purpose::Treat,
            patient: Some(PatientId::from_bytes([4; 16])),
            scope: "openid patient/Observation.rs?category=a|b".into(),
            bound_to: Some(Thumbprint([5; 32])),
            nonce: Some("\"\\é\u{1}".into()),
            auth_time: Timestamp(6),
            acr: "eidas2".into(),
            session: [7; 32],
            outlives: false,
            until: Timestamp(8),
            redirect: "https://app.example/cb".into(),
            challenge: "c".into(),
        };
        assert_eq!(Ticket::parse(&ticket.to_text()), Some(ticket.clone()));
        let person = Person::Patient(PatientId::from_bytes([9; 16]));
        let other = Ticket { person, patient: None, bound_to: None, nonce: None, outlives: true, ..ticket };
        assert_eq!(Ticket::parse(&other.to_text()), Some(other.clone()));
        assert!(other.has("openid") && !other.has("open"));
    }
}
