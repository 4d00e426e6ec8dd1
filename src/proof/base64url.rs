//! Base64url with one spelling only: no padding, no blanks, no stray trailing bits (RFC 7515 §2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Refused;

/// Writes `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads `text`, refusing every spelling but the one [`encode`] writes.
pub fn decode(text: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::because("base64url"))
}

/// Reads exactly `N` bytes.
pub fn decode_exact<const N: usize>(text: &str) -> Result<[u8; N], Refused> {
    decode(text)?.try_into().map_err(|_| Refused::because("base64url length"))
}
