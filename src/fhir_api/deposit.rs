//! `POST /fhir`: transaction, batch, collection, document.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::headers::LEAF;
use super::{Answer, Api};
use crate::fhir::bundle::response;
use crate::fhir::{Code, outcome};
use crate::http::{fhir, read_body};
use crate::intake::{Deposited, Rejected};

/// The longest Bundle taken over HTTP, in bytes: it is one turn, and whoever ends a consent waits behind it.
pub(super) const LONGEST: usize = 16 * 1024 * 1024;

/// Takes in a Bundle: a transaction whole or not at all.
pub(super) async fn bundle(
    State(api): State<Arc<Api>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let bearer = api.bearer(&headers, "POST", &uri).await?;
    let bytes = read(&headers, body, LONGEST).await?;
    match api.intake.deposit(&bearer, bytes).await.map_err(|rejected| refused(&rejected))? {
        Deposited::Whole(receipt) => {
            let mut entries = String::new();
            receipt.write(&mut entries);
            let mut response = fhir(StatusCode::OK, response("transaction-response", &[entries]));
            response.headers_mut().insert(LEAF, HeaderValue::from(receipt.leaf));
            Ok(response)
        }
        Deposited::Each(tasks) => {
            Ok(fhir(StatusCode::OK, response("batch-response", &api.batch(&bearer, tasks).await)))
        }
    }
}

/// A body of FHIR JSON of at most `longest` bytes.
pub(super) async fn read(headers: &HeaderMap, body: Body, longest: usize) -> Result<Vec<u8>, Response<Body>> {
    let medias = ["application/fhir+json", "application/json"];
    read_as(&medias, "the body must be application/fhir+json", headers, body, longest).await
}

/// A body of one of `medias` of at most `longest` bytes; `text` says which they are.
pub(super) async fn read_as(
    medias: &[&str],
    text: &str,
    headers: &HeaderMap,
    body: Body,
    longest: usize,
) -> Result<Vec<u8>, Response<Body>> {
    let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !medias.contains(&media.split(';').next().map_or("", str::trim)) {
        return Err(fhir(StatusCode::UNSUPPORTED_MEDIA_TYPE, outcome::of_one(Code::NotSupported, text)));
    }
    match read_body(body, longest).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(much) => Err(fhir(much.status(), outcome::of_one(Code::TooLong, &much.to_string()))),
    }
}

pub(super) fn refused(rejected: &Rejected) -> Response<Body> {
    // The status line of a batch entry and that of an answer are one table.
    let code = rejected.status().split(' ').next().and_then(|c| c.parse().ok());
    let status = code.and_then(|c| StatusCode::from_u16(c).ok()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    if let Rejected::Unavailable(error) = rejected {
        tracing::error!(%error, "nothing could be taken in");
    }
    fhir(status, rejected.outcome())
}
