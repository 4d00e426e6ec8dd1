//! Cookies: on the server's own host only, never for scripts, sent with top-level navigation alone.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// The cookie of a session.
pub const SESSION: &str = "session";

/// How cookies are named and set.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    /// Served over TLS: names begin with `__Host-`, so that no sub-domain and no plain HTTP can set them (S02). Only
    /// development on this machine goes without.
    pub secure: bool,
}

impl Cookies {
    /// The full name.
    #[must_use]
    pub fn name(self, name: &str) -> String {
        if self.secure { format!("__Host-garant-{name}") } else { format!("garant-{name}") }
    }

    /// The value of the one cookie of this name; of two none is believed.
    #[must_use]
    pub fn read(self, headers: &HeaderMap, name: &str) -> Option<String> {
        let name = self.name(name);
        let all = headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
        let mut values = all.filter_map(|pair| pair.trim().split_once('=')).filter(|(n, _)| *n == name);
        let (value, second) = (values.next(), values.next());
        value.filter(|_| second.is_none()).map(|(_, value)| value.to_owned())
    }

    /// `Set-Cookie` for a value that lives as long as the browser's session.
    ///
    /// # Errors
    /// When the value cannot stand in a header.
    pub fn set(self, name: &str, value: &str) -> Result<HeaderValue, axum::http::Error> {
        self.header(name, value, "")
    }

    /// `Set-Cookie` that removes the cookie.
    ///
    /// # Errors
    /// When the name cannot stand in a header.
    pub fn remove(self, name: &str) -> Result<HeaderValue, axum::http::Error> {
        self.header(name, "", "; Max-Age=0")
    }

    fn header(self, name: &str, value: &str, more: &str) -> Result<HeaderValue, axum::http::Error> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}", self.name(name));
        Ok(HeaderValue::from_str(&text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_once_and_under_its_full_name_only() {
        let read = |lines: &[&str], secure| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
            }
            Cookies { secure }.read(&headers, SESSION)
        };
        assert_eq!(read(&["a=1; __Host-garant-session=x; b=2"], true).as_deref(), Some("x"));
        assert_eq!(read(&["a=1", "garant-session=y"], false).as_deref(), Some("y"));
        // A sub-domain can set the plain name, and a second one beside ours.
        assert_eq!(read(&["garant-session=x"], true), None);
        assert_eq!(read(&["garant-session=x; garant-session=y"], false), None);
        assert_eq!(read(&["__Host-garant-session=x", "__Host-garant-session=x"], true), None);
        assert_eq!(read(&[], true), None);
    }

    #[test]
    fn production_cookies_bear_every_guard() {
        let text = Cookies { secure: true }.set(SESSION, "v").unwrap();
        assert_eq!(text, "__Host-garant-session=v; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert!(Cookies { secure: false }.set(SESSION, "v\n").is_err());
    }
}
