//! What requests pass before any route: framing that two parsers could read differently is refused everywhere, and
//! while the log is unsound the doors that release stay shut. Ending a consent is never held up.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use axum::middleware::Next;

use super::answer::fhir;
use crate::chance::{self, Chance};
use crate::fhir::{Code, outcome};

/// Whether the log agreed with itself when it was last looked at.
pub type Sound = Arc<dyn Fn() -> bool + Send + Sync>;

/// The nonce for proofs of possession that is to be used now.
pub type Nonces = Arc<dyn Fn() -> String + Send + Sync>;

/// Gives whoever sends a proof of possession the nonce for the next one (RFC 9449 §8.2).
pub async fn offer_nonce(State(nonces): State<Nonces>, request: Request, next: Next) -> Response<Body> {
    let proves = request.headers().contains_key("dpop");
    let mut response = next.run(request).await;
    if proves && let Ok(nonce) = HeaderValue::from_str(&nonces()) {
        response.headers_mut().insert(HeaderName::from_static("dpop-nonce"), nonce);
    }
    response
}

/// Shuts a door that releases while the log is not sound.
pub async fn shut_unless_sound(State(sound): State<Sound>, request: Request, next: Next) -> Response<Body> {
    if sound() {
        return next.run(request).await;
    }
    tracing::error!("refused: the log is not sound");
    fhir(StatusCode::SERVICE_UNAVAILABLE, outcome::of_one(Code::Exception, "the service has stopped for safety"))
}

/// Refuses ambiguous requests (security §0.5) and names each answer with a request id.
pub async fn guard(State(chance): State<Arc<dyn Chance>>, request: Request, next: Next) -> Response<Body> {
    let id = chance::bytes::<8>(&*chance).map_or_else(|_| String::new(), hex);
    let mut response = if ambiguous(&request) {
        fhir(StatusCode::BAD_REQUEST, outcome::of_one(Code::Structure, "the request is framed ambiguously"))
    } else if bears_token(request.uri().query().unwrap_or_default()) {
        fhir(
            StatusCode::BAD_REQUEST,
            outcome::of_one(Code::Security, "a token stands in the Authorization header only"),
        )
    } else {
        next.run(request).await
    };
    tracing::debug!(request = %id, status = response.status().as_u16(), "answered");
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

/// Whether a token stands in the address, where every log and history keeps it (RFC 9700 §4.3.2, ITI-72).
fn bears_token(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("access_token"))
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
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |half: u8| DIGITS.get(usize::from(half & 15)).copied().unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(*b)]).collect()
}
