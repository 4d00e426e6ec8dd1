//! What the script hands between a form and the patient's passkey, as text in both directions.

use super::Pages;
use super::trouble::Trouble;
use super::visitor::Visitor;
use crate::http::Fields;
use crate::model::DeviceKind;
use crate::proof::webauthn::{Assertion, Registration, challenge_of};
use crate::proof::{Evidence, base64url};

/// What a form asks the patient's passkey to sign; nothing when the patient has no passkey.
pub(super) struct Asked {
    pub(super) challenge: String,
    pub(super) rp_id: String,
    /// The credentials that may answer, with blanks between.
    pub(super) credentials: String,
}

impl Asked {
    /// To sign exactly `statement`.
    pub(super) async fn to_sign(pages: &Pages, visitor: &Visitor, statement: &[u8]) -> Result<Option<Self>, Trouble> {
        let credentials = credentials(pages, visitor).await?;
        Ok((!credentials.is_empty()).then(|| Self {
            challenge: base64url::encode(&challenge_of(statement)),
            rp_id: pages.passkeys.site.rp_id.clone(),
            credentials,
        }))
    }
}

/// The patient's credentials, with blanks between.
pub(super) async fn credentials(pages: &Pages, visitor: &Visitor) -> Result<String, Trouble> {
    let held = pages.passkeys.list(visitor.patient).await?;
    let credentials: Vec<&str> = held
        .iter()
        .filter_map(|device| match &device.kind {
            DeviceKind::Passkey { credential, .. } => Some(credential.as_str()),
            DeviceKind::Device => None,
        })
        .collect();
    Ok(credentials.join(" "))
}

/// The passkey's answer in a form.
pub(super) fn evidence(fields: &Fields) -> Result<Evidence, Trouble> {
    let handle = fields.get("userHandle").filter(|text| !text.is_empty());
    Ok(Evidence::Passkey(Assertion {
        credential: binary(fields, "credentialId")?,
        authenticator_data: binary(fields, "authenticatorData")?,
        client_data: binary(fields, "clientDataJSON")?,
        signature: binary(fields, "signature")?,
        user_handle: handle.map(base64url::decode).transpose().map_err(|_| Trouble::Unsigned)?,
    }))
}

/// A new passkey in a form.
pub(super) fn registration(fields: &Fields) -> Result<Registration, Trouble> {
    Ok(Registration {
        authenticator_data: binary(fields, "authenticatorData")?,
        client_data: binary(fields, "clientDataJSON")?,
    })
}

/// A field of bytes; an empty one is what a browser without script sends.
pub(super) fn binary(fields: &Fields, name: &str) -> Result<Vec<u8>, Trouble> {
    let text = fields.get(name).filter(|text| !text.is_empty()).ok_or(Trouble::Unsigned)?;
    base64url::decode(text).map_err(|_| Trouble::Unsigned)
}
