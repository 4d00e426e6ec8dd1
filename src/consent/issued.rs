//! Proof that a statement was prepared here: its nonce is a MAC over everything else it says, so nothing need be
//! remembered between preparing and signing, and any node can tell.

use ring::digest::{SHA256, digest};

use super::{ConsentError, Consents};
use crate::model::Statement;
use crate::proof::base64url;
use crate::vault::RowMac;

/// How long a prepared statement may be signed (WA-08).
pub(super) const FRESH_SECONDS: i64 = 300;
/// How far the clock of another node may be ahead when it prepared the statement.
const AHEAD_SECONDS: i64 = 10;

/// The nonce that belongs to everything else in `statement`.
pub(super) fn nonce(mac: &RowMac, statement: &Statement) -> String {
    base64url::encode(&mac.mac(&[b"statement", &bare(statement)]))
}

/// SHA-256 of the text shown, in hexadecimal.
pub(super) fn text_hash(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn bare(statement: &Statement) -> Vec<u8> {
    Statement { nonce: String::new(), ..statement.clone() }.to_bytes()
}

impl Consents {
    /// Whether `statement` was prepared here and may still be signed.
    pub(super) fn fresh(&self, statement: &Statement) -> Result<(), ConsentError> {
        let tag = base64url::decode(&statement.nonce).map_err(|_| ConsentError::NotIssued)?;
        self.mac.verify(&[b"statement", &bare(statement)], &tag).map_err(|_| ConsentError::NotIssued)?;
        let now = self.clock.now();
        if now >= statement.issued.plus_secs(FRESH_SECONDS) || statement.issued > now.plus_secs(AHEAD_SECONDS) {
            return Err(ConsentError::Late);
        }
        // The policies in force when it was shown decide whether it may be made; others would need another look.
        if statement.policy == self.engine.digest_hex() { Ok(()) } else { Err(ConsentError::Changed) }
    }
}
