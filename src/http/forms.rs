//! Forms that change something: only our own pages may send them (S03).

use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, HeaderName};
use ring::digest::{Context, SHA256};
use subtle::ConstantTimeEq as _;

use super::{TooMuch, pairs, read_body};

const LONGEST_FORM: usize = 32 * 1024;
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The fields of a form, each at most once: a repeat could be read differently by whoever checks and whoever acts.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a query or a form's text; `None` for one that is not well-formed or repeats a name.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let pairs = pairs(text).ok()?;
        let repeated = |i: usize, name: &str| pairs.iter().skip(i + 1).any(|(other, _)| other == name);
        if pairs.iter().enumerate().any(|(i, (name, _))| repeated(i, name)) {
            return None;
        }
        Some(Self(pairs.into_iter().map(|(n, v)| (n.into_owned(), v.into_owned())).collect()))
    }

    /// Reads the body of a form; `None` when it is not one.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub async fn of(headers: &HeaderMap, body: axum::body::Body) -> Result<Option<Self>, TooMuch> {
        let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
            return Ok(None);
        }
        let body = read_body(body, LONGEST_FORM).await?;
        Ok(std::str::from_utf8(&body).ok().and_then(Self::read))
    }

    /// The value called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The value that a page puts into its forms: it follows from a cookie that only this browser has.
#[must_use]
pub fn form_token(cookie: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(b"garant form\0");
    context.update(cookie.as_bytes());
    context.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// Whether a form came from a page of ours in this very browser: `token` belongs to `cookie`, and the browser does
/// not say that another site sent it.
#[must_use]
pub fn is_own_form(headers: &HeaderMap, base_url: &str, cookie: Option<&str>, token: Option<&str>) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or("unreadable"));
    let same_site = match text(&FETCH_SITE) {
        Some(site) => site == "same-origin",
        // Pages of ours send no referrer, and browsers then write `null` for their origin.
        None => text(&ORIGIN).is_none_or(|origin| origin == base_url || origin == "null"),
    };
    let (Some(cookie), Some(token)) = (cookie, token) else { return false };
    same_site && bool::from(form_token(cookie).as_bytes().ct_eq(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_form_of_ours_from_this_browser_is_taken() {
        let own = |headers: &[(&'static str, &'static str)], cookie, token: Option<&str>| {
            let headers = headers.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect();
            is_own_form(&headers, "https://a.example", cookie, token)
        };
        let good = form_token("c");
        assert!(own(&[("sec-fetch-site", "same-origin")], Some("c"), Some(&good)));
        assert!(own(&[("origin", "https://a.example")], Some("c"), Some(&good)));
        assert!(own(&[("origin", "null")], Some("c"), Some(&good)));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(
                !own(&[("sec-fetch-site", site), ("origin", "https://a.example")], Some("c"), Some(&good)),
                "{site}"
            );
        }
        assert!(!own(&[("origin", "https://b.example")], Some("c"), Some(&good)));
        assert!(!own(&[], Some("d"), Some(&good)));
        assert!(!own(&[], Some("c"), Some("")));
        assert!(!own(&[], None, Some(&good)));
        assert!(!own(&[], Some("c"), None));
    }

    #[test]
    fn a_repeated_field_makes_the_form_unreadable() {
        assert_eq!(Fields::read("a=1&b=2").unwrap().get("b"), Some("2"));
        assert!(Fields::read("a=1&b=2&a=1").is_none());
        assert!(Fields::read("a=%ff").is_none());
    }
}
