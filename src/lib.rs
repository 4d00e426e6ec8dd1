//! Garant: a patient-controlled health record and consent service.
//!
//! The rooms of the house, from the ground up. `ARCHITECTURE.md` has the map and the walks; the walls
//! test (`tests/walls.rs`) fails when a room names a room or a crate it may not.

// ground
pub mod chance;
pub mod clock;
pub mod db;
pub mod id;
pub mod json;
pub mod recall;
pub mod secret;
// words
pub mod fhir;
pub mod model;
// works: blind to each other
pub mod openid;
pub mod policy;
pub mod proof;
pub mod store;
pub mod vault;
// memory
pub mod ledger;
// deeds
pub mod asking;
pub mod consent;
pub mod directory;
pub mod identity;
pub mod intake;
pub mod masking;
pub mod projection;
pub mod release;
// doors
pub mod fhir_api;
pub mod http;
pub mod oauth;
pub mod openapi;
pub mod signin;
pub mod web;
// roof
pub mod app;
pub mod bench;
pub mod cli;
pub mod config;
