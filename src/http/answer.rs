//! Responses. Nothing is ever to be stored by a cache.

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};

use crate::fhir::{Code, outcome};
use crate::identity::Unauthenticated;

/// The media type of FHIR's JSON.
pub const FHIR_JSON: &str = "application/fhir+json";

fn plain(status: StatusCode, media: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A FHIR answer.
pub fn fhir(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    plain(status, FHIR_JSON, body.into())
}

/// A refusal outside FHIR, as problem+json (RFC 9457) or any other JSON.
pub fn problem(status: StatusCode, media: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    plain(status, media, body.into())
}

/// The answer to missing, wrong, expired or replayed credentials (security, answer T): in the words of RFC 6750 §3 and
/// RFC 9449 §7.1, which tell token from proof; what was wrong with either is not said.
#[must_use]
pub fn unauthorized(why: &Unauthenticated) -> Response<Body> {
    let Some(challenge) = challenge(why) else {
        let mut response = fhir(StatusCode::SERVICE_UNAVAILABLE, outcome::of_one(Code::Transient, "try again later"));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return response;
    };
    tracing::debug!(%why, "not authenticated");
    let mut response = fhir(StatusCode::UNAUTHORIZED, outcome::of_one(Code::Login, "authentication is needed"));
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// How to come back with better credentials; `None` when that would not help.
#[must_use]
pub fn challenge(why: &Unauthenticated) -> Option<HeaderValue> {
    let text = match why {
        Unauthenticated::Unavailable(_) => return None,
        Unauthenticated::Nobody => "Bearer, DPoP algs=\"ES256 EdDSA\"",
        Unauthenticated::Refused(_) => {
            "Bearer error=\"invalid_token\", DPoP error=\"invalid_token\", algs=\"ES256 EdDSA\""
        }
        Unauthenticated::Unproved(_) => "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA\"",
        Unauthenticated::Stale => "DPoP error=\"use_dpop_nonce\", algs=\"ES256 EdDSA\"",
    };
    Some(HeaderValue::from_static(text))
}
