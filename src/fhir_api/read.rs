//! `GET /fhir/{type}/{id}`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::http::header::{ETAG, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::{Answer, Api, in_scope, known_type};
use crate::http::{fhir, withheld};
use crate::model::{Bearer, Interaction, RecordKey};
use crate::release::{Released, Withheld};

/// The header that tells under which leaf a release stands in the log.
pub(super) const LEAF: HeaderName = HeaderName::from_static("garant-log-index");

/// Releases the current version of one record.
pub(super) async fn read(
    State(api): State<Arc<Api>>,
    Path((name, id)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let bearer = api.bearer(&headers, method.as_str(), &uri).await?;
    let released = api.read(&bearer, &name, &id, uri.query()).await.map_err(|why| withheld(&why))?;
    let (version, leaf) = (released.version(), released.leaf());
    // The decrypted bytes go out as they are and are wiped when sent.
    let mut response = fhir(StatusCode::OK, Bytes::from_owner(released));
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&format!("W/\"{version}\"")) {
        headers.insert(ETAG, etag);
    }
    headers.insert(LEAF, HeaderValue::from(leaf));
    Ok(response)
}

impl Api {
    async fn read(&self, bearer: &Bearer, name: &str, id: &str, query: Option<&str>) -> Result<Released, Withheld> {
        // A query string could ask for another form than is given: refused rather than ignored.
        if query.is_some() {
            return Err(Withheld::BadQuery("a read takes no parameters".to_owned()));
        }
        let resource_type = known_type(name).ok_or(Withheld::Hidden)?;
        if !in_scope(bearer, Interaction::Read, resource_type) {
            return Err(Withheld::OutOfScope);
        }
        let key = id.parse::<RecordKey>().map_err(|_| Withheld::Hidden)?;
        if key.is_patient() != (resource_type == "Patient") {
            return Err(Withheld::Hidden);
        }
        self.door.read(bearer, resource_type, key).await
    }
}
