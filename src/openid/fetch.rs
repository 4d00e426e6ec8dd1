//! HTTP to a provider: to the configured origins only, no redirect followed, bounded in size and time (security O16).

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use super::{Unproved, origin};

/// The longest answer that is read; key sets of real providers have a few kilobytes.
const LONGEST: usize = 256 * 1024;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The URL is at none of the configured origins.
    #[error("{0} is at none of the configured origins")]
    Elsewhere(String),
    /// It took too long.
    #[error("no answer in time")]
    Slow,
    /// No connection, or it broke, or the answer was too long.
    #[error("no whole answer")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The client.
pub(super) struct Fetch {
    origins: Vec<String>,
    line: Line,
}

/// With TLS, or in the clear to a provider on this machine (`config` takes that in development only).
enum Line {
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
    Clear(Client<HttpConnector, Full<Bytes>>),
}

impl Fetch {
    pub(super) fn new(origins: Vec<String>) -> Result<Self, Unproved> {
        let line = if origins.iter().all(|o| o.starts_with("http://")) {
            Line::Clear(Client::builder(TokioExecutor::new()).build_http())
        } else {
            let connector = HttpsConnectorBuilder::new()
                .with_native_roots()
                .map_err(|_| Unproved::Settings("this machine trusts no certificate authority (ca-certificates)"))?
                .https_only()
                .enable_http1()
                .build();
            Line::Tls(Client::builder(TokioExecutor::new()).build(connector))
        };
        Ok(Self { origins, line })
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let to = request.uri().to_string();
        if !origin(&to).is_some_and(|o| self.origins.contains(&o)) {
            return Err(FetchError::Elsewhere(to));
        }
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let whole = async {
            let response = match &self.line {
                Line::Tls(client) => client.request(request).await,
                Line::Clear(client) => client.request(request).await,
            };
            let (parts, body) = response.map_err(|e| FetchError::Broken(e.into()))?.into_parts();
            let body = Limited::new(body, LONGEST).collect().await.map_err(FetchError::Broken)?;
            Ok(HttpResponse::from_parts(parts, body.to_bytes().to_vec()))
        };
        tokio::time::timeout(PATIENCE, whole).await.map_err(|_| FetchError::Slow)?
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.fetch(request))
    }
}
