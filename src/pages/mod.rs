//! The patient's pages: who sees what, who read what, and the patient's say over both.
//!
//! Lives here: one file per page, with what it shows as a type and what it says in both languages; the frame around
//! them; pictures as numbers for the templates to draw; style, script and fonts.
//! May touch: `consent`, `directory` (whom to give access), `identity`, `projection` (the patient's own history), `release` (their own record), `fhir` (in a few words), `http`, `model`, `askama`
//! (templates/pages), `axum`.
//! Must never: name `store`, `vault` or `policy`; change anything on GET; believe a patient's name from anywhere but
//! the session; write HTML outside a template.

mod access;
mod assets;
mod circle;
mod devices;
mod find;
mod frame;
mod give;
mod history;
mod home;
mod key;
mod line;
mod record;
mod remove;
mod request;
mod requests;
mod sees;
mod sparkline;
mod trouble;
mod visitor;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::clock::Clock;
use crate::consent::Consents;
use crate::directory::Lookup;
use crate::http::Cookies;
use crate::identity::{Passkeys, Sessions};
use crate::projection::Projection;
use crate::release::Door;

/// What the pages need.
pub struct Pages {
    /// Knows who is signed in.
    pub sessions: Arc<Sessions>,
    /// The deeds over consents.
    pub consents: Arc<Consents>,
    /// The patient's own history.
    pub projection: Arc<Projection>,
    /// The keys the patient signs with.
    pub passkeys: Arc<Passkeys>,
    /// Finds whom to give access.
    pub lookup: Arc<Lookup>,
    /// The one door out: the patient reads as anybody does, and it is on record.
    pub door: Arc<Door>,
    /// The FHIR base URL, to which references are relative.
    pub fhir_base: String,
    /// How cookies are set.
    pub cookies: Cookies,
    /// Where the pages are (`https://garant.example`, nothing after), never taken from `Host`.
    pub base_url: String,
    /// Whether the pages must warn that nothing here is real.
    pub development: bool,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
}

/// The routes, to be served at the root of the issuer.
pub fn router(pages: Arc<Pages>) -> Router {
    Router::new()
        .route("/", get(home::page))
        .route("/dossier", get(record::page))
        .route("/dossier/{rubric}", get(record::rubric))
        .route("/acces", get(sees::page))
        .route("/acces/nouveau", get(find::page).post(give::give))
        .route("/acces/nouveau/{grantee}", get(give::choose))
        .route("/acces/nouveau/{grantee}/relire", get(give::read_over))
        .route("/acces/{id}", get(access::page))
        .route("/acces/{id}/retirer", get(remove::page).post(remove::remove))
        .route("/acces/{id}/retire", get(remove::done))
        .route("/historique", get(history::page))
        .route("/demandes", get(requests::page))
        .route("/demandes/{id}", get(request::page))
        .route("/demandes/{id}/refuser", post(requests::decline))
        .route("/appareils", get(devices::page).post(devices::add))
        .route("/appareils/{id}/retirer", post(devices::remove))
        .route("/favicon.ico", get(assets::icon))
        .route("/assets/{name}", get(assets::asset))
        .with_state(pages)
}
