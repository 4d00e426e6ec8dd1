//! The deed: all records in one turn, or none.

use super::{Intake, Prepared, Receipt, Rejected};
use crate::clock::Timestamp;
use crate::id::DeedId;
use crate::ledger::entry::Basis;
use crate::ledger::personal::{Records, Touched};
use crate::ledger::{Act, Footing, Ground, Personal, Placed, Unplaced, Unrecorded};
use crate::model::Purpose;
use crate::store::turn::Write;

/// Why it is allowed.
pub(super) struct Allowed {
    pub(super) ground: Ground,
    pub(super) basis: Vec<Basis>,
    pub(super) on: Footing,
    pub(super) purpose: Option<Purpose>,
    pub(super) policy: Option<[u8; 32]>,
}

impl Allowed {
    /// By the guarantor, who keeps the record.
    pub(super) const GUARANTOR: Self = Self {
        ground: Ground::Guarantor,
        basis: Vec::new(),
        on: Footing { until: Timestamp(i64::MAX), enrolments: Vec::new(), asker: None },
        purpose: None,
        policy: None,
    };
}

impl Intake {
    /// Stores what was prepared, in one turn. A consent that ended meanwhile admits nothing.
    pub(super) async fn admit(
        &self,
        deed: DeedId,
        prepared: Prepared,
        about: Personal,
        allowed: Allowed,
        with: Vec<Write>,
    ) -> Result<Receipt, Rejected> {
        let Prepared { keys, records, facts, entries, at } = prepared;
        let touched: Vec<Touched> =
            facts.iter().map(|f| Touched { record: f.key.record, version: f.version }).collect();
        drop(facts);
        let about = Personal { records: Records::of(&touched), ..about };
        let mut deed =
            self.ledger.prepare(deed, Act::Admit, about, Some(&keys)).await.map_err(Rejected::unavailable)?;
        deed.ground = allowed.ground;
        deed.basis = allowed.basis;
        deed.until = allowed.on.until;
        deed.enrolments = allowed.on.enrolments;
        deed.asker = allowed.on.asker;
        deed.purpose = allowed.purpose;
        deed.policy = allowed.policy;
        deed.records = u32::try_from(touched.len()).unwrap_or(u32::MAX);
        deed.writes = with;
        deed.writes.extend(records.into_iter().map(Write::Record));
        match self.ledger.record(deed).await {
            Ok(Placed::Done { leaf, .. }) => Ok(Receipt { leaf, at, entries }),
            Ok(Placed::Stale) => Err(Rejected::Hidden),
            Err(Unrecorded::Unplaced(Unplaced::Taken)) => Err(Rejected::Conflict),
            Err(error) => Err(Rejected::unavailable(error)),
        }
    }
}
