//! Founding a house: `garant init`.

use std::sync::Arc;

use super::house::{Cannot, Chores, House, Means};
use crate::ledger::note::Verifier;

/// What is told once, when a house is founded.
pub struct Found {
    /// The open house.
    pub house: Arc<House>,
    /// Its tasks.
    pub chores: Chores,
    /// The log's public key: give it to whoever is to verify the log.
    pub log_key: Verifier,
}

/// Founds a house in the folder that `means` name.
///
/// # Errors
/// [`Cannot`]; nothing that exists is overwritten.
pub async fn found(means: Means) -> Result<Found, Cannot> {
    let (house, chores) = House::found(means).await?;
    let log_key = house.publisher.verifier.clone();
    Ok(Found { house, chores, log_key })
}
