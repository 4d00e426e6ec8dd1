//! The keys with which a patient signs: what may be enrolled from a browser, and how they are listed and ended.

use std::sync::Arc;

use super::patients::{PatientError, Patients};
use super::session::SignedIn;
use crate::chance::{self, Chance};
use crate::clock::{Clock, Timestamp};
use crate::id::{DeviceId, PatientId};
use crate::model::{Device, DeviceKind};
use crate::proof::webauthn::Registration;
use crate::proof::{Refused, Site, base64url};
use crate::vault::RowMac;

/// How long whoever adds a key may take, in seconds.
const CHALLENGE_SECONDS: i64 = 300;
/// How lately the person must have been identified to add a key, in seconds: whoever finds an open session does not
/// add one.
pub const FRESH_SECONDS: i64 = 900;
/// Keys that a patient may have at once.
const MOST: usize = 10;

/// Why no key was enrolled or ended.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The person signed in too long ago.
    #[error("sign in again first")]
    NotFresh,
    /// What the browser brought does not hold, or is for another moment or session.
    #[error("the key cannot be enrolled: {0}")]
    Refused(&'static str),
    /// The patient has as many keys as may be, or this very one.
    #[error("this key, or as many as may be, is enrolled already")]
    Enough,
    /// The last key is not taken away: without one nothing can be signed.
    #[error("the last key stays")]
    Last,
    /// It could not be written.
    #[error(transparent)]
    Patient(#[from] PatientError),
}

impl From<Refused> for PasskeyError {
    fn from(refused: Refused) -> Self {
        tracing::info!(%refused, "a passkey was refused");
        Self::Refused("the browser's answer")
    }
}

/// Enrols, lists and ends passkeys.
pub struct Passkeys {
    /// Enrols devices.
    pub patients: Arc<Patients>,
    /// Makes challenges that only this house takes back.
    pub mac: RowMac,
    /// The site whose passkeys they are.
    pub site: Site,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for challenges.
    pub chance: Arc<dyn Chance>,
}

impl Passkeys {
    /// A challenge for a new key, good for one session and five minutes: moment, salt, and the proof that we made it.
    ///
    /// # Errors
    /// [`PasskeyError::Patient`] without chance.
    pub fn challenge(&self, signed_in: &SignedIn) -> Result<Vec<u8>, PasskeyError> {
        let salt = chance::bytes::<16>(&*self.chance).map_err(PatientError::from)?;
        let head = [self.clock.now().secs().to_be_bytes().as_slice(), &salt].concat();
        let proof = self.proof(&head, signed_in);
        Ok([head.as_slice(), &proof].concat())
    }

    /// Enrols what a browser made for `challenge`.
    ///
    /// Used twice it is refused: the credential is then enrolled already.
    ///
    /// # Errors
    /// [`PasskeyError`].
    pub async fn enrol(
        &self,
        signed_in: &SignedIn,
        patient: PatientId,
        challenge: &[u8],
        registration: &Registration,
    ) -> Result<Device, PasskeyError> {
        self.fresh(signed_in)?;
        self.ours(challenge, signed_in)?;
        let made = registration.verify(challenge, &self.site)?;
        let credential = base64url::encode(&made.credential);
        let held = self.list(patient).await?;
        let twice =
            held.iter().any(|d| matches!(&d.kind, DeviceKind::Passkey { credential: c, .. } if *c == credential));
        if held.len() >= MOST || twice {
            return Err(PasskeyError::Enough);
        }
        let Site { rp_id, origins } = self.site.clone();
        let kind = DeviceKind::Passkey { credential, rp_id, origins };
        Ok(self.patients.add_device(patient, kind, &made.key.to_jwk()).await?)
    }

    /// The patient's keys that stand, the oldest first.
    ///
    /// # Errors
    /// [`PasskeyError::Patient`].
    pub async fn list(&self, patient: PatientId) -> Result<Vec<Device>, PasskeyError> {
        Ok(self.patients.devices(patient).await?)
    }

    /// Ends a key; never the last one.
    ///
    /// # Errors
    /// [`PasskeyError::Last`]; [`PasskeyError::NotFresh`].
    pub async fn end(&self, signed_in: &SignedIn, patient: PatientId, device: DeviceId) -> Result<(), PasskeyError> {
        self.fresh(signed_in)?;
        let held = self.list(patient).await?;
        if held.iter().all(|d| d.id == device) {
            return Err(PasskeyError::Last);
        }
        Ok(self.patients.remove_device(patient, device).await?)
    }

    /// Whether the person signed in lately enough to change their keys.
    ///
    /// # Errors
    /// [`PasskeyError::NotFresh`].
    pub fn fresh(&self, signed_in: &SignedIn) -> Result<(), PasskeyError> {
        let until: Timestamp = signed_in.auth_time.plus_secs(FRESH_SECONDS);
        if self.clock.now() < until { Ok(()) } else { Err(PasskeyError::NotFresh) }
    }

    fn ours(&self, challenge: &[u8], signed_in: &SignedIn) -> Result<(), PasskeyError> {
        let refused = PasskeyError::Refused("challenge");
        let Some((head, proof)) = challenge.split_at_checked(24) else { return Err(refused) };
        let Some((made, _)) = head.split_first_chunk::<8>() else { return Err(refused) };
        if self.mac.verify(&parts(head, signed_in), proof).is_err() {
            return Err(refused);
        }
        let (made, now) = (i64::from_be_bytes(*made), self.clock.now().secs());
        if now < made || now - made > CHALLENGE_SECONDS { Err(refused) } else { Ok(()) }
    }

    fn proof(&self, head: &[u8], signed_in: &SignedIn) -> [u8; 32] {
        self.mac.mac(&parts(head, signed_in))
    }
}

fn parts<'p>(head: &'p [u8], signed_in: &'p SignedIn) -> [&'p [u8]; 3] {
    [b"passkey challenge", &signed_in.session, head]
}
