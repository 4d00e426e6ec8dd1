//! The demonstration: five fictitious people with records written by us, and those with whom they may share.
//!
//! Everything here plays the part of what stands outside: patients' devices, professionals' software. It has keys of
//! its own and speaks to the house over HTTP like anybody else; only [`stage`] is done by the guarantor.

pub mod client;
mod keys;
mod stage;

pub use keys::{OutsideKey, Proven, proof};
pub use stage::{Cast, Patient, Professional, Staging, stage};
