//! `PATCH /fhir/{type}/{id}`: one record is changed in part, by a JSON Patch (FHIR R4 §3.1.0.6).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, StatusCode};

use super::change::{if_match, plain};
use super::deposit::{read_as, refused};
use super::{Answer, Api, headers};
use crate::http::withheld;
use crate::intake::{Receipt, Rejected};
use crate::model::Bearer;
use crate::release::Withheld;

/// The one form of a patch.
const MEDIA: &str = "application/json-patch+json";
/// The longest patch, in bytes: a patch that brings more than this replaces the record.
const LONGEST: usize = 1024 * 1024;

/// Takes in what the patch makes of one record.
pub(super) async fn patch(
    State(api): State<Arc<Api>>,
    Path((name, id)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let bearer = api.bearer(&headers, "PATCH", &uri).await?;
    let resource_type = plain(&name, &uri).map_err(|why| withheld(&why))?;
    let if_match = if_match(&headers).map_err(|rejected| refused(&rejected))?;
    let text = "the body must be application/json-patch+json";
    let bytes = read_as(&[MEDIA], text, &headers, body, LONGEST).await?;
    let receipt = api.patched(&bearer, (resource_type, &id), if_match.as_deref(), &bytes).await;
    let receipt = receipt.map_err(|rejected| refused(&rejected))?;
    Ok(api.made(&bearer, resource_type, &receipt, (StatusCode::OK, headers::preferred(&headers))).await)
}

impl Api {
    /// Opens the record for one who may both change and read it, and takes in what the patch makes of it.
    pub(super) async fn patched(
        &self,
        bearer: &Bearer,
        (resource_type, id): (&'static str, &str),
        if_match: Option<&str>,
        patch: &[u8],
    ) -> Result<Receipt, Rejected> {
        let patching = self.intake.patching(bearer, (resource_type, id), if_match, patch)?;
        let stored = self.door.read_to_patch(bearer, resource_type, patching.key(), patching.version()).await;
        let stored = stored.map_err(unreleased)?.ok_or(Rejected::Stale)?;
        self.intake.patch(bearer, resource_type, patching, stored).await
    }
}

/// What is withheld answers as what is not there.
fn unreleased(why: Withheld) -> Rejected {
    match why {
        Withheld::Unavailable(error) => Rejected::Unavailable(error),
        Withheld::Hidden | Withheld::Gone | Withheld::OutOfScope | Withheld::BadQuery(_) | Withheld::TooMany => {
            Rejected::NotFound
        }
    }
}
