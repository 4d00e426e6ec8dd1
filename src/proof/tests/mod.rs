//! One test for each hole the attack catalogue names, every published vector, every bit, hostile input, and a
//! second implementation's opinion.

mod bits;
mod client;
mod consent;
mod dpop;
pub(in crate::proof) mod forge;
mod holes;
mod hostile;
mod second_opinion;
mod vectors;
mod webauthn;
