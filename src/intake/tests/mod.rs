//! Promises of the one door in.

mod changing;
mod depositing;
mod importing;
mod labelling;
mod measuring;
mod refusing;
pub(crate) mod world;
