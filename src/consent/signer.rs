//! With which key of the patient a statement was signed.

use super::check::verify_by;
use super::{ConsentError, Consents};
use crate::id::{DeviceId, PatientId};
use crate::json::{self, Limits};
use crate::model::{Device, DeviceKind};
use crate::proof::webauthn::counter_advances;
use crate::proof::{Evidence, base64url};
use crate::store::rows::DeviceRow;

/// How long a key that is not the first waits before it may widen access, in seconds.
const RIPE_SECONDS: i64 = 24 * 3600;

impl Consents {
    /// The enrolment of the active key of `patient` that signed exactly `statement`, and the registry's signature.
    ///
    /// A key is looked for among this patient's keys only, never by its name alone (CT-03, WA-06).
    pub(super) async fn signer_of(
        &self,
        patient: PatientId,
        statement: &[u8],
        evidence: &Evidence,
    ) -> Result<(Device, DeviceRow), ConsentError> {
        let rows = self.store.devices(patient).await?;
        for row in rows.into_iter().filter(|row| row.state == "active") {
            let Some(device) = self.enrolled(patient, &row) else {
                tracing::error!(device = %row.device, "the enrolment of a patient's key does not hold");
                continue;
            };
            if named(evidence, &device) {
                verify_by(&device, statement, evidence).map_err(|_| ConsentError::Unsigned)?;
                self.made_on_our_pages(evidence)?;
                // Asked again in the turn, where two assertions with one counter cannot both pass.
                let stored = u32::try_from(row.counter).unwrap_or(u32::MAX);
                counter_advances(stored, counter(evidence)).map_err(|_| {
                    tracing::warn!(device = %row.device, "a passkey's counter did not go forward: there may be a copy");
                    ConsentError::Unsigned
                })?;
                return Ok((device, row));
            }
        }
        Err(ConsentError::Unsigned)
    }

    /// That a key may widen access: it is the patient's first, or a day old. Whoever takes over a session and adds a
    /// key of their own gains nothing before the patient was told of it (T15).
    pub(super) async fn ripe(&self, device: &Device) -> Result<(), ConsentError> {
        if self.clock.now() >= device.since.plus_secs(RIPE_SECONDS) {
            return Ok(());
        }
        let rows = self.store.devices(device.patient).await?;
        // Ended keys count: who has lost a key is not on a first visit.
        let before = rows.iter().filter_map(|row| Device::parse(&row.body)).any(|other| other.since < device.since);
        if before { Err(ConsentError::Young) } else { Ok(()) }
    }

    fn enrolled(&self, patient: PatientId, row: &DeviceRow) -> Option<Device> {
        self.checker.registry.verify(row.body.as_bytes(), &row.signature).ok()?;
        Device::parse(&row.body).filter(|device| device.patient == patient && device.id == row.device)
    }

    /// A passkey signs on pages that are ours today, not only on those that were when it was enrolled.
    fn made_on_our_pages(&self, evidence: &Evidence) -> Result<(), ConsentError> {
        let Evidence::Passkey(assertion) = evidence else { return Ok(()) };
        let data = json::parse(&assertion.client_data, Limits::TOKEN).map_err(|_| ConsentError::Unsigned)?;
        let origin = data.text_of("origin").ok_or(ConsentError::Unsigned)?;
        if self.origins.iter().any(|ours| ours == origin) { Ok(()) } else { Err(ConsentError::Unsigned) }
    }
}

/// The signature counter of a passkey; 0 for a device of its own, which has none.
pub(super) fn counter(evidence: &Evidence) -> u32 {
    match evidence {
        Evidence::Device(_) => 0,
        Evidence::Passkey(assertion) => assertion.counter().unwrap_or(0),
    }
}

/// Whether the evidence says it was made with this key; what it says is verified after.
fn named(evidence: &Evidence, device: &Device) -> bool {
    match (evidence, &device.kind) {
        (Evidence::Device(jws), DeviceKind::Device) => unverified_kid(jws) == Some(device.id),
        (Evidence::Passkey(assertion), DeviceKind::Passkey { credential, .. }) => {
            base64url::decode(credential).is_ok_and(|id| id == assertion.credential)
        }
        (Evidence::Device(_), DeviceKind::Passkey { .. }) | (Evidence::Passkey(_), DeviceKind::Device) => false,
    }
}

fn unverified_kid(jws: &str) -> Option<DeviceId> {
    let header = base64url::decode(jws.split('.').next()?).ok()?;
    json::parse(&header, Limits::TOKEN).ok()?.text_of("kid")?.parse().ok()
}
