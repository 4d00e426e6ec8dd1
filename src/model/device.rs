//! A key with which a patient signs, as the registry enrolled it.

use crate::clock::Timestamp;
use crate::id::{DeviceId, PatientId};
use crate::json::{self, Limits};

/// A patient's signing key. Its canonical text is signed by the registry, so that a row slipped into the
/// database gives nobody a voice (security.md T2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose it is.
    pub patient: PatientId,
    /// How it signs.
    pub kind: DeviceKind,
    /// The public key as a JWK, the exact text.
    pub key: String,
    /// When it was enrolled, whole seconds.
    pub since: Timestamp,
}

/// How a key signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeviceKind {
    /// A device of its own that signs statements directly.
    Device,
    /// A passkey (WebAuthn).
    Passkey {
        /// Credential id, base64url.
        credential: String,
        /// Relying party id.
        rp_id: String,
        /// Origins from which it may sign.
        origins: Vec<String>,
    },
}

impl Device {
    /// The canonical text that the registry signs.
    #[must_use]
    pub fn to_body(&self) -> String {
        let (id, patient, since) = (self.id.to_string(), self.patient.to_string(), self.since.secs());
        match &self.kind {
            DeviceKind::Device => serde_json::json!({
                "id": id, "is": "device", "key": self.key, "patient": patient, "since": since,
            }),
            DeviceKind::Passkey { credential, rp_id, origins } => serde_json::json!({
                "credential": credential, "id": id, "is": "passkey", "key": self.key, "origins": origins,
                "patient": patient, "rpId": rp_id, "since": since,
            }),
        }
        .to_string()
    }

    /// What the registry signs of a row with this body and state. An active one is the enrolment itself; any other
    /// state is signed with its word, so that a removed key cannot be made active by changing the word alone.
    #[must_use]
    pub fn signed(body: &str, state: &str) -> String {
        if state == "active" { body.to_owned() } else { format!("{state} {body}") }
    }

    /// Reads an enrolment; `None` unless it is exactly what [`Device::to_body`] writes.
    #[must_use]
    pub fn parse(body: &str) -> Option<Self> {
        let tree = json::parse(body.as_bytes(), Limits::TOKEN).ok()?;
        let kind = match tree.text_of("is")? {
            "device" => DeviceKind::Device,
            "passkey" => DeviceKind::Passkey {
                credential: tree.text_of("credential")?.to_owned(),
                rp_id: tree.text_of("rpId")?.to_owned(),
                origins: tree
                    .get("origins")?
                    .items()
                    .iter()
                    .map(|n| n.as_str().map(str::to_owned))
                    .collect::<Option<_>>()?,
            },
            _ => return None,
        };
        let device = Self {
            id: tree.text_of("id")?.parse().ok()?,
            patient: tree.text_of("patient")?.parse().ok()?,
            kind,
            key: tree.text_of("key")?.to_owned(),
            since: Timestamp::from_secs(tree.int_of("since")?),
        };
        (device.to_body() == body).then_some(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn an_enrolment_is_canonical_and_read_back_the_same() {
        let chance = SeededChance::new(2);
        let device = Device {
            id: DeviceId::random(&chance).unwrap(),
            patient: PatientId::random(&chance).unwrap(),
            kind: DeviceKind::Device,
            key: "{\"kty\":\"EC\"}".into(),
            since: Timestamp::from_secs(1_790_000_000),
        };
        let passkey = Device {
            kind: DeviceKind::Passkey {
                credential: "AQID".into(),
                rp_id: "health.example".into(),
                origins: vec!["https://health.example".into()],
            },
            ..device.clone()
        };
        for device in [device, passkey] {
            let body = device.to_body();
            let tree = json::parse(body.as_bytes(), Limits::TOKEN).unwrap();
            assert_eq!(json::canonical(&tree).unwrap(), body);
            assert_eq!(Device::parse(&body), Some(device));
            assert_eq!(Device::parse(&body.replacen('{', "{\"x\":1,", 1)), None);
        }
    }
}
