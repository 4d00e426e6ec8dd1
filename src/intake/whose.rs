//! Whose it is: every subject must be the one patient.

use std::collections::BTreeSet;

use super::Rejected;
use crate::fhir::{Bundle, Subject, bundle, subject_resolved};
use crate::id::PatientId;
use crate::identity::Identifier;
use crate::json::{Node, Value};
use crate::model::RecordKey;

/// The most identifiers of a Patient that are looked up.
const MOST: usize = 32;

/// The one patient, as the text names them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Whose {
    /// The part that is the Patient resource.
    pub(super) part: Option<usize>,
    /// Its identifiers, those with system and value.
    pub identifiers: Vec<Identifier>,
    /// The patients that are named by our own ids, as subjects or as owners of records referred to.
    pub named: BTreeSet<PatientId>,
}

/// What stands around a resource.
pub(super) struct Around<'b, 'n, 'a> {
    /// Our FHIR base URL.
    pub(super) base_url: &'b str,
    /// The Bundle and the entry it came in.
    pub(super) within: Option<(&'b Bundle<'n, 'a>, &'b bundle::Entry<'n, 'a>)>,
}

impl Around<'_, '_, '_> {
    fn entry(&self) -> Option<usize> {
        self.within.map(|(_, entry)| entry.index)
    }

    fn type_of(&self, reference: &str) -> Option<String> {
        let (bundle, entry) = self.within?;
        bundle.resolve(reference, entry)?.type_name().map(str::to_owned)
    }
}

impl Whose {
    /// Takes in whom `node`, the part at `place`, is about.
    ///
    /// # Errors
    /// [`Rejected`] when that is another patient than before, several, or cannot be told.
    pub(super) fn add(&mut self, place: usize, node: &Node<'_>, around: &Around<'_, '_, '_>) -> Result<(), Rejected> {
        let entry = around.entry();
        match subject_resolved(node, &|r| around.type_of(r)).map_err(|why| Rejected::Subject { entry, why })? {
            Subject::Itself => {
                if self.part.replace(place).is_some() {
                    return Err(Rejected::SeveralPatients);
                }
                self.identifiers = identifiers(node, entry)?;
            }
            // Whether such an entry is the one Patient is settled by there being only one.
            Subject::Of(text) if around.type_of(text).as_deref() == Some("Patient") => {}
            Subject::Of(text) => {
                let key = ours(text, around.base_url).filter(|(kind, key)| *kind == "Patient" && key.is_patient());
                self.named.insert(key.ok_or(Rejected::OtherPatient)?.1.patient);
            }
            Subject::Nobody => {}
        }
        self.references(node, around);
        Ok(())
    }

    /// Another patient's records are not for this record to point at (security F20); people may be named.
    fn references(&mut self, node: &Node<'_>, around: &Around<'_, '_, '_>) {
        match &node.value {
            Value::Object(members) => {
                for member in members {
                    let text = if member.name == "reference" { member.node.as_str() } else { None };
                    let other = text.filter(|t| around.type_of(t).is_none()).and_then(|t| ours(t, around.base_url));
                    self.named.extend(other.filter(|(_, key)| !key.is_patient()).map(|(_, key)| key.patient));
                    self.references(&member.node, around);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.references(item, around)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Whether nothing in it names anyone but `patient`.
    ///
    /// # Errors
    /// [`Rejected::OtherPatient`].
    pub(super) fn is(&self, patient: PatientId) -> Result<(), Rejected> {
        if self.named.iter().all(|named| *named == patient) { Ok(()) } else { Err(Rejected::OtherPatient) }
    }
}

/// Type and key of a reference that has the form of ours, relative or below our base.
fn ours<'t>(reference: &'t str, base_url: &str) -> Option<(&'t str, RecordKey)> {
    let below = reference.strip_prefix(base_url).and_then(|rest| rest.strip_prefix('/'));
    let plain = below.unwrap_or(reference);
    let plain = plain.split_once("/_history/").map_or(plain, |(before, _)| before);
    let plain = plain.split_once('#').map_or(plain, |(before, _)| before);
    let (kind, id) = plain.split_once('/')?;
    Some((kind, id.parse().ok()?))
}

fn identifiers(patient: &Node<'_>, entry: Option<usize>) -> Result<Vec<Identifier>, Rejected> {
    let all = patient.get("identifier").map_or(&[][..], Node::items).iter();
    // Without its system a value may be anyone's: two people would become one.
    let whole = |node: &Node<'_>| {
        let text = |name| node.text_of(name).filter(|t| !t.is_empty()).map(str::to_owned);
        Some(Identifier { system: text("system")?, value: text("value")? })
    };
    let mut found: Vec<Identifier> = Vec::new();
    for identifier in all.filter_map(whole) {
        if !found.contains(&identifier) {
            found.push(identifier);
        }
    }
    if found.len() > MOST {
        return Err(Rejected::NotSupported { entry, what: "a Patient may have at most 32 identifiers" });
    }
    Ok(found)
}
