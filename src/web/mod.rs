//! What patients reach: their consents, the requests for them, and what they hide, as a JSON interface.
//!
//! Lives here: the routes under `/api` ([`router`]), reading of requests and writing of answers.
//! May touch: `consent`, `masking`, `identity`, `json`, `model`, `axum`.
//! Must never: name `store`, `vault` or `policy`; decide; believe a patient's name from anywhere but the token.

mod answer;
mod asked;
mod consents;
mod requests;
mod session;
#[cfg(test)]
mod tests;
mod visibility;

use std::sync::Arc;

use crate::consent::Consents;
use crate::http::{Routes, get, post};
use crate::identity::Authenticator;
use crate::masking::Masking;

/// What the routes need.
pub struct Patients {
    /// The deeds over consents.
    pub consents: Arc<Consents>,
    /// The deeds over visibility codes.
    pub masking: Arc<Masking>,
    /// Checks access tokens.
    pub authenticator: Arc<Authenticator>,
    /// The public base of these routes (`https://garant.example`, nothing after), to which proofs of possession are
    /// bound; never the `Host` header.
    pub base_url: String,
}

/// The routes.
pub fn router(patients: Arc<Patients>) -> Routes {
    Routes::new(include_str!("told.json"))
        .route("/api/consents", get("listConsents", consents::list).post("signConsent", consents::sign))
        .route("/api/consents/prepare", post("prepareConsent", consents::prepare))
        .route("/api/consents/{id}", get("readConsent", consents::one))
        .route("/api/consents/{id}/revoke", post("revokeConsent", consents::revoke))
        .route("/api/preview", post("previewTerms", consents::preview))
        .route("/api/records/{resource_type}/{id}/visibility", get("readVisibility", visibility::codes))
        .route(
            "/api/records/{resource_type}/{id}/visibility/{code}",
            post("setVisibility", visibility::set).delete("liftVisibility", visibility::lift),
        )
        .route("/api/requests", get("listRequests", requests::list).post("requestConsent", requests::ask))
        .route("/api/requests/{id}/decline", post("declineRequest", requests::decline))
        .with_state(patients)
}
