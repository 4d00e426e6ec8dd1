//! What is withheld, as status codes: one exhaustive match, the only one.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::answer::fhir;
use crate::fhir::{Code, outcome};
use crate::release::Withheld;

/// The answer to a release that did not happen.
///
/// Hidden and absent are the same bytes (FH-65): nothing here depends on which it was.
#[must_use]
pub fn withheld(why: &Withheld) -> Response<Body> {
    match why {
        Withheld::Hidden => fhir(StatusCode::NOT_FOUND, outcome::of_one(Code::NotFound, "not found")),
        Withheld::OutOfScope => {
            let mut response = fhir(
                StatusCode::FORBIDDEN,
                outcome::of_one(Code::Forbidden, "the access token does not cover this type and interaction"),
            );
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"insufficient_scope\""));
            response
        }
        Withheld::BadQuery(text) => fhir(StatusCode::BAD_REQUEST, outcome::of_one(Code::NotSupported, text)),
        Withheld::TooMany => fhir(
            StatusCode::BAD_REQUEST,
            outcome::of_one(Code::TooCostly, "too much would come along: include less, or turn smaller pages"),
        ),
        Withheld::Unavailable(error) => {
            tracing::error!(%error, cause = error.source().map(tracing::field::display), "nothing could be released");
            let mut response =
                fhir(StatusCode::SERVICE_UNAVAILABLE, outcome::of_one(Code::Transient, "try again later"));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    }
}
