//! The HTTP server: connections with limits, all doors behind one guard.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::House;
use super::demo::{personas, provider};
use crate::http::{Cookies, Nonces, Sound, guard, offer_nonce, shut_unless_sound};
use crate::proof::PublicKey;
use crate::{fhir_api, oauth, signin, web};

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// How long a client may take for its headers (security E06: the usual server waits for ever).
const HEADERS: Duration = Duration::from_secs(10);
/// How long connections may finish their answer when the server ends.
const FAREWELL: Duration = Duration::from_secs(10);

/// All doors of `house`.
pub fn router(house: &Arc<House>) -> Router {
    let fhir = fhir_api::router(Arc::new(fhir_api::Api {
        door: Arc::clone(&house.door),
        intake: Arc::clone(&house.intake),
        authenticator: Arc::clone(&house.authenticator),
        patients: Arc::clone(&house.patients),
        base_url: house.config.base_url.clone(),
        since: house.clock.now(),
    }));
    let oauth = oauth::router(Arc::new(oauth::Server {
        issuer: Arc::clone(&house.issuer),
        development: house.config.development,
    }));
    let web = web::router(Arc::new(web::Patients {
        consents: Arc::clone(&house.consents),
        authenticator: Arc::clone(&house.authenticator),
        base_url: house.config.issuer().to_owned(),
    }));
    let watched = Arc::clone(house);
    let sound: Sound = Arc::new(move || watched.is_sound());
    let fhir = fhir.layer(from_fn_with_state(sound, shut_unless_sound));
    let (possession, clock) = (Arc::clone(&house.possession), Arc::clone(&house.clock));
    let nonces: Nonces = Arc::new(move || possession.nonce(clock.now()));
    Router::new()
        .merge(oauth)
        .merge(web)
        .merge(sign_in(house))
        .nest("/fhir", fhir)
        .layer(from_fn_with_state(nonces, offer_nonce))
        .layer(from_fn_with_state(Arc::clone(&house.chance), guard))
}

/// Where people sign in and out; in development, the providers that stand in for those not configured too.
fn sign_in(house: &Arc<House>) -> Router {
    let config = &house.config;
    let routes = signin::router(Arc::new(signin::SignIn {
        logins: Arc::clone(&house.logins),
        sessions: Arc::clone(&house.sessions),
        cookies: Cookies { secure: !config.development },
        base_url: config.issuer().to_owned(),
        development: config.development,
        chance: Arc::clone(&house.chance),
    }));
    if !config.development {
        return routes;
    }
    match built_in(house) {
        Ok(built_in) => routes.merge(built_in),
        Err(error) => {
            tracing::error!(%error, "the built-in identity providers are not served");
            routes
        }
    }
}

fn built_in(house: &Arc<House>) -> Result<Router, super::demo::Staging> {
    let configured = &house.config.sign_in;
    let [patients, professionals] = personas()?;
    let mut providers = HashMap::new();
    for (who, known, replaced) in [
        ("patients", patients, configured.patients.is_some()),
        ("professionals", professionals, configured.professionals.is_some()),
    ] {
        if !replaced {
            let key = PublicKey::from_bytes(house.keyring.sign_in_signer().public()).map_err(|_| "not a key")?;
            let clock = Arc::clone(&house.clock);
            providers.insert(who, provider::Provider::new(who, house.config.issuer(), known, key, clock)?);
        }
    }
    Ok(provider::router(Arc::new(providers)))
}

/// A listening server.
pub struct Listening {
    listener: TcpListener,
    router: Router,
}

/// Why nobody can be heard.
#[derive(Debug, thiserror::Error)]
pub enum Deaf {
    /// Somebody else listens there.
    #[error("{0} is in use: stop what listens there, or set another `listen` in garant.toml")]
    InUse(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}")]
    Io(SocketAddr, #[source] io::Error),
}

/// Listens on `address` (port 0: any free one).
///
/// # Errors
/// [`Deaf`].
pub async fn listen(address: SocketAddr, router: Router) -> Result<Listening, Deaf> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Listening { listener, router }),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(Deaf::InUse(address)),
        Err(error) => Err(Deaf::Io(address, error)),
    }
}

impl Listening {
    /// Where it listens.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `end` turns true, then lets answers finish.
    pub async fn serve(self, end: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        let mut ending = end.clone();
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = ending.wait_for(|end| *end) => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (router, end) = (self.router.clone(), end.clone());
                    connections.spawn(async move {
                        connection(stream, router, end).await;
                        drop(place);
                    });
                }
                // Out of file descriptors or the like: wait for some to be given back rather than spin.
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        let all = async { while connections.join_next().await.is_some() {} };
        drop(tokio::time::timeout(FAREWELL, all).await);
    }
}

async fn connection(stream: TcpStream, router: Router, mut end: watch::Receiver<bool>) {
    // Small answers must not wait for more to come.
    drop(stream.set_nodelay(true));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = std::pin::pin!(served);
    tokio::select! {
        done = served.as_mut() => return log_end(done),
        _ = end.wait_for(|end| *end) => {}
    }
    served.as_mut().graceful_shutdown();
    log_end(served.await);
}

fn log_end(done: Result<(), hyper::Error>) {
    if let Err(error) = done {
        tracing::debug!(%error, "a connection ended early");
    }
}
