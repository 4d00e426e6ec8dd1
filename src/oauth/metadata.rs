//! Where the endpoints are: RFC 8414 metadata, SMART's own form of it, and the public keys.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Server;
use crate::http::problem;

const JSON: &str = "application/json";

/// The public keys of our access tokens (RFC 7517).
pub(super) async fn jwks(State(server): State<Arc<Server>>) -> Response<Body> {
    problem(StatusCode::OK, JSON, server.issuer.jwks())
}

/// `/.well-known/oauth-authorization-server`.
pub(super) async fn server(State(server): State<Arc<Server>>) -> Response<Body> {
    let issuer = &server.issuer;
    let body = serde_json::json!({
        "issuer": issuer.issuer,
        "token_endpoint": issuer.token_url,
        "jwks_uri": format!("{}/oauth/jwks", issuer.issuer),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
        "response_types_supported": [],
    });
    problem(StatusCode::OK, JSON, body.to_string())
}

/// `/fhir/.well-known/smart-configuration` (SMART App Launch 2.2): backend services only, so far.
pub(super) async fn smart(State(server): State<Arc<Server>>) -> Response<Body> {
    let body = serde_json::json!({
        "token_endpoint": server.issuer.token_url,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA"],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
    });
    problem(StatusCode::OK, JSON, body.to_string())
}
