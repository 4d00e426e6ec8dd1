//! The demonstration: five fictitious people with records written by us, and those with whom they may share.
//!
//! Everything here plays the part of what stands outside: patients' devices, professionals' software, their identity providers. It has keys of
//! its own and speaks to the house over HTTP like anybody else; only [`stage`] is done by the guarantor.

pub mod client;
mod keys;
pub mod provider;
mod stage;

pub use keys::{OutsideKey, Proven, proof};
pub use stage::{Cast, Patient, Persona, Professional, Staging, personas, stage};
