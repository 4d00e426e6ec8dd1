//! Believing a consent: the row is an index, the signatures are the proof (DX-02, J38, J39).

use std::sync::Arc;

use super::kept::Kept;
use super::row::{self, ConsentSeal};
use crate::id::{DeviceId, PatientId};
use crate::model::{Device, DeviceKind, Op, Statement};
use crate::proof::statement::{EnrolledKey, Evidence, Kind};
use crate::proof::{Memo, PublicKey, Site, Window, base64url, consent_token, statement};
use crate::recall::Recall;
use crate::store::rows::{ConsentRow, PatientRow};
use crate::vault::{PatientKeys, Place, Reader, RegistryVerifier, RowMac};

/// A consent row that does not prove what it says: integrity alarm, and no access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the consent does not hold: {0}")]
pub struct Unproved(pub &'static str);

/// The keys and names against which consents are checked.
pub struct Checker {
    /// Opens evidence.
    pub reader: Reader,
    /// The key of row MACs.
    pub mac: RowMac,
    /// Verifies enrolments.
    pub registry: RegistryVerifier,
    /// Verifies consent tokens: key id and key.
    pub guarantor: (String, PublicKey),
    /// Our issuer.
    pub issuer: String,
    /// Our FHIR base URL.
    pub audience: String,
    /// Seal of a row that held → the statement its evidence proves. Immutable: whether it is still the current
    /// revision and active is read anew each time, here and in the ledger's turn.
    pub known: Recall<Arc<Statement>>,
}

/// The longest access a statement may give, in seconds; "unlimited" does not exist (CT-05).
pub const LONGEST: i64 = 10 * 366 * 86_400;

impl Checker {
    /// The statement that an active consent row proves.
    ///
    /// # Errors
    /// [`Unproved`] when the row was altered, a signature does not hold, or the parts speak of different things.
    pub fn check(&self, patient: PatientId, row: &ConsentRow, keys: &PatientKeys) -> Result<Arc<Statement>, Unproved> {
        if !ConsentSeal::of(patient, row).holds(&self.mac, &row.seal) {
            return Err(Unproved("row altered"));
        }
        // The seal that just held is a keyed digest of the whole row and its evidence: nothing else bears the same.
        let known: [u8; 32] = row.seal.as_slice().try_into().map_err(|_| Unproved("row altered"))?;
        if let Some(statement) = self.known.get(&known) {
            return Ok(statement);
        }
        let place = Place::evidence(patient, row.consent, row.revision);
        let opened =
            self.reader.open(keys, &place, &row.evidence).map_err(|_| Unproved("evidence sealed otherwise"))?;
        let kept = Kept::parse(&opened).ok_or(Unproved("evidence malformed"))?;
        let statement = Arc::new(self.prove(&kept)?);
        if statement.patient != patient || statement.consent != row.consent || statement.revision != row.revision {
            return Err(Unproved("another consent"));
        }
        self.known.keep(known, Arc::clone(&statement));
        Ok(statement)
    }

    /// Whether a patient's row is as the house wrote it.
    #[must_use]
    pub fn patient_row_holds(&self, row: &PatientRow) -> bool {
        row::patient_row_holds(&self.mac, row)
    }

    /// Verifies every signature in the evidence of a statement that gives or shuts access.
    pub fn prove(&self, kept: &Kept) -> Result<Statement, Unproved> {
        let said = Statement::parse(&kept.statement).map_err(|_| Unproved("statement"))?;
        if said.audience != self.audience {
            return Err(Unproved("another audience"));
        }
        let (device, kind) = self.signed(kept, said.patient)?;
        if matches!(said.op, Op::Grant(_) | Op::Narrow(_)) {
            self.countersigned(kept, &said, device, kind)?;
        }
        Ok(said)
    }

    /// The patient's own signature, by a key that the registry enrolled for this patient.
    fn signed(&self, kept: &Kept, patient: PatientId) -> Result<(DeviceId, &'static str), Unproved> {
        self.registry
            .verify(&kept.enrolment, &kept.enrolment_signature)
            .map_err(|_| Unproved("enrolment signature"))?;
        let device = std::str::from_utf8(&kept.enrolment).ok().and_then(Device::parse).ok_or(Unproved("enrolment"))?;
        if device.patient != patient {
            return Err(Unproved("key of another patient"));
        }
        let evidence = Evidence::parse(&kept.evidence).map_err(|_| Unproved("evidence"))?;
        verify_by(&device, &kept.statement, &evidence)?;
        Ok((device.id, evidence.kind()))
    }

    /// The guarantor's token, saying exactly what the statement says.
    fn countersigned(&self, kept: &Kept, said: &Statement, device: DeviceId, kind: &str) -> Result<(), Unproved> {
        let token = std::str::from_utf8(&kept.token).map_err(|_| Unproved("token"))?;
        let (kid, key) = &self.guarantor;
        // The window is asked again at each use, from the statement; here the token need only be well-formed in
        // time at the moment it was made.
        let begins = match &said.op {
            Op::Grant(terms) | Op::Narrow(terms) => said.issued.max(terms.valid.from),
            Op::Revoke | Op::Exclude(_) | Op::Lift => said.issued,
        };
        let window = Window::of_ours(begins, LONGEST);
        let expected =
            consent_token::Expected { issuer: &self.issuer, audience: &self.audience, window, memo: None::<&Memo> };
        let token = consent_token::verify(token, &expected, |asked| (asked == kid).then_some(*key))
            .map_err(|_| Unproved("token"))?;
        if token.agrees_with(said, &kept.statement, device, kind) {
            Ok(())
        } else {
            Err(Unproved("token says otherwise"))
        }
    }
}

/// Verifies that `device` signed exactly `statement`.
pub(super) fn verify_by(device: &Device, said: &[u8], evidence: &Evidence) -> Result<(), Unproved> {
    let key = PublicKey::from_jwk(device.key.as_bytes()).map_err(|_| Unproved("key"))?;
    let refused = |_| Unproved("patient's signature");
    match &device.kind {
        DeviceKind::Device => {
            let enrolled = EnrolledKey { device: device.id, key, kind: Kind::Device };
            statement::verify(said, evidence, &enrolled, None).map_err(refused)
        }
        DeviceKind::Passkey { credential, rp_id, origins } => {
            let credential = base64url::decode(credential).map_err(|_| Unproved("credential"))?;
            let site = Site { rp_id: rp_id.clone(), origins: origins.clone() };
            // WA-12: a handle, when the authenticator tells one, is the patient's id.
            let handle = Some(device.patient.as_bytes().as_slice());
            let kind = Kind::Passkey { credential: &credential, user_handle: handle, site: &site };
            statement::verify(said, evidence, &EnrolledKey { device: device.id, key, kind }, None).map_err(refused)
        }
    }
}
