//! Where people sign in and out.
//!
//! Lives here: `/login` and what follows it, `/logout`, the back channel through which providers end sessions, our
//! public keys for them ([`router`]); the few pages these need, French first, without script.
//! May touch: `identity`, `http`, `axum`, `askama` (templates/signin).
//! Must never: name `store`, `vault` or `policy`; change anything on GET; send a browser anywhere but to a local path
//! or a configured provider.

mod local;
mod login;
mod logout;
mod pages;
mod words;

use std::sync::Arc;

use crate::chance::Chance;
use crate::http::{Cookies, Routes, get, post};
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
pub fn router(sign_in: Arc<SignIn>) -> Routes {
    Routes::new(include_str!("told.json"))
        .route("/login", get("chooseHowToSignIn", login::choose))
        .route("/login/start", post("startSignIn", login::start))
        .route("/login/callback", get("comeBackFromProvider", login::callback))
        .route("/login/style.css", get("signInStyle", pages::style))
        .route("/login/sessions/end", post("endOneSession", logout::end_session))
        .route("/logout", get("askToSignOut", logout::ask).post("signOut", logout::leave))
        .route("/oidc/backchannel-logout", post("signOutByProvider", logout::by_provider))
        .route("/oidc/jwks", get("keysForProviders", logout::jwks))
        .with_state(sign_in)
}
