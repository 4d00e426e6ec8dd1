//! The commands of the `garant` program.
//!
//! Lives here: one file per command: what it takes, what it tells on a terminal.
//! May touch: `app`, `config` and the deeds.
//! Must never: contain logic that a door would have to repeat.

pub mod import;
