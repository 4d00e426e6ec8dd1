//! The HTTP server: connections with limits, all doors behind one guard.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::middleware::from_fn_with_state;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use super::House;
use super::demo::{personas, provider};
use crate::config::Doors;
use crate::http::{Cookies, Limits, Nonces, Peer, Routes, Shares, Sound, guard, offer_nonce, share, shut_unless_sound};
use crate::proof::PublicKey;
use crate::{fhir_api, oauth, openapi, pages, signin, web};

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// How long a client may take for its headers (security E06: the usual server waits for ever).
const HEADERS: Duration = Duration::from_secs(10);
/// How long a client may take nothing of its answer.
const SENDING: Duration = Duration::from_secs(30);
/// Routes that end an access: never counted, never turned away.
const STOPS: [&str; 7] = [
    "/acces/{id}/retirer",
    "/api/consents/{id}/revoke",
    "/appareils/{id}/retirer",
    "/login/sessions/end",
    "/logout",
    "/oauth/revoke",
    "/oidc/backchannel-logout",
];
/// How long connections may finish their answer when the server ends.
const FAREWELL: Duration = Duration::from_secs(10);

/// All doors of `house`.
pub fn router(house: &Arc<House>) -> Router {
    let fhir = fhir_api::router(Arc::new(fhir_api::Api {
        door: Arc::clone(&house.door),
        intake: Arc::clone(&house.intake),
        projection: Arc::clone(&house.projection),
        consents: Arc::clone(&house.consents),
        authenticator: Arc::clone(&house.authenticator),
        patients: Arc::clone(&house.patients),
        base_url: house.config.base_url.clone(),
        since: house.clock.now(),
    }));
    let oauth = oauth::router(Arc::new(oauth::Server {
        issuer: Arc::clone(&house.issuer),
        authorizer: Arc::clone(&house.authorizer),
        development: house.config.development,
    }));
    let web = web::router(Arc::new(web::Patients {
        consents: Arc::clone(&house.consents),
        masking: Arc::clone(&house.masking),
        authenticator: Arc::clone(&house.authenticator),
        base_url: house.config.issuer().to_owned(),
    }));
    let watched = Arc::clone(house);
    let sound: Sound = Arc::new(move || watched.is_sound());
    let fhir = fhir.layer(from_fn_with_state(sound, shut_unless_sound));
    let (possession, clock) = (Arc::clone(&house.possession), Arc::clone(&house.clock));
    let nonces: Nonces = Arc::new(move || possession.nonce(clock.now()));
    openapi::told_beside(web.merge(oauth).merge(sign_in(house)), house.config.issuer(), &STOPS)
        .into_router()
        .merge(pages(house))
        .nest("/fhir", fhir)
        .layer(from_fn_with_state(nonces, offer_nonce))
        .layer(from_fn_with_state(shares(house), share))
        .layer(from_fn_with_state(Arc::clone(&house.chance), guard))
}

fn shares(house: &House) -> Arc<Shares> {
    let doors = &house.config.doors;
    let limits = Limits {
        per_second: doors.per_second,
        strangers_per_second: doors.strangers_per_second,
        at_once: doors.at_once,
        bodies: doors.bodies_mib.saturating_mul(1024 * 1024),
        fronts: doors.fronts.clone(),
        stops: &STOPS,
    };
    Arc::new(Shares::new(limits, Arc::clone(&house.authenticator)))
}

fn pages(house: &House) -> Router {
    pages::router(Arc::new(pages::Pages {
        sessions: Arc::clone(&house.sessions),
        consents: Arc::clone(&house.consents),
        projection: Arc::clone(&house.projection),
        passkeys: Arc::clone(&house.passkeys),
        lookup: Arc::clone(&house.lookup),
        door: Arc::clone(&house.door),
        fhir_base: house.config.base_url.clone(),
        cookies: Cookies { secure: !house.config.development },
        base_url: house.config.issuer().to_owned(),
        development: house.config.development,
        clock: Arc::clone(&house.clock),
    }))
}

/// Where people sign in and out; in development, the providers that stand in for those not configured too.
fn sign_in(house: &Arc<House>) -> Routes {
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

fn built_in(house: &Arc<House>) -> Result<Routes, super::demo::Staging> {
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
    /// Connections from one address, at most, and the addresses for which that does not hold.
    each: usize,
    fronts: Vec<IpAddr>,
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
        Ok(listener) => Ok(Listening { listener, router, each: CONNECTIONS, fronts: Vec::new() }),
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

    /// Holds each address to as many connections as the settings say.
    #[must_use]
    pub fn sharing(self, doors: &Doors) -> Self {
        Self { each: doors.connections, fronts: doors.fronts.clone(), ..self }
    }

    /// Serves until `end` turns true, then lets answers finish.
    pub async fn serve(self, end: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        let mut ending = end.clone();
        let crowd = Crowd::default();
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = ending.wait_for(|end| *end) => break,
            };
            match accepted {
                Ok((stream, from)) => {
                    let peer = from.ip().to_canonical();
                    let each = if self.fronts.contains(&peer) { CONNECTIONS } else { self.each };
                    let Some(one) = crowd.join(peer, each) else {
                        tracing::debug!("one address holds as many connections as it may");
                        continue;
                    };
                    let (router, end) = (self.router.clone(), end.clone());
                    connections.spawn(async move {
                        connection(stream, Peer(peer), router, end).await;
                        drop((place, one));
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

/// How many connections each address holds.
#[derive(Clone, Default)]
struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of the connections of an address.
struct One(Crowd, IpAddr);

impl Crowd {
    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more from `address`, unless it has `most` already.
    fn join(&self, address: IpAddr, most: usize) -> Option<One> {
        let mut held = self.held();
        let count = held.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(held);
        Some(One(self.clone(), address))
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let mut held = self.0.held();
        if let Some(count) = held.get_mut(&self.1) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&self.1);
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: Peer, router: Router, mut end: watch::Receiver<bool>) {
    // Small answers must not wait for more to come.
    drop(stream.set_nodelay(true));
    let mut stream = Box::pin(TimeoutStream::new(stream));
    stream.as_mut().set_write_timeout_pinned(Some(SENDING));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
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
