//! `POST /oauth/token` (RFC 6749 §4.4, RFC 7523, RFC 9449).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, PRAGMA};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::Server;
use crate::http::{Pair, pairs, problem, read_body};
use crate::identity::{Refusal, TokenRequest};

const LONGEST_FORM: usize = 32 * 1024;
const JSON: &str = "application/json";

/// Makes an access token for software that proves who it is.
pub(super) async fn token(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let form = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if form.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return error(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let Ok(body) = read_body(body, LONGEST_FORM).await else {
        return error(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let Some(pairs) = std::str::from_utf8(&body).ok().and_then(|text| pairs(text).ok()) else {
        return error(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let mut proofs = headers.get_all("dpop").iter();
    let (first, second) = (proofs.next(), proofs.next());
    let Some(request) = read(&pairs, first.and_then(|v| v.to_str().ok())).filter(|_| second.is_none()) else {
        return error(StatusCode::BAD_REQUEST, "invalid_request");
    };
    match server.issuer.issue(request).await {
        Ok(issued) => {
            let body = serde_json::json!({
                "access_token": issued.token, "token_type": issued.kind,
                "expires_in": issued.seconds, "scope": issued.scope,
            });
            no_cache(problem(StatusCode::OK, JSON, body.to_string()))
        }
        Err(refusal) => {
            tracing::info!(%refusal, "no token");
            let (status, code) = match refusal {
                Refusal::Client(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
                Refusal::Grant => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
                Refusal::Scope => (StatusCode::BAD_REQUEST, "invalid_scope"),
                Refusal::Request(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
                Refusal::Proof(_) => (StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
                Refusal::Stale => (StatusCode::BAD_REQUEST, "use_dpop_nonce"),
                Refusal::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            };
            error(status, code)
        }
    }
}

/// Each parameter at most once: a repeat could be read differently by whoever checks and whoever acts (O03).
fn read<'r>(pairs: &'r [Pair<'r>], dpop: Option<&'r str>) -> Option<TokenRequest<'r>> {
    let mut request = TokenRequest { dpop, ..TokenRequest::default() };
    for (i, (name, value)) in pairs.iter().enumerate() {
        if pairs.iter().skip(i + 1).any(|(other, _)| other == name) {
            return None;
        }
        match name.as_ref() {
            "grant_type" => request.grant_type = value,
            "client_assertion_type" => request.assertion_type = value,
            "client_assertion" => request.assertion = value,
            "client_id" => request.client_id = Some(value),
            "scope" => request.scope = value,
            // RFC 6749 §3.2: parameters that are not known are ignored.
            _ => {}
        }
    }
    Some(request)
}

fn error(status: StatusCode, code: &'static str) -> Response<Body> {
    no_cache(problem(status, JSON, serde_json::json!({ "error": code }).to_string()))
}

fn no_cache(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
