//! Promises of the room, over whole resources.

mod belonging;
mod bundles;
mod corpus;
mod labelling;
mod patching;
mod searching;
mod validity;

use crate::clock::Timestamp;
use crate::json::{Limits, Node, parse};
use crate::model::Confidentiality;

pub(super) fn tree(text: &str) -> Node<'_> {
    parse(text.as_bytes(), Limits::FHIR).unwrap()
}

fn envelope(id: &str) -> super::Envelope<'_> {
    super::Envelope {
        id,
        version: 3,
        last_updated: Timestamp::from_secs(1_790_000_000),
        confidentiality: Confidentiality::N,
        labels: &[],
    }
}
