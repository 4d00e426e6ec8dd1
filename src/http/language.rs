//! In which language a person is spoken to.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::model::Language;

/// The cookie that keeps the choice.
pub const LANGUAGE: &str = "lang";

/// The language asked for now, else the one chosen before, else the browser's first if we write it, else French.
#[must_use]
pub fn language(asked: Option<&str>, chosen: Option<&str>, headers: &HeaderMap) -> Language {
    let first = headers.get(ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let first = first.trim_start().get(..2).map(str::to_ascii_lowercase);
    [asked, chosen, first.as_deref()].into_iter().flatten().find_map(|code| code.parse().ok()).unwrap_or_default()
}

/// Whether to speak English: as the page was asked for, else as the browser's first language says.
#[must_use]
pub fn english(asked: Option<&str>, headers: &HeaderMap) -> bool {
    language(asked, None, headers) == Language::En
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_now_is_heard_before_who_chose_before_and_the_browser() {
        let told = |asked, chosen, browser: &str| {
            let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, browser.parse().unwrap())]);
            language(asked, chosen, &headers)
        };
        assert_eq!(told(Some("en"), Some("fr"), "fr"), Language::En);
        assert_eq!(told(None, Some("en"), "fr"), Language::En);
        assert_eq!(told(None, None, "EN-gb,fr;q=0.5"), Language::En);
        assert_eq!(told(Some("de"), Some("xx"), "de"), Language::Fr);
        assert_eq!(told(None, None, "é"), Language::Fr);
    }
}
