//! Who is enrolled by the guarantor: organisations, professionals, software.
//!
//! Lives here: enrolments as the registry signed them, their verification, the deeds enrol, suspend and look up.
//! May touch: `store`, `ledger`, `vault` (registry key), `proof` (keys), `model`.
//! Must never: open a record; believe a row without its signature.

mod enrol;
mod lookup;
mod party;
mod register;

pub use enrol::{EnrolError, Enrolments};
pub use lookup::{Lookup, LookupError};
pub use party::{BadParty, Client, Organisation, Party, Professional, Profile};
pub use register::{NotEnrolled, Register};
