//! The built-in development identity provider: it believes anyone.
//!
//! Its route exists only when `development = true` in the settings, which `config` takes for plain http on loopback
//! only; a token from it is an ordinary patient's token of five minutes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Server;
use crate::http::{problem, read_body};
use crate::id::{ClientId, PatientId};
use crate::json::{self, Limits};

const JSON: &str = "application/json";
/// The software that stands for the patient's app while there is no real sign-in.
const APP: ClientId = ClientId::from_bytes([0; 16]);

/// `POST /development/token` with `{"patient": ID}`.
pub(super) async fn token(State(server): State<Arc<Server>>, body: Body) -> Response<Body> {
    let wrong = || problem(StatusCode::BAD_REQUEST, JSON, r#"{"error":"invalid_request"}"#);
    let Ok(body) = read_body(body, 1024).await else { return wrong() };
    let Ok(tree) = json::parse(&body, Limits::TOKEN) else { return wrong() };
    let Some(patient) = tree.text_of("patient").and_then(|p| p.parse::<PatientId>().ok()) else { return wrong() };
    tracing::info!("the development identity provider made a token; this must never happen with real data");
    match server.issuer.issue_to_patient(patient, APP) {
        Ok(issued) => {
            let body = serde_json::json!({
                "access_token": issued.token, "token_type": issued.kind, "expires_in": issued.seconds,
                "scope": issued.scope, "patient": patient.to_string(), "development": true,
            });
            problem(StatusCode::OK, JSON, body.to_string())
        }
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, JSON, r#"{"error":"temporarily_unavailable"}"#),
    }
}
