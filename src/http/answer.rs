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

/// The one answer to missing, wrong, expired or replayed credentials: no reason is given (security, answer T).
#[must_use]
pub fn unauthorized(why: &Unauthenticated) -> Response<Body> {
    match why {
        Unauthenticated::Unavailable(_) => {
            let mut response =
                fhir(StatusCode::SERVICE_UNAVAILABLE, outcome::of_one(Code::Transient, "try again later"));
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        Unauthenticated::Refused(reason) => {
            tracing::debug!(reason, "not authenticated");
            let mut response = fhir(StatusCode::UNAUTHORIZED, outcome::of_one(Code::Login, "authentication is needed"));
            let schemes: &'static str = if *reason == "no credentials" {
                "Bearer, DPoP algs=\"ES256 EdDSA\""
            } else {
                "Bearer error=\"invalid_token\", DPoP algs=\"ES256 EdDSA\", error=\"invalid_token\""
            };
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(schemes));
            response
        }
    }
}
