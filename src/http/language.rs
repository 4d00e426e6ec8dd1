//! French first, English for whoever asks for it.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

/// Whether to speak English: as the page was asked for, else as the browser's first language says.
#[must_use]
pub fn english(asked: Option<&str>, headers: &HeaderMap) -> bool {
    match asked {
        Some("en") => true,
        Some("fr") => false,
        Some(_) | None => {
            let first = headers.get(ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
            first.trim_start().get(..2).is_some_and(|two| two.eq_ignore_ascii_case("en"))
        }
    }
}
