//! `POST /fhir/{type}`, `PUT` and `DELETE /fhir/{type}/{id}`: one record is made, replaced or ended.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, Response, StatusCode, Uri};

use super::deposit::{LONGEST, read, refused};
use super::exists::{IF_NONE_EXIST, malformed};
use super::headers::{self, Back};
use super::{Answer, Api, known_type};
use crate::fhir::outcome;
use crate::fhir::{Code, Issue, Severity};
use crate::http::{fhir, withheld};
use crate::intake::{Became, Receipt, Rejected};
use crate::model::{Bearer, RecordKey};
use crate::release::Withheld;

/// Takes in one resource.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let bearer = api.bearer(&headers, "POST", &uri).await?;
    let resource_type = plain(&name, &uri).map_err(|why| withheld(&why))?;
    let unless = headers::once(&headers, &IF_NONE_EXIST).map_err(|()| refused(&malformed()))?;
    let bytes = read(&headers, body, LONGEST).await?;
    let receipt = api.create(&bearer, resource_type, bytes, unless.as_deref()).await;
    let receipt = receipt.map_err(|rejected| refused(&rejected))?;
    let is_new = receipt.entries.iter().all(|entry| entry.became == Became::Created);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(api.made(&bearer, resource_type, &receipt, (status, headers::preferred(&headers))).await)
}

/// Takes in the next version of one record.
pub(super) async fn update(
    State(api): State<Arc<Api>>,
    Path((name, id)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let bearer = api.bearer(&headers, "PUT", &uri).await?;
    let resource_type = plain(&name, &uri).map_err(|why| withheld(&why))?;
    let if_match = if_match(&headers).map_err(|rejected| refused(&rejected))?;
    let bytes = read(&headers, body, LONGEST).await?;
    let receipt = api.intake.update(&bearer, (resource_type, &id), if_match.as_deref(), bytes).await;
    let receipt = receipt.map_err(|rejected| refused(&rejected))?;
    Ok(api.made(&bearer, resource_type, &receipt, (StatusCode::OK, headers::preferred(&headers))).await)
}

/// Ends one record.
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Path((name, id)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Answer {
    let bearer = api.bearer(&headers, "DELETE", &uri).await?;
    let resource_type = plain(&name, &uri).map_err(|why| withheld(&why))?;
    let if_match = if_match(&headers).map_err(|rejected| refused(&rejected))?;
    let mut response = fhir(StatusCode::NO_CONTENT, "");
    match api.intake.delete(&bearer, (resource_type, &id), if_match.as_deref()).await {
        Ok(receipt) => {
            if let Some(entry) = receipt.entries.first() {
                headers::version(&mut response, entry.version, Some(receipt.at), Some(receipt.leaf));
            }
        }
        // What was deleted before stays deleted (FH-24).
        Err(Rejected::Deleted) => {}
        Err(rejected) => return Err(refused(&rejected)),
    }
    Ok(response)
}

/// The type that an address without parameters names.
pub(super) fn plain(name: &str, uri: &Uri) -> Result<&'static str, Withheld> {
    if uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(Withheld::BadQuery("a change of a record takes no parameters".to_owned()));
    }
    known_type(name).ok_or(Withheld::Hidden)
}

/// The version that a change rests on, as its header says it.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<String>, Rejected> {
    headers::once(headers, &IF_MATCH).map_err(|()| Rejected::NoVersion)
}

impl Api {
    /// The answer to a change that is on record.
    pub(super) async fn made(
        &self,
        bearer: &Bearer,
        resource_type: &'static str,
        receipt: &Receipt,
        (status, wanted): (StatusCode, Option<Back>),
    ) -> Response<Body> {
        let Some(entry) = receipt.entries.first() else { return fhir(status, "") };
        let id = entry.reference.split_once('/').and_then(|(_, id)| id.parse::<RecordKey>().ok());
        let mut response = match (wanted, id) {
            // Content leaves by the one door only: this is a read like any other, refused like any other, and
            // the client then has the headers alone.
            (Some(Back::Representation), Some(key)) => match self.door.read(bearer, resource_type, key).await {
                Ok(released) if released.version() == entry.version => {
                    fhir(status, axum::body::Bytes::from_owner(released))
                }
                Ok(_) | Err(_) => fhir(status, ""),
            },
            (Some(Back::Outcome), _) => fhir(status, done(status)),
            (Some(Back::Minimal | Back::Representation) | None, _) => fhir(status, ""),
        };
        let at = Some(receipt.at).filter(|_| entry.became != Became::Kept);
        headers::version(&mut response, entry.version, at, Some(receipt.leaf));
        headers::location(&mut response, &format!("{}/{}/_history/{}", self.base_url, entry.reference, entry.version));
        response
    }
}

fn done(status: StatusCode) -> String {
    let reason = if status == StatusCode::CREATED { "created" } else { "updated" };
    let code = Code::Informational;
    outcome::of_issues(&[Issue { severity: Severity::Information, code, expression: String::new(), reason }])
}
