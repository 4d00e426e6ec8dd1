//! `GET /fhir/{type}/{id}`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, Path, State};
use axum::http::header::{ETAG, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::{Api, in_scope, known_type};
use crate::http::{fhir, withheld};
use crate::model::{Interaction, RecordKey};
use crate::release::Withheld;

/// The header that tells under which leaf a release stands in the log.
pub(super) const LEAF: HeaderName = HeaderName::from_static("garant-log-index");

/// Releases the current version of one record.
pub(super) async fn read(
    State(api): State<Arc<Api>>,
    Path((name, id)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Response<Body> {
    let path = uri.path().strip_prefix("/fhir").unwrap_or_default();
    let bearer = match api.bearer(&headers, method.as_str(), path).await {
        Ok(bearer) => bearer,
        Err(response) => return response,
    };
    // A query string could ask for another form than is given: refused rather than ignored.
    if uri.query().is_some() {
        return withheld(&Withheld::BadQuery("a read takes no parameters".to_owned()));
    }
    let Some(resource_type) = known_type(&name) else { return withheld(&Withheld::Hidden) };
    if !in_scope(&bearer, Interaction::Read, resource_type) {
        return withheld(&Withheld::OutOfScope);
    }
    let Ok(key) = id.parse::<RecordKey>() else { return withheld(&Withheld::Hidden) };
    if key.is_patient() != (resource_type == "Patient") {
        return withheld(&Withheld::Hidden);
    }
    let released = match api.door.read(&bearer, resource_type, key).await {
        Ok(released) => released,
        Err(why) => return withheld(&why),
    };
    let (version, leaf) = (released.version(), released.leaf());
    // The decrypted bytes go out as they are and are wiped when sent.
    let mut response = fhir(StatusCode::OK, Bytes::from_owner(released));
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&format!("W/\"{version}\"")) {
        headers.insert(ETAG, etag);
    }
    headers.insert(LEAF, HeaderValue::from(leaf));
    response
}
