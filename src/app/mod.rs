//! Putting the house together.
//!
//! Lives here: [`House`], which opens store, keystore and log and hands each room only its capabilities; the
//! tasks that run beside the requests; the HTTP server.
//! May touch: every room.
//! Must never: contain a deed.

pub mod demo;
mod found;
mod house;
mod rooms;
pub mod serve;
mod telling;

pub use found::{Found, found};
pub use house::{Cannot, Chores, House, Means};

#[cfg(test)]
mod tests;
