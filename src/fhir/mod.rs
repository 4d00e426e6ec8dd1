//! FHIR R4 (4.0.1) wire forms, over the lossless JSON tree.
//!
//! Lives here: the definitions reduced from HL7's, strict validation, byte-exact editing, Bundles, whose a
//! resource is, what a decision may know of it, search values and queries, OperationOutcome.
//! May touch: `model` and the ground.
//! Must never: decide, fetch, keep state, re-serialise a stored resource, or quote content in a message.

mod authored;
pub mod bundle;
pub mod capability;
mod chain;
mod clause;
mod decimal;
mod edit;
mod evaluate;
mod everything;
mod extract;
mod facts;
pub mod history;
mod include;
mod issue;
mod labels;
mod links;
mod matching;
mod moment;
mod narrative;
mod order;
pub mod outcome;
mod parameters;
mod patch;
mod path;
mod primitive;
mod query;
mod resource;
mod schema;
pub mod searchset;
mod stamp;
mod strip;
mod subject;
mod summary;
mod validate;
mod values;
mod view;
mod walk;

#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use chain::{Answers, Step};
pub use edit::{BadEdit, Edit, Splice};
pub use everything::Everything;
pub use extract::extract;
pub use facts::{ContentFacts, FactsError};
pub use include::Include;
pub use issue::{Code, Issue, Severity};
pub use labels::{LabelError, successor};
pub use links::{BadLink, Links};
pub use moment::{date_time, instant};
pub use order::SortKey;
pub use parameters::load;
pub use patch::{BadPatch, Patch};
pub use query::{BadQuery, Handling, Named, Query, Total};
pub use resource::Resource;
pub use schema::resource_types;
pub use stamp::Envelope;
pub use strip::strip;
pub use subject::{Subject, SubjectError, is_in_patient_compartment, subject, subject_resolved};
pub use summary::Summary;
pub use validate::{MOST_ISSUES, validate};
pub use values::{BadValues, SearchValue, SearchValues};
pub use view::View;
