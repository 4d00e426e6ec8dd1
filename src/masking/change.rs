//! The deeds: look at the codes of a record, set or lift one.

use super::gather::Open;
use super::{Masking, Unmasked};
use crate::ledger::entry::Basis;
use crate::ledger::{Act, Placed, Refusal, Unplaced, Unrecorded};
use crate::model::{Bearer, RecordFacts, RecordKey, Visibility};
use crate::store::turn::Write;
use crate::vault::Place;

/// The codes of a record after the deed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Masked {
    /// Sorted.
    pub codes: Vec<Visibility>,
    /// The leaf under which the deed stands; `None` when there was nothing to do.
    pub leaf: Option<u64>,
}

impl Masking {
    /// The codes of a record; on record like a read, for they say something about it.
    ///
    /// # Errors
    /// [`Unmasked`].
    pub async fn codes(&self, bearer: &Bearer, resource_type: &str, key: RecordKey) -> Result<Masked, Unmasked> {
        let Open { permit, asked, keys, about, facts, .. } =
            self.gather(bearer, resource_type, key, "visibility").await?;
        let footing = asked.footing(&permit);
        let receipt = self.ledger.disclose(&permit, about, &keys, footing).await.map_err(Unmasked::unavailable)?;
        let receipt = receipt.ok_or(Unmasked::Hidden)?;
        Ok(Masked { codes: facts.at(self.clock.now()).visibility, leaf: Some(receipt.leaf()) })
    }

    /// Sets (`adds`) or lifts that one code and leaves every other label as it is (FR-14). It holds from the next read
    /// on, for every version of the record.
    ///
    /// # Errors
    /// [`Unmasked`]; nothing changed then.
    pub async fn change(
        &self,
        bearer: &Bearer,
        resource_type: &str,
        key: RecordKey,
        code: Visibility,
        adds: bool,
    ) -> Result<Masked, Unmasked> {
        let route = if adds { "visibility/add" } else { "visibility/remove" };
        let mut open = self.gather(bearer, resource_type, key, route).await?;
        let facts = open.facts.clone().at(self.clock.now());
        let who = (&open.asked.actor, open.asked.standing());
        if let Err(reason) = self.engine.may_mask(who, &facts, code, adds) {
            let refusal = Refusal {
                deed: open.permit.deed(),
                reason: reason.code(),
                purpose: Some(open.permit.purpose()),
                policy: Some(*open.permit.policy()),
            };
            return Err(self.refuse(refusal, open.about, Some(&open.keys)).await);
        }
        if facts.visibility.contains(&code) == adds {
            return Ok(Masked { codes: facts.visibility, leaf: None });
        }
        open.about.reason = Some(code.code().to_owned());
        let facts = changed(facts, code, adds);
        let codes = facts.visibility.clone();
        let leaf = self.write(open, &facts).await?;
        Ok(Masked { codes, leaf: Some(leaf) })
    }

    async fn write(&self, open: Open, facts: &RecordFacts) -> Result<u64, Unmasked> {
        let Open { permit, asked, keys, about, sealed, .. } = open;
        let place = Place::facts(facts.key, facts.version);
        let now = self.sealer.seal(&keys, &place, &facts.to_bytes()).map_err(Unmasked::unavailable)?;
        let prepared = self.ledger.prepare(permit.deed(), Act::Mask, about, Some(&keys)).await;
        let mut deed = prepared.map_err(Unmasked::unavailable)?;
        deed.ground = permit.ground().into();
        deed.basis = Basis::of(&permit);
        let on = asked.footing(&permit);
        (deed.until, deed.enrolments, deed.asker) = (on.until, on.enrolments, on.asker);
        deed.purpose = Some(permit.purpose());
        deed.policy = Some(*permit.policy());
        deed.records = 1;
        let (key, version) = (facts.key, facts.version);
        // Two changes at once must not undo each other: each replaces exactly what it read.
        deed.writes = vec![Write::Facts { key, version, was: sealed, facts: now }];
        match self.ledger.record(deed).await {
            Ok(Placed::Done { leaf, .. }) => Ok(leaf),
            Ok(Placed::Stale) => Err(Unmasked::Hidden),
            Err(Unrecorded::Unplaced(Unplaced::Taken)) => Err(Unmasked::Conflict),
            Err(error) => Err(Unmasked::unavailable(error)),
        }
    }
}

fn changed(mut facts: RecordFacts, code: Visibility, adds: bool) -> RecordFacts {
    facts.visibility.retain(|c| *c != code);
    if adds {
        facts.visibility.push(code);
        facts.visibility.sort();
    }
    if !facts.visibility.contains(&Visibility::InvisiblePatient) {
        facts.announced = None;
    }
    facts
}
