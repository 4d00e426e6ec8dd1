//! What every request passes before any route: framing that two parsers could read differently is refused, and an
//! unsound log releases nothing.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use axum::middleware::Next;

use super::answer::fhir;
use crate::chance::{self, Chance};
use crate::fhir::{Code, outcome};

/// What the guard needs.
#[derive(Clone)]
pub struct Front {
    /// Whether the log agreed with itself when it was last looked at.
    pub sound: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Chance, for request ids.
    pub chance: Arc<dyn Chance>,
}

/// Refuses ambiguous requests (security §0.5), stops at an unsound log, and names each answer with a request id.
pub async fn guard(State(front): State<Front>, request: Request, next: Next) -> Response<Body> {
    let id = chance::bytes::<8>(&*front.chance).map_or_else(|_| String::new(), hex);
    let mut response = if ambiguous(&request) {
        fhir(StatusCode::BAD_REQUEST, outcome::of_one(Code::Structure, "the request is framed ambiguously"))
    } else if !(front.sound)() {
        tracing::error!(request = %id, "refused: the log is not sound");
        fhir(StatusCode::SERVICE_UNAVAILABLE, outcome::of_one(Code::Exception, "the service has stopped for safety"))
    } else {
        next.run(request).await
    };
    tracing::debug!(request = %id, status = response.status().as_u16(), "answered");
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

fn ambiguous(request: &Request) -> bool {
    let headers = request.headers();
    let several = |name: &HeaderName| headers.get_all(name).iter().count() > 1;
    let hosts = headers.get_all(HOST).iter().count();
    let old = request.version() < Version::HTTP_11;
    request.uri().authority().is_some()
        || hosts > 1
        || (hosts == 0 && !old)
        || several(&CONTENT_LENGTH)
        || several(&TRANSFER_ENCODING)
        || framed_twice(headers)
}

fn framed_twice(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING)
}

fn hex(bytes: [u8; 8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
