//! Pages for people: never stored, never framed, no script, nothing from elsewhere.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Response, StatusCode};

/// A page. Browsers apply `form-action` to where a form's answer sends them too, so a page whose form leads to an
/// identity provider names that provider's `origins`.
pub fn page(status: StatusCode, html: String, origins: &[String]) -> Response<Body> {
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self'{}",
        origins.iter().map(|origin| format!(" {origin}")).collect::<String>()
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // An origin that cannot stand in a header was never one: the page then has no form that leads anywhere.
    let strict = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; form-action 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(strict));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    guard(response)
}

/// A page of the application: script, style and fonts come from `assets` (an absolute address that ends in a slash) and
/// from nowhere else, so that nothing a person brings to this host can ever run as part of a page.
pub fn app_page(status: StatusCode, html: String, assets: &str) -> Response<Body> {
    let policy = format!(
        "default-src 'none'; script-src {assets}; style-src {assets}; font-src {assets}; img-src {assets} data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = page(status, html, &[]);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Sends the browser elsewhere with GET, whatever it came with (RFC 9700 §4.12: never 307 after a form).
pub fn see_other(location: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match HeaderValue::from_str(location) {
        Ok(location) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, location);
        }
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    guard(response)
}

fn guard(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}
