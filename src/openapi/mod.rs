//! What is told of everything that is served and is not FHIR: an OpenAPI 3.1 document, and a page made from it.
//!
//! Lives here: `/openapi.json` and `/docs` ([`told_beside`]), written from the very routes that are served.
//! May touch: `http`, `axum`, `askama` (templates/docs).
//! Must never: tell of a route that is not served; load anything from elsewhere.

mod document;
mod page;
mod view;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::Value;

use crate::http::{Routes, get, problem};

/// The document, in both forms in which it is given.
struct Written {
    tree: Value,
    text: String,
}

/// `routes`, and beside them the document that tells of them and of itself; `base` is where they are served, `stops` are
/// the paths at which nobody is ever turned away.
#[must_use]
pub fn told_beside(routes: Routes, base: &str, stops: &[&str]) -> Routes {
    let own = Routes::new(include_str!("told.json"))
        .route("/openapi.json", get("readDocument", json))
        .route("/docs", get("readDocs", page::show))
        .route("/docs/style.css", get("docsStyle", page::style));
    let (ours, theirs) = (own.told(), routes.told());
    let tree = document::written(&[theirs.0, ours.0].concat(), &[theirs.1, ours.1].concat(), base, stops);
    let text = tree.to_string();
    routes.merge(own.with_state(Arc::new(Written { tree, text })))
}

async fn json(State(written): State<Arc<Written>>) -> Response<Body> {
    problem(StatusCode::OK, "application/json", written.text.clone())
}
