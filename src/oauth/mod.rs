//! The authorization server's endpoints.
//!
//! Lives here: the endpoints at which people allow software to act for them and software fetches and gives back its
//! tokens, the one page that asks, our public keys, the metadata that tell where all that is.
//! May touch: `identity`, `http`.
//! Must never: name `store`, `vault` or `policy`; say why a client was not believed; redirect to what is not enrolled.

mod authorize;
mod development;
mod form;
mod metadata;
mod page;
mod token;

use std::sync::Arc;

use axum::http::HeaderMap;

use crate::http::{Cookies, Routes, SESSION, get, post};
use crate::identity::{Authorizer, Issuer};

/// What the endpoints need.
pub struct Server {
    /// Makes tokens.
    pub issuer: Arc<Issuer>,
    /// Takes up and answers authorization requests.
    pub authorizer: Arc<Authorizer>,
    /// Whether the development identity provider is served.
    pub development: bool,
}

impl Server {
    /// The cookie of the browser's session, as the pages of sign-in set it.
    fn session(&self, headers: &HeaderMap) -> Option<String> {
        Cookies { secure: !self.development }.read(headers, SESSION)
    }
}

/// The routes, to be served at the root of the issuer.
pub fn router(server: Arc<Server>) -> Routes {
    let mut routes = Routes::new(include_str!("told.json"));
    if server.development {
        routes = routes.route("/development/token", post("developmentToken", development::token));
    }
    routes
        .route("/oauth/authorize", get("authorize", authorize::get).post("authorizeByForm", authorize::post))
        .route("/oauth/answer", post("answerSoftware", authorize::answer))
        .route("/oauth/par", post("pushAuthorizationRequest", authorize::push))
        .route("/oauth/token", post("issueToken", token::token))
        .route("/oauth/introspect", post("introspectToken", token::introspect))
        .route("/oauth/revoke", post("revokeToken", token::revoke))
        .route("/oauth/jwks", get("tokenKeys", metadata::jwks))
        .route("/.well-known/oauth-authorization-server", get("serverMetadata", metadata::server))
        .route("/.well-known/openid-configuration", get("openidMetadata", metadata::server))
        .route("/fhir/.well-known/smart-configuration", get("smartMetadata", metadata::smart))
        .with_state(server)
}
