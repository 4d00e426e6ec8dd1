//! `GET /fhir/metadata`: what is declared is what works.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Api;
use crate::fhir::capability::{Server, statement};
use crate::fhir::is_in_patient_compartment;
use crate::http::fhir;

/// The CapabilityStatement; the same for everyone, without a token (FH-01).
pub(super) async fn metadata(State(api): State<Arc<Api>>) -> Response<Body> {
    let types: Vec<&'static str> = crate::fhir::resource_types().filter(|t| is_in_patient_compartment(t)).collect();
    let body = statement(&Server {
        base: &api.base_url,
        date: &api.since.to_rfc3339(),
        software: ("Garant", env!("CARGO_PKG_VERSION")),
        types: &types,
        interactions: &["read", "search-type", "create"],
        system_interactions: &["transaction", "batch"],
    });
    fhir(StatusCode::OK, body)
}
