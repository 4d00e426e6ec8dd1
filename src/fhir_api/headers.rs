//! The headers of FHIR's interactions: versions, moments, preferences (FHIR R4 §3.1.0.1, §3.1.0.5).

use axum::body::Body;
use axum::http::header::{ETAG, HeaderName, LAST_MODIFIED, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Response};

use crate::clock::Timestamp;

/// The header that tells under which leaf a release or a change stands in the log.
pub(super) const LEAF: HeaderName = HeaderName::from_static("garant-log-index");

/// What a client would like to have back from a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Back {
    /// The headers alone.
    Minimal,
    /// The resource as it is now.
    Representation,
    /// What was done.
    Outcome,
}

/// Names the version shown or made: a weak ETag (FH-68: counted per record) and its moment.
pub(super) fn version(response: &mut Response<Body>, version: i64, at: Option<Timestamp>, leaf: Option<u64>) {
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(&etag(version)).ok().map(|etag| (ETAG, etag)));
    let modified = at.and_then(Timestamp::to_http_date).and_then(|date| HeaderValue::from_str(&date).ok());
    headers.extend(modified.map(|date| (LAST_MODIFIED, date)));
    headers.extend(leaf.map(|leaf| (LEAF, HeaderValue::from(leaf))));
}

/// Names the address of a version.
pub(super) fn location(response: &mut Response<Body>, address: &str) {
    response.headers_mut().extend(HeaderValue::from_str(address).ok().map(|place| (LOCATION, place)));
}

/// The weak ETag of a version.
pub(super) fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// The value of a header that may be given once; `Err` when it is given twice or is not text.
pub(super) fn once(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(|text| Some(text.to_owned())).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// `Prefer: return=…` (RFC 7240); what is not known is ignored, as that standard says.
pub(super) fn preferred(headers: &HeaderMap) -> Option<Back> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split([',', ';'])).find_map(|one| match one.trim() {
        "return=minimal" => Some(Back::Minimal),
        "return=representation" => Some(Back::Representation),
        "return=OperationOutcome" => Some(Back::Outcome),
        _ => None,
    })
}
