//! Where people sign in and out.
//!
//! Lives here: `/login` and what follows it, `/logout`, the back channel through which providers end sessions, our
//! public keys for them ([`router`]); the few pages these need, French first, without script.
//! May touch: `identity`, `http`, `axum`, `askama` (templates/signin).
//! Must never: name `store`, `vault` or `policy`; change anything on GET; send a browser anywhere but to a local path
//! or a configured provider.

mod language;
mod local;
mod login;
mod logout;
mod pages;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::chance::Chance;
use crate::http::Cookies;
use crate::identity::{Logins, Sessions};

/// What the routes need.
pub struct SignIn {
    /// Signs people in and out.
    pub logins: Arc<Logins>,
    /// Knows who is signed in.
    pub sessions: Arc<Sessions>,
    /// How cookies are set.
    pub cookies: Cookies,
    /// Where our pages are (`https://garant.example`, nothing after), never taken from `Host`.
    pub base_url: String,
    /// Whether the pages must warn that anyone is believed.
    pub development: bool,
    /// Chance, for forms.
    pub chance: Arc<dyn Chance>,
}

/// The routes, to be served at the root of the issuer.
pub fn router(sign_in: Arc<SignIn>) -> Router {
    Router::new()
        .route("/login", get(login::choose))
        .route("/login/start", post(login::start))
        .route("/login/callback", get(login::callback))
        .route("/login/style.css", get(pages::style))
        .route("/login/sessions/end", post(logout::end_session))
        .route("/logout", get(logout::ask).post(logout::leave))
        .route("/oidc/backchannel-logout", post(logout::by_provider))
        .route("/oidc/jwks", get(logout::jwks))
        .with_state(sign_in)
}
