//! `GET /fhir/metadata`: what is declared is what works.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::{Api, offered};
use crate::fhir::capability::{Server, TypeOffer, statement};
use crate::http::fhir;

/// The CapabilityStatement; the same for everyone, without a token (FH-01).
pub(super) async fn metadata(State(api): State<Arc<Api>>) -> Response<Body> {
    let types: Vec<TypeOffer> = crate::fhir::resource_types()
        .filter(|name| offered::is_searched(name))
        .map(|name| TypeOffer { name, interactions: offered::of_type(name).collect() })
        .collect();
    let system: Vec<&'static str> = offered::of_system().collect();
    let body = statement(&Server {
        base: &api.base_url,
        date: &api.since.to_rfc3339(),
        software: ("Garant", env!("CARGO_PKG_VERSION")),
        types: &types,
        traits: offered::TRAITS,
        system_interactions: &system,
    });
    fhir(StatusCode::OK, body)
}
