//! The document as a page, for people who read before they write.

use std::sync::Arc;

use askama::Template as _;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode};

use super::Written;
use super::view::Docs;
use crate::http::{english, page, pairs, problem};

/// `GET /docs`
pub(super) async fn show(
    State(written): State<Arc<Written>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let query = query.unwrap_or_default();
    let asked = pairs(&query).unwrap_or_default();
    let asked = asked.iter().find(|(name, _)| name == "lang").map(|(_, value)| value.as_ref());
    match Docs::of(&written.tree, english(asked, &headers)).render() {
        Ok(html) => page(StatusCode::OK, html, &[]),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            page(StatusCode::INTERNAL_SERVER_ERROR, String::new(), &[])
        }
    }
}

/// `GET /docs/style.css`
pub(super) async fn style() -> Response<Body> {
    problem(StatusCode::OK, "text/css; charset=utf-8", include_str!("../../templates/docs/style.css"))
}
