//! `/oauth/token`, `/oauth/introspect`, `/oauth/revoke` (RFC 6749, RFC 7662, RFC 7009).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::PRAGMA;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::Server;
use super::form::{self, Form};
use crate::http::problem;
use crate::identity::Refusal;

const JSON: &str = "application/json";

/// Makes tokens for software that shows what it may have.
pub(super) async fn token(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let Ok(text) = form::text(&headers, body).await else { return malformed() };
    let (Some(form), Ok(dpop)) = (Form::read(&text, ""), form::dpop(&headers)) else { return malformed() };
    match server.authorizer.token(form.token(dpop)).await {
        Ok(issued) => {
            let mut body = serde_json::json!({
                "access_token": issued.token, "token_type": issued.kind,
                "expires_in": issued.seconds, "scope": issued.scope,
            });
            if let Some(body) = body.as_object_mut() {
                let more = [
                    ("refresh_token", issued.refresh),
                    ("id_token", issued.id_token),
                    ("patient", issued.patient.map(|patient| patient.to_string())),
                ];
                body.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
            }
            no_cache(problem(StatusCode::OK, JSON, body.to_string()))
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// Says what a token is, to the software it was made for.
pub(super) async fn introspect(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let Ok(text) = form::text(&headers, body).await else { return malformed() };
    let Some(form) = Form::read(&text, "") else { return malformed() };
    match server.authorizer.introspect(&form.client(), form.get("token")).await {
        Ok(body) => no_cache(problem(StatusCode::OK, JSON, body)),
        Err(refusal) => refuse(&refusal),
    }
}

/// Takes a token back.
pub(super) async fn revoke(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let Ok(text) = form::text(&headers, body).await else { return malformed() };
    let Some(form) = Form::read(&text, "") else { return malformed() };
    match server.authorizer.revoke(&form.client(), form.get("token")).await {
        Ok(()) => no_cache(problem(StatusCode::OK, JSON, "")),
        Err(refusal) => refuse(&refusal),
    }
}

/// The answer to a refusal: a code of the standards, and no reason (RFC 6749 §5.2).
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    tracing::info!(target: "garant::security", %refusal, "no token");
    let (status, code) = match refusal {
        Refusal::Client(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
        Refusal::Grant => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        Refusal::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
        Refusal::Scope => (StatusCode::BAD_REQUEST, "invalid_scope"),
        Refusal::Request(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        Refusal::Pushed(code) => (StatusCode::BAD_REQUEST, *code),
        Refusal::Proof(_) => (StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
        Refusal::Stale => (StatusCode::BAD_REQUEST, "use_dpop_nonce"),
        Refusal::TokenType => (StatusCode::BAD_REQUEST, "unsupported_token_type"),
        Refusal::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
    };
    error(status, code)
}

/// The answer to what is no form, or says something twice.
pub(super) fn malformed() -> Response<Body> {
    error(StatusCode::BAD_REQUEST, "invalid_request")
}

fn error(status: StatusCode, code: &'static str) -> Response<Body> {
    no_cache(problem(status, JSON, serde_json::json!({ "error": code }).to_string()))
}

/// Keeps an answer from caches of the old kind, too (IU-05).
pub(super) fn no_cache(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
