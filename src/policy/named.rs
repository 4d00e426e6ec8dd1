//! May this actor see the consents that name them? (CO-10, EHDS article 8)

use cedar_policy::Entities;

use super::access::{self, Asker};
use super::engine::Engine;
use super::entities;
use super::layer::Erred;
use super::permit::{Admitted, Denial, Permit};
use super::question::{Provision, Question};
use super::reason::Reason;
use crate::id::DeedId;
use crate::model::{Actor, RecordFacts};

impl Engine {
    /// Answers whether consents may be seen. Each record of the question stands for one consent: its id is that of the
    /// consent, its version the revision. A patient sees all of theirs; software sees one only under that consent
    /// itself, and the permit rests on it.
    ///
    /// # Errors
    /// A [`Denial`] with the most telling reason.
    pub fn decide_named(&self, deed: DeedId, q: &Question<'_>) -> Result<Permit, Denial> {
        let Actor::Software(software) = q.actor else { return self.decide(deed, q) };
        let matter = self.matter(deed, q)?;
        let in_force: Vec<&Provision> = q.provisions.iter().filter(|p| p.terms.in_force(q.now)).collect();
        let Question { standing, interaction, exclusions, .. } = *q;
        let asker = Asker { software, standing, interaction, provisions: &in_force, exclusions };
        let Ok(entities) = asker.entities(self) else { return Err(matter.refuse(Reason::PolicyError)) };
        let mut admitted = Vec::with_capacity(q.records.len());
        let mut why = Reason::NoRecord;
        for record in q.records {
            let itself =
                |p: &&&Provision| p.consent.as_bytes() == record.key.record.as_bytes() && p.revision == record.version;
            let Some(provision) = in_force.iter().find(itself) else {
                why = why.max(Reason::NoConsent);
                continue;
            };
            match self.judge_named(&asker, &entities, record, provision) {
                Ok(None) => {
                    let under = Some((provision.consent, provision.revision));
                    admitted.push(Admitted { record: (record.key, record.version), under });
                }
                Ok(Some(reason)) => why = why.max(reason),
                Err(Erred) => why = why.max(Reason::PolicyError),
            }
        }
        if admitted.is_empty() { Err(matter.refuse(why)) } else { Permit::grant(&matter, q.actor, admitted) }
    }

    fn judge_named(
        &self,
        asker: &Asker<'_>,
        entities: &Entities,
        record: &RecordFacts,
        provision: &Provision,
    ) -> Result<Option<Reason>, Erred> {
        let entity = entities::record(&self.names, record)?;
        let all = entities.clone().add_entities([entity], Some(&self.schema)).map_err(|_| Erred)?;
        let scope = provision.terms.scope.first().ok_or(Erred)?;
        let provision = entities::provision(&self.names, provision, scope)?;
        let (software, interaction, exclusions) = (asker.software, asker.interaction, asker.exclusions);
        let context = entities::access_context(software, interaction, record, exclusions, provision)?;
        let request = access::request(self, &self.names.software, &self.names.access_named, context)?;
        self.judge("accessNamed", &request, &all)
    }
}
