//! The clinicians' door: FHIR R4 over HTTP.
//!
//! Lives here: the routes under `/fhir`.
//! May touch: `release`, `projection`, `intake`, `consent` (requests for one), `identity`, `fhir`, `http`.
//! Must never: name `store`, `vault` or `policy`; show anything but what was `Released` or `Shown`.

mod audit;
mod batch;
mod capability;
mod change;
mod consents;
mod deposit;
mod exists;
mod headers;
mod history;
mod negotiate;
mod offered;
mod patch;
mod projected;
mod provenance;
mod read;
mod search;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::middleware::from_fn;
use axum::routing::{get, post};

use crate::clock::Timestamp;
use crate::consent::Consents;
use crate::fhir::{Code, outcome};
use crate::http::{bearer, fhir, unauthorized};
use crate::identity::{Authenticator, Patients};
use crate::intake::Intake;
use crate::model::{Bearer, Interaction};
use crate::projection::Projection;
use crate::release::Door;

/// What the door needs.
pub struct Api {
    /// The one door out.
    pub door: Arc<Door>,
    /// The way in.
    pub intake: Arc<Intake>,
    /// Consents, events and origins, as FHIR.
    pub projection: Arc<Projection>,
    /// Requests for a consent.
    pub consents: Arc<Consents>,
    /// Who asks.
    pub authenticator: Arc<Authenticator>,
    /// Finds patients by identifier.
    pub patients: Arc<Patients>,
    /// The FHIR base URL, without a final slash.
    pub base_url: String,
    /// When this server's capabilities last changed.
    pub since: Timestamp,
}

/// The routes, under `/fhir`.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/metadata", get(capability::metadata))
        .route("/", post(deposit::bundle))
        // Types that the house makes itself. An exact route goes before the general one below, so that what is not
        // listed here is not offered on them, whatever is offered on the others.
        .route("/Consent", get(consents::search).post(consents::ask))
        .route("/Consent/_search", post(consents::search))
        .route("/Consent/{id}", get(consents::read))
        .route("/Consent/{id}/_history/{version}", get(consents::vread))
        .route("/AuditEvent", get(audit::search))
        .route("/AuditEvent/_search", post(audit::search))
        .route("/AuditEvent/{id}", get(audit::read))
        .route("/Provenance", get(provenance::find).post(provenance::create))
        .route("/Provenance/_search", post(provenance::find_posted))
        .route("/Provenance/{id}", get(provenance::read_one))
        .route("/{resource_type}", get(search::search).post(change::create))
        .route("/{resource_type}/{id}", get(read::read).put(change::update).patch(patch::patch).delete(change::delete))
        .route("/{resource_type}/{id}/_history", get(history::history))
        .route("/{resource_type}/{id}/_history/{version}", get(read::vread))
        .route("/_page/{link}", get(search::page))
        .route("/{resource_type}/_search", post(search::search))
        .route("/{resource_type}/{id}/$everything", get(search::everything))
        .route("/{resource_type}/{id}/{within}", get(search::within))
        .route("/{resource_type}/{id}/{within}/_search", post(search::within))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn(negotiate::negotiate))
        .with_state(api)
}

impl Api {
    /// The bearer of a request to the address `uri`, as it was received.
    async fn bearer(&self, headers: &HeaderMap, method: &str, uri: &Uri) -> Result<Bearer, Response<Body>> {
        let url = format!("{}{}", self.base_url, uri.path().strip_prefix("/fhir").unwrap_or_default());
        bearer(&self.authenticator, headers, method, &url).await.map_err(|why| unauthorized(&why))
    }
}

/// Whether any scope of the token speaks of this type and interaction; if none does, that is said aloud, for it
/// tells nothing about any patient (CF-12).
fn in_scope(bearer: &Bearer, interaction: Interaction, resource_type: &str) -> bool {
    bearer.scopes.iter().any(|scope| {
        scope.interactions.has(interaction) && scope.resource_type.as_deref().is_none_or(|t| t == resource_type)
    })
}

/// The name of a resource type as we know it, when it is one.
fn known_type(name: &str) -> Option<&'static str> {
    crate::fhir::resource_types().find(|known| *known == name)
}

/// An answer, or the refusal that is the answer.
type Answer = Result<Response<Body>, Response<Body>>;

async fn unknown() -> Response<Body> {
    fhir(StatusCode::NOT_FOUND, outcome::of_one(Code::NotFound, "not found"))
}

async fn not_allowed() -> Response<Body> {
    fhir(StatusCode::METHOD_NOT_ALLOWED, outcome::of_one(Code::NotSupported, "this interaction is not offered"))
}
