//! The words of the house.
//!
//! Lives here: who may ask ([`party`]), what is protected ([`record`], [`label`]), what a patient allows
//! ([`scope`], [`statement`]), as plain types with their algebra; the languages people are spoken to in and the words of
//! their calendar.
//! May touch: the ground (`clock`, `id`, `secret`, `json`).
//! Must never: do input or output, know FHIR's JSON, know SQL.

pub mod actor;
pub mod calendar;
pub mod device;
pub mod enrolled;
pub mod facts;
pub mod fold;
pub mod label;
pub mod language;
pub mod party;
pub mod record;
pub mod rubric;
pub mod scope;
pub mod sealed;
pub mod statement;
pub mod visibility;

pub use actor::{Actor, Bearer, Software, Subject};
pub use device::{Device, DeviceKind};
pub use enrolled::Enrolled;
pub use fold::fold;
pub use label::{Confidentiality, Sensitivity};
pub use language::Language;
pub use party::{Grantee, OrganisationKind, Profession, Purpose};
pub use record::{Coding, Period, RecordClass, RecordFacts, RecordKey};
pub use rubric::Rubric;
pub use scope::{ClinicalScope, Interaction, Interactions};
pub use sealed::Sealed;
pub use statement::{Op, Statement, Terms};
pub use visibility::Visibility;
