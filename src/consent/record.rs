//! One revision of a consent, in one turn of the log.

use super::row::ConsentSeal;
use super::{ConsentError, Consents, Kept};
use crate::clock::Timestamp;
use crate::id::{DeedId, PatientId, ProfessionalId, StatementId};
use crate::ledger::{Act, Basis, Change, Enrolment, Ground, Marked, Personal, Placed, Unplaced, Unrecorded};
use crate::model::{Enrolled, Statement};
use crate::store::turn::{NewRevision, Write};
use crate::vault::{PatientKeys, Place};

/// What a statement makes of its consent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Making {
    pub(super) act: Act,
    /// The keyed tag of the grantee.
    pub(super) grantee: [u8; 16],
    /// Whether the consent is over after it.
    pub(super) ends: bool,
    /// Whom it shuts out, or no longer shuts out.
    pub(super) whom: Option<ProfessionalId>,
    /// When making it is over.
    pub(super) until: Timestamp,
}

impl Making {
    const fn state(self) -> &'static str {
        if self.ends { "ended" } else { "active" }
    }
}

impl Consents {
    /// Seals `kept`, writes the revision that `said` makes and its leaf, with `beside` in the same turn.
    ///
    /// `None` when the consent had changed by its turn, or something used once was used before.
    pub(super) async fn record(
        &self,
        said: &Statement,
        making: Making,
        kept: &Kept,
        keys: &PatientKeys,
        beside: Vec<Write>,
    ) -> Result<Option<u64>, ConsentError> {
        let (patient, consent, revision) = (said.patient, said.consent, said.revision);
        let place = Place::evidence(patient, consent, revision);
        let evidence = self.sealer.seal(keys, &place, &kept.to_bytes())?;
        let (state, grantee) = (making.state(), making.grantee);
        let seal = ConsentSeal { patient, consent, revision, state, grantee: &grantee, evidence: &evidence };
        let seal = seal.make(&self.mac).to_vec();
        let statement = said.id;
        let new = NewRevision { patient, consent, revision, state, grantee, seal, statement, evidence };
        let id = DeedId::ordered(&*self.clock, &*self.chance)?;
        let about = about(patient, &format!("consent/{}", making.act));
        let mut deed = self.ledger.prepare(id, making.act, about, Some(keys)).await?;
        deed.ground = Ground::Oneself;
        deed.basis = vec![Basis { consent, revision }];
        deed.change = Some(Change { consent, makes: revision, ends: making.ends });
        deed.until = making.until;
        deed.policy = Some(self.engine.digest());
        let whom = making.whom.map(|professional| self.ledger.shut_out(patient, professional));
        deed.subject = whom.map(|mark| Marked { mark, revision });
        // A removed key whose older row was put back signs nothing: the log knows.
        deed.enrolments = beside.iter().filter_map(|write| self.signer_enrolment(write)).collect();
        deed.writes = beside;
        deed.writes.push(Write::Consent(new));
        match self.ledger.record(deed).await {
            Ok(Placed::Done { leaf, .. }) => Ok(Some(leaf)),
            Ok(Placed::Stale) | Err(Unrecorded::Unplaced(Unplaced::Taken)) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    fn signer_enrolment(&self, write: &Write) -> Option<Enrolment> {
        let Write::Signer { patient, device, .. } = write else { return None };
        Some(self.ledger.enrolment(Enrolled::Device(*patient, *device), Enrolled::ACTIVE))
    }

    pub(super) fn statement_id(&self) -> Result<StatementId, ConsentError> {
        Ok(StatementId::random(&*self.chance)?)
    }
}

/// The personal part of a deed of the patient's own.
pub(super) fn about(patient: PatientId, route: &str) -> Personal {
    Personal { patient: Some(patient), route: route.to_owned(), ..Personal::default() }
}
