//! What is asked, from the body.

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};

use super::answer::Problem;
use crate::http::read_body;
use crate::json::{self, Limits, Node};

/// The longest body, and the deepest.
const LIMITS: Limits = Limits { bytes: 64 * 1024, depth: 8 };

/// The whole body, when it is JSON by its own word and not too long.
pub(super) async fn body(parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    // A form or plain text can be sent by any page without the browser asking first.
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is to be application/json"));
    }
    read_body(body, LIMITS.bytes).await.map_err(|much| Problem::new(much.status(), much.to_string()))
}

/// The tree of a body.
pub(super) fn tree(body: &[u8]) -> Result<Node<'_>, Problem> {
    json::parse(body, LIMITS).map_err(|e| Problem::new(StatusCode::BAD_REQUEST, e.to_string()))
}

/// That there is no body.
pub(super) async fn empty(body: Body) -> Result<(), Problem> {
    match read_body(body, LIMITS.bytes).await {
        Ok(bytes) if bytes.is_empty() => Ok(()),
        Ok(_) | Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "this takes no body")),
    }
}

/// An id in the path; one that is malformed names nothing.
pub(super) fn id<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(StatusCode::NOT_FOUND, "there is no such consent or request"))
}
