//! Reading a body: whole, bounded in size and time.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::metered::NoRoom;

/// How long a body may take; a drip is cut off (security E06).
const PATIENCE: Duration = Duration::from_mins(1);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// Longer than is accepted here.
    #[error("the body is longer than is accepted here")]
    Long,
    /// Slower than is accepted.
    #[error("the body took too long")]
    Slow,
    /// It broke off.
    #[error("the body broke off")]
    Broken,
    /// Bodies under way fill what they may together.
    #[error("too many bodies are under way: come again later")]
    Crowded,
}

impl TooMuch {
    /// Its status code.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Long => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Reads at most `limit` bytes.
///
/// # Errors
/// [`TooMuch`].
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, TooMuch> {
    match tokio::time::timeout(PATIENCE, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(TooMuch::Long),
        Ok(Err(error)) if crowded(&*error) => Err(TooMuch::Crowded),
        Ok(Err(_)) => Err(TooMuch::Broken),
        Err(_) => Err(TooMuch::Slow),
    }
}

/// Whether it broke off for want of room; that is said through two layers of errors.
fn crowded(error: &(dyn Error + 'static)) -> bool {
    error.is::<NoRoom>() || error.source().is_some_and(crowded)
}
