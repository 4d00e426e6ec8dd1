//! Proofs of possession (RFC 9449): verified, fresh by the server's own nonce, each taken once on all nodes.

use crate::clock::Timestamp;
use crate::db::DbError;
use crate::proof::{Refused, Thumbprint, base64url, dpop};
use crate::store::Store;
use crate::vault::NonceMac;

use super::bearer::{Unauthenticated, use_once};

/// How long one nonce is handed out, in seconds; it is taken for as long again.
pub const PERIOD_SECONDS: i64 = 120;

/// Takes proofs of possession, the same for every endpoint.
pub struct Possession {
    /// Proofs used up.
    pub store: Store,
    /// Makes nonces. They are kept nowhere: every node that holds the key gives and takes the same.
    pub mac: NonceMac,
    /// Whether a proof without a nonce is sent back for one.
    pub nonces_demanded: bool,
}

/// A proof that is not taken.
#[derive(Debug)]
pub enum Unproved {
    /// It does not hold, or was used before; a fixed word for the log.
    Refused(&'static str),
    /// It holds, but bears no nonce of ours that is still good (RFC 9449 §8).
    Stale,
    /// Whether it was used before cannot be told now.
    Unavailable(DbError),
}

impl From<Refused> for Unproved {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.reason())
    }
}

impl Possession {
    /// The key that made `proof` for exactly this request. The proof is used up by it.
    ///
    /// # Errors
    /// [`Unproved`]. A proof that is sent back for a nonce is not used up.
    pub async fn prove(&self, proof: &str, expected: &dpop::Expected<'_>) -> Result<Thumbprint, Unproved> {
        let proof = dpop::verify(proof, expected)?;
        let fresh = proof.nonce.as_ref().map_or(!self.nonces_demanded, |nonce| self.is_ours(nonce, expected.now));
        if !fresh {
            return Err(Unproved::Stale);
        }
        let (now, until) = (expected.now, expected.now.plus_secs(dpop::REMEMBER_SECONDS));
        match use_once(&self.store, &format!("dpop {}", proof.key), &proof.id, now, until).await {
            Ok(()) => Ok(proof.key),
            Err(Unauthenticated::Unavailable(error)) => Err(Unproved::Unavailable(error)),
            Err(_) => Err(Unproved::Refused("used before")),
        }
    }

    /// The nonce to be used now: the number of its period and a MAC over it.
    #[must_use]
    pub fn nonce(&self, now: Timestamp) -> String {
        let period = period(now);
        base64url::encode(&[&period.to_be_bytes()[..], &self.mac.mac(period)].concat())
    }

    /// Whether `nonce` was given by us, in this period or the one before; in the next, if another node's clock is
    /// there already.
    fn is_ours(&self, nonce: &str, now: Timestamp) -> bool {
        let Ok(bytes) = base64url::decode(nonce) else { return false };
        let Some((number, mac)) = bytes.split_first_chunk::<8>() else { return false };
        let number = i64::from_be_bytes(*number);
        let taken = period(now) - 1..=period(now.plus_secs(dpop::AHEAD_SECONDS));
        taken.contains(&number) && self.mac.verify(number, mac).is_ok()
    }
}

const fn period(at: Timestamp) -> i64 {
    at.secs().div_euclid(PERIOD_SECONDS)
}
