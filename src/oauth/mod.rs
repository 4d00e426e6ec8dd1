//! The authorization server's endpoints.
//!
//! Lives here: the token endpoint for enrolled software, our public keys, the metadata that tell where they are.
//! May touch: `identity`, `http`.
//! Must never: name `store`, `vault` or `policy`; say why a client was not believed.

mod development;
mod metadata;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::identity::Issuer;

/// What the endpoints need.
pub struct Server {
    /// Makes tokens.
    pub issuer: Arc<Issuer>,
    /// Whether the development identity provider is served.
    pub development: bool,
}

/// The routes, to be served at the root of the issuer.
pub fn router(server: Arc<Server>) -> Router {
    let development = if server.development {
        Router::new().route("/development/token", post(development::token))
    } else {
        Router::new()
    };
    development
        .route("/oauth/token", post(token::token))
        .route("/oauth/jwks", get(metadata::jwks))
        .route("/.well-known/oauth-authorization-server", get(metadata::server))
        .route("/fhir/.well-known/smart-configuration", get(metadata::smart))
        .with_state(server)
}
