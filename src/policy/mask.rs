//! May this actor set or lift a visibility code of this record (FR-14 to FR-21)?

use std::str::FromStr;

use cedar_policy::{Context, Entities, EntityUid, Request, RestrictedExpression as Expr};

use super::engine::Engine;
use super::entities::{self, text};
use super::layer::Erred;
use super::question::Standing;
use super::reason::Reason;
use crate::model::{Actor, RecordFacts, Visibility};

impl Engine {
    /// Whether `actor`, who may read the record, may set (`adds`) or lift that one code of it. `facts` are those that
    /// count now.
    ///
    /// # Errors
    /// The [`Reason`] why not; any error is a refusal.
    pub fn may_mask(
        &self,
        (actor, standing): (&Actor, Standing),
        facts: &RecordFacts,
        code: Visibility,
        adds: bool,
    ) -> Result<(), Reason> {
        match self.judge_mask(actor, standing, facts, (code, adds)) {
            Ok(None) => Ok(()),
            Ok(Some(reason)) => Err(reason),
            Err(Erred) => Err(Reason::PolicyError),
        }
    }

    fn judge_mask(
        &self,
        actor: &Actor,
        standing: Standing,
        facts: &RecordFacts,
        (code, adds): (Visibility, bool),
    ) -> Result<Option<Reason>, Erred> {
        let record = entities::record(&self.names, facts)?;
        let (action, who, base) = match actor {
            Actor::Patient(id) => ("maskOwn", self.names.patient(*id), Entities::empty()),
            Actor::Software(software) => {
                let row = self.matrix.row_of(software);
                let asker = entities::software(&self.names, self.names.row(row), software, standing.holds())?;
                let base = self.rows.get(row).ok_or(Erred)?.clone();
                let base = base.add_entities([asker], Some(&self.schema)).map_err(|_| Erred)?;
                ("mask", self.names.software.clone(), base)
            }
        };
        let all = base.add_entities([record], Some(&self.schema)).map_err(|_| Erred)?;
        let context =
            Context::from_pairs([("code".to_owned(), text(code.code())), ("adds".to_owned(), Expr::new_bool(adds))])
                .map_err(|_| Erred)?;
        let uid = EntityUid::from_str(&format!("Action::\"{action}\"")).map_err(|_| Erred)?;
        let request = Request::new(who, uid, self.names.record.clone(), context, Some(&self.schema));
        self.judge(action, &request.map_err(|_| Erred)?, &all)
    }
}
