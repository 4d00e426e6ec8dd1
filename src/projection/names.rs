//! How parties are named in FHIR: a reference by their id, with the public name the register gives.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Projection;
use super::leaf::Leaf;
use super::write::add;
use crate::directory::Party;
use crate::model::Grantee;
use crate::release::Withheld;

/// The public names of parties, by their 16 bytes.
#[derive(Default)]
pub(super) struct Names(HashMap<[u8; 16], Option<String>>);

impl Names {
    pub(super) fn of(&self, id: &[u8; 16]) -> Option<&str> {
        self.0.get(id)?.as_deref()
    }

    /// A reference to a party of this kind.
    pub(super) fn reference(&self, kind: &str, id: &str, bytes: &[u8; 16]) -> Value {
        named(kind, id, self.of(bytes))
    }
}

impl Projection {
    /// Adds the names of all parties that `leaf` speaks of.
    pub(super) async fn learn(&self, names: &mut Names, leaf: &Leaf) -> Result<(), Withheld> {
        let about = &leaf.personal;
        let ids = [
            about.client.map(|id| *id.as_bytes()),
            about.organisation.map(|id| *id.as_bytes()),
            about.professional.map(|id| *id.as_bytes()),
        ];
        for id in ids.into_iter().flatten() {
            if names.0.contains_key(&id) {
                continue;
            }
            let row = self.store.party(&id).await.map_err(Withheld::unavailable)?;
            let party = row.map(|row| self.register.check(&row)).transpose().map_err(Withheld::unavailable)?;
            let name = party.map(|party| match &*party {
                Party::Organisation(place) => place.name.clone(),
                Party::Professional(person) => person.name.clone(),
                Party::Client(client) => client.name.clone(),
            });
            names.0.insert(id, name);
        }
        Ok(())
    }
}

/// The grantee of a consent.
pub(super) fn reference(grantee: &Grantee, name: Option<&str>) -> Value {
    match grantee {
        Grantee::Organisation(id) => named("Organization", &id.to_string(), name),
        Grantee::Professional(id) => named("Practitioner", &id.to_string(), name),
        Grantee::Role(id, profession) => named("PractitionerRole", &format!("{id}.{}", profession.code()), name),
    }
}

fn named(kind: &str, id: &str, name: Option<&str>) -> Value {
    let mut reference = json!({ "reference": format!("{kind}/{id}"), "type": kind });
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        add(&mut reference, "display", name);
    }
    reference
}
