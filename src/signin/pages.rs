//! The pages, each with what it shows as a type.

use askama::Template;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};

use super::words::told;
use crate::http;
use crate::identity::LoginError;

/// The choice between the two ways to sign in.
#[derive(Template)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that the page shows or not")]
#[template(path = "signin/login.html")]
pub(super) struct Choice<'p> {
    pub(super) english: bool,
    pub(super) development: bool,
    pub(super) patients: bool,
    pub(super) professionals: bool,
    /// Whether the field for an invitation is open.
    pub(super) first: bool,
    /// Whether whoever is signed in is to be identified once more.
    pub(super) anew: bool,
    /// The levels of authentication that are asked for, or empty.
    pub(super) acr: &'p str,
    pub(super) token: &'p str,
    pub(super) go_on: &'p str,
}

/// Signed in, and on to where the person was going, by a page of its own: browsers hold the policy of the page that
/// began a chain of redirects against all of it, and a provider's page names no software of ours.
#[derive(Template)]
#[template(path = "signin/on.html")]
pub(super) struct On<'p> {
    pub(super) english: bool,
    pub(super) go_on: &'p str,
}

/// Who is signed in, and where else.
#[derive(Template)]
#[template(path = "signin/account.html")]
pub(super) struct Account<'p> {
    pub(super) english: bool,
    pub(super) name: Option<&'p str>,
    pub(super) token: &'p str,
    pub(super) go_on: &'p str,
    pub(super) sessions: Vec<Line>,
}

/// One session.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) since: String,
    pub(super) seen: String,
    pub(super) this: bool,
}

/// Something happened: what it was, what it means, what to do.
#[derive(Template)]
#[template(path = "signin/said.html")]
pub(super) struct Said {
    pub(super) english: bool,
    pub(super) title: &'static str,
    pub(super) lines: Vec<&'static str>,
    pub(super) href: &'static str,
    pub(super) link: &'static str,
}

/// A page made of `template`; its forms may lead to `origins`.
pub(super) fn show(status: StatusCode, template: &impl Template, origins: &[String]) -> Response<Body> {
    match template.render() {
        Ok(html) => http::page(status, html, origins),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            http::page(StatusCode::INTERNAL_SERVER_ERROR, String::new(), &[])
        }
    }
}

/// The one style sheet.
pub(super) async fn style() -> Response<Body> {
    let mut response = Response::new(Body::from(include_str!("../../templates/signin/style.css")));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What went wrong with a login, in words for the person: what happened, that their record is safe, what to do.
pub(super) fn trouble(error: &LoginError, english: bool) -> Response<Body> {
    tracing::info!(%error, "nobody was signed in");
    if let LoginError::Unavailable(source) = error {
        tracing::error!(%source, "a login could not be finished");
    }
    let told = told(error);
    let [title, what, then] = if english { told.en } else { told.fr };
    let first = matches!(error, LoginError::NotLinked { .. });
    let said = Said {
        english,
        title,
        lines: vec![what, then],
        href: match (first, english) {
            (true, false) => "/login?lang=fr&first=1",
            (true, true) => "/login?lang=en&first=1",
            (false, false) => "/login?lang=fr",
            (false, true) => "/login?lang=en",
        },
        link: if english { "Sign in again" } else { "Se connecter à nouveau" },
    };
    show(told.status, &said, &[])
}
