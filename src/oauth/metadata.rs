//! Where the endpoints are and what they take: one table, written in the three forms that clients look for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::Server;
use crate::http::problem;

const JSON: &str = "application/json";
/// The algorithms of assertions and proofs that `proof` verifies.
const ALGORITHMS: [&str; 2] = ["ES256", "EdDSA"];

/// In which form a line of the table is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// OpenID Connect Discovery 1.0 and RFC 8414: the same document under two names.
    Server,
    /// SMART App Launch 2.2, under the FHIR base.
    Smart,
}

/// The public keys of our tokens (RFC 7517).
pub(super) async fn jwks(State(server): State<Arc<Server>>) -> Response<Body> {
    problem(StatusCode::OK, JSON, server.issuer.jwks())
}

/// `/.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`.
pub(super) async fn server(State(server): State<Arc<Server>>) -> Response<Body> {
    problem(StatusCode::OK, JSON, written(&server, Form::Server))
}

/// `/fhir/.well-known/smart-configuration`.
pub(super) async fn smart(State(server): State<Arc<Server>>) -> Response<Body> {
    problem(StatusCode::OK, JSON, written(&server, Form::Smart))
}

fn written(server: &Server, form: Form) -> String {
    let told =
        table(&server.issuer.issuer, &server.authorizer.acr).into_iter().filter(|(_, forms, _)| forms.contains(&form));
    Value::Object(told.map(|(name, _, value)| (name.to_owned(), value)).collect()).to_string()
}

/// What is served. `require_pushed_authorization_requests` is not true for all: each client's profile decides.
fn table(issuer: &str, acr: &[String]) -> Vec<(&'static str, &'static [Form], Value)> {
    const BOTH: &[Form] = &[Form::Server, Form::Smart];
    const SERVER: &[Form] = &[Form::Server];
    const SMART: &[Form] = &[Form::Smart];
    let at = |path: &str| json!(format!("{issuer}{path}"));
    vec![
        ("issuer", BOTH, json!(issuer)),
        ("authorization_endpoint", BOTH, at("/oauth/authorize")),
        ("token_endpoint", BOTH, at("/oauth/token")),
        ("jwks_uri", BOTH, at("/oauth/jwks")),
        ("pushed_authorization_request_endpoint", BOTH, at("/oauth/par")),
        ("introspection_endpoint", BOTH, at("/oauth/introspect")),
        ("revocation_endpoint", BOTH, at("/oauth/revoke")),
        ("grant_types_supported", BOTH, json!(["authorization_code", "refresh_token", "client_credentials"])),
        ("response_types_supported", BOTH, json!(["code"])),
        ("response_modes_supported", SERVER, json!(["query"])),
        ("code_challenge_methods_supported", BOTH, json!(["S256"])),
        ("scopes_supported", BOTH, json!(SCOPES)),
        ("token_endpoint_auth_methods_supported", BOTH, json!(["private_key_jwt", "none"])),
        ("token_endpoint_auth_signing_alg_values_supported", BOTH, json!(ALGORITHMS)),
        ("introspection_endpoint_auth_methods_supported", SERVER, json!(["private_key_jwt"])),
        ("introspection_endpoint_auth_signing_alg_values_supported", SERVER, json!(ALGORITHMS)),
        ("revocation_endpoint_auth_methods_supported", SERVER, json!(["private_key_jwt", "none"])),
        ("revocation_endpoint_auth_signing_alg_values_supported", SERVER, json!(ALGORITHMS)),
        ("dpop_signing_alg_values_supported", SERVER, json!(ALGORITHMS)),
        ("authorization_response_iss_parameter_supported", SERVER, json!(true)),
        ("require_pushed_authorization_requests", SERVER, json!(false)),
        ("request_parameter_supported", SERVER, json!(false)),
        ("request_uri_parameter_supported", SERVER, json!(false)),
        ("access_token_format", SERVER, json!("jwt")),
        ("subject_types_supported", SERVER, json!(["public"])),
        ("id_token_signing_alg_values_supported", SERVER, json!(["ES256"])),
        ("backchannel_logout_supported", SERVER, json!(true)),
        ("backchannel_logout_session_supported", SERVER, json!(true)),
        ("acr_values_supported", SERVER, json!(acr)),
        ("prompt_values_supported", SERVER, json!(["none", "login", "consent", "select_account"])),
        ("capabilities", SMART, json!(CAPABILITIES)),
    ]
}

const SCOPES: [&str; 8] = [
    "openid",
    "fhirUser",
    "launch/patient",
    "offline_access",
    "online_access",
    "patient/*.cruds",
    "user/*.cruds",
    "system/*.cruds",
];

const CAPABILITIES: [&str; 11] = [
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v2",
];
