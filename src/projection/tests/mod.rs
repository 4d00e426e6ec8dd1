//! The promises of the projections.

mod consents;
mod events;
mod foreign;
mod origins;

use crate::consent::tests::world::{Me, World};
use crate::fhir::{Query, validate};
use crate::id::PatientId;
use crate::json::{Limits, parse};
use crate::ledger::{Act, Entry};
use crate::model::{Bearer, Purpose, Subject};
use crate::projection::{Page, Shown};

fn own(patient: PatientId) -> Bearer {
    let scopes = vec!["*.rs".parse().unwrap()];
    Bearer { subject: Subject::Patient(patient), purpose: Purpose::Patrqt, scopes, only: None }
}

fn query(world: &World, kind: &str, pairs: &[(&str, &str)]) -> Query {
    let base = &world.house.config.base_url;
    Query::parse(kind, pairs.iter().copied(), base, world.house.clock.now()).unwrap()
}

/// The resource as a tree, valid against the R4 definitions.
fn valid(shown: &Shown) -> serde_json::Value {
    assert_eq!(validate(&parse(shown.text().as_bytes(), Limits::FHIR).unwrap()), [], "{}", shown.text());
    serde_json::from_str(shown.text()).unwrap()
}

fn all(page: &Page) -> Vec<serde_json::Value> {
    page.matches.iter().map(valid).collect()
}

impl World {
    async fn shown(&self, bearer: &Bearer, me: &Me, pairs: &[(&str, &str)]) -> Page {
        self.house.projection.consents(bearer, me.patient, &query(self, "Consent", pairs)).await.unwrap()
    }

    async fn last(&self) -> Entry {
        self.leaves().await.pop().unwrap()
    }

    /// The leaf that showed something, which is the last one and was written before anything was shown.
    async fn disclosed(&self, leaf: Option<u64>) -> Entry {
        let last = self.last().await;
        assert_eq!((Some(last.index), last.act), (leaf, Act::Disclose));
        last
    }
}
