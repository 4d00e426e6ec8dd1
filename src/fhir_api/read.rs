//! `GET /fhir/{type}/{id}` and `GET /fhir/{type}/{id}/_history/{version}`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, Path, State};
use axum::http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, Response, StatusCode};

use super::{Answer, Api, headers, in_scope, known_type};
use crate::clock::Timestamp;
use crate::http::{fhir, withheld};
use crate::model::{Bearer, Interaction, RecordKey};
use crate::release::{Released, Withheld};

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
    // Asked only now: whether it changed is told to one who may see it, and stands in the log as a release (FH-16).
    if is_known(&headers, &released) {
        return Ok(shown(StatusCode::NOT_MODIFIED, &released, Bytes::new()));
    }
    Ok(whole(released))
}

/// Releases one version of one record.
pub(super) async fn vread(
    State(api): State<Arc<Api>>,
    Path((name, id, version)): Path<(String, String, String)>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let bearer = api.bearer(&headers, method.as_str(), &uri).await?;
    let released = api.vread(&bearer, (&name, &id), &version, uri.query()).await.map_err(|why| withheld(&why))?;
    Ok(whole(released))
}

impl Api {
    pub(super) async fn read(
        &self,
        bearer: &Bearer,
        name: &str,
        id: &str,
        query: Option<&str>,
    ) -> Result<Released, Withheld> {
        let (resource_type, key) = one(bearer, (name, id), query)?;
        self.door.read(bearer, resource_type, key).await
    }

    pub(super) async fn vread(
        &self,
        bearer: &Bearer,
        named: (&str, &str),
        version: &str,
        query: Option<&str>,
    ) -> Result<Released, Withheld> {
        let (resource_type, key) = one(bearer, named, query)?;
        // One spelling per version; another is as absent as a version that never was.
        let number = version.parse::<i64>().ok().filter(|n| *n > 0 && n.to_string() == version);
        self.door.vread(bearer, resource_type, key, number.ok_or(Withheld::Hidden)?).await
    }
}

/// The record that an address without parameters names, when the token speaks of reading its type.
fn one(bearer: &Bearer, (name, id): (&str, &str), query: Option<&str>) -> Result<(&'static str, RecordKey), Withheld> {
    // A query string could ask for another form than is given: refused rather than ignored.
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(Withheld::BadQuery("a read takes no parameters".to_owned()));
    }
    record(bearer, (name, id))
}

/// The record that an address names, when the token speaks of reading its type.
pub(super) fn record(bearer: &Bearer, (name, id): (&str, &str)) -> Result<(&'static str, RecordKey), Withheld> {
    let resource_type = known_type(name).ok_or(Withheld::Hidden)?;
    if !in_scope(bearer, Interaction::Read, resource_type) {
        return Err(Withheld::OutOfScope);
    }
    let key = id.parse::<RecordKey>().map_err(|_| Withheld::Hidden)?;
    if key.is_patient() != (resource_type == "Patient") {
        return Err(Withheld::Hidden);
    }
    Ok((resource_type, key))
}

/// Whether the client says that it has this very version (RFC 9110 §13.1.2, §13.1.3).
pub(super) fn is_known(headers: &HeaderMap, released: &Released) -> bool {
    let own = headers::etag(released.version());
    let mut tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok()).peekable();
    if tags.peek().is_some() {
        let strong = own.trim_start_matches("W/");
        return tags
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| tag == own || tag == strong || tag == "*");
    }
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|v| v.to_str().ok()).and_then(Timestamp::from_http_date);
    // Known to the second only, on both sides.
    since.zip(released.at()).is_some_and(|(since, at)| at.secs() <= since.secs())
}

/// The decrypted bytes go out as they are and are wiped when sent.
fn whole(released: Released) -> Response<Body> {
    let (version, at, leaf) = (released.version(), released.at(), released.leaf());
    let mut response = fhir(StatusCode::OK, Bytes::from_owner(released));
    headers::version(&mut response, version, at, Some(leaf));
    response
}

fn shown(status: StatusCode, released: &Released, body: Bytes) -> Response<Body> {
    let mut response = fhir(status, body);
    headers::version(&mut response, released.version(), released.at(), Some(released.leaf()));
    response
}
