//! What one client may take of the server, so that there is always something left for the others (P51): requests a
//! second, requests at once, and a part of the memory that all bodies under way may fill together.
//!
//! Whoever shows a token that we made has a share of their own; everybody else shares with their address. Ending an
//! access (a consent, a token, a session) is never counted and never turned away.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::middleware::Next;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::answer::fhir;
use super::metered::{Kept, Metered};
use crate::fhir::{Code, outcome};
use crate::identity::Authenticator;

/// After how many requests those who have not come for long are forgotten.
const TIDY: usize = 4096;

/// The address a connection comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub IpAddr);

/// The limits, from the settings.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests a second of one holder of tokens; twice as many may come at once.
    pub per_second: NonZeroU32,
    /// The same for all from one address who show no token of ours.
    pub strangers_per_second: NonZeroU32,
    /// Requests of one of them that are worked on at the same moment.
    pub at_once: usize,
    /// Bytes that all bodies under way may fill together; one client has a quarter of it.
    pub bodies: usize,
    /// Addresses of our own fronts, whose word on where a request comes from is taken.
    pub fronts: Vec<IpAddr>,
    /// The routes that are never turned away, as the router has them.
    pub stops: &'static [&'static str],
}

/// Whose share something is taken from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Who {
    /// The subject of a token of ours.
    Holder([u8; 16]),
    /// Everybody else from one address.
    Strangers(IpAddr),
}

/// Why a request is turned away, and when to come again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooFast(u64);

/// The shares of all.
pub struct Shares {
    limits: Limits,
    authenticator: Arc<Authenticator>,
    holders: DefaultKeyedRateLimiter<Who>,
    strangers: DefaultKeyedRateLimiter<Who>,
    clock: DefaultClock,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// Requests let in, ever.
    seen: usize,
    bodies: usize,
    by: HashMap<Who, Part>,
}

#[derive(Clone, Copy, Default)]
struct Part {
    requests: usize,
    bodies: usize,
}

impl Shares {
    /// Nothing taken yet.
    #[must_use]
    pub fn new(limits: Limits, authenticator: Arc<Authenticator>) -> Self {
        let rate = |n: NonZeroU32| {
            let quota = Quota::per_second(n).allow_burst(n.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
            DefaultKeyedRateLimiter::hashmap(quota)
        };
        Self {
            holders: rate(limits.per_second),
            strangers: rate(limits.strangers_per_second),
            clock: DefaultClock::default(),
            taken: Mutex::default(),
            limits,
            authenticator,
        }
    }

    fn who(&self, request: &Request) -> Who {
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some(holder) = token.and_then(|token| self.authenticator.holder(token)) {
            return Who::Holder(holder);
        }
        let peer = request.extensions().get::<Peer>().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.0);
        let from = if self.limits.fronts.contains(&peer) { named(request.headers()).unwrap_or(peer) } else { peer };
        Who::Strangers(network(from))
    }

    fn enter(self: &Arc<Self>, who: Who) -> Result<Place, TooFast> {
        let rate = if matches!(who, Who::Holder(_)) { &self.holders } else { &self.strangers };
        rate.check_key(&who).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            TooFast(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1))
        })?;
        let mut taken = self.taken();
        let part = taken.by.entry(who).or_default();
        if part.requests >= self.limits.at_once {
            return Err(TooFast(1));
        }
        part.requests += 1;
        taken.seen = taken.seen.wrapping_add(1);
        let tidy = taken.seen.is_multiple_of(TIDY);
        drop(taken);
        if tidy {
            self.holders.retain_recent();
            self.strangers.retain_recent();
        }
        Ok(Place { shares: Arc::clone(self), who })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being worked on; given back when dropped.
pub(super) struct Place {
    shares: Arc<Shares>,
    who: Who,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        if let Some(part) = taken.by.get_mut(&self.who) {
            part.requests = part.requests.saturating_sub(1);
            // Its bodies are gone: each keeps a place.
            if part.requests == 0 {
                taken.by.remove(&self.who);
            }
        }
    }
}

/// The bytes of one body, held while the request is worked on; given back when dropped.
pub(super) struct Bytes {
    place: Arc<Place>,
    held: AtomicUsize,
}

impl Bytes {
    /// Takes room for `more` bytes; `false` when there is none left.
    pub(super) fn take(&self, more: usize) -> bool {
        let shares = &self.place.shares;
        let mut taken = shares.taken();
        let all = taken.bodies.saturating_add(more);
        let Some(part) = taken.by.get_mut(&self.place.who) else { return false };
        let own = part.bodies.saturating_add(more);
        if all > shares.limits.bodies || own > shares.limits.bodies / 4 {
            return false;
        }
        part.bodies = own;
        taken.bodies = all;
        self.held.fetch_add(more, Ordering::Relaxed);
        true
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        let held = self.held.load(Ordering::Relaxed);
        let mut taken = self.place.shares.taken();
        taken.bodies = taken.bodies.saturating_sub(held);
        if let Some(part) = taken.by.get_mut(&self.place.who) {
            part.bodies = part.bodies.saturating_sub(held);
        }
    }
}

/// Lets a request in if its client's share allows it; its place is given back when the answer was sent.
pub async fn share(State(shares): State<Arc<Shares>>, request: Request, next: Next) -> Response<Body> {
    let route = request.extensions().get::<MatchedPath>();
    if route.is_some_and(|route| shares.limits.stops.contains(&route.as_str())) {
        return next.run(request).await;
    }
    let place = match shares.enter(shares.who(&request)) {
        Ok(place) => Arc::new(place),
        Err(TooFast(seconds)) => return later(Duration::from_secs(seconds)),
    };
    let bytes = Arc::new(Bytes { place: Arc::clone(&place), held: AtomicUsize::new(0) });
    let request = request.map(|body| Body::new(Metered { body, bytes: Arc::clone(&bytes) }));
    let mut response = next.run(request).await;
    drop(bytes);
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    response.map(|body| Body::new(Kept { body, place }))
}

/// The client that a front names: the last of its list is the one that the front itself saw.
fn named(headers: &HeaderMap) -> Option<IpAddr> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next()?.trim().parse().ok()
}

/// Whoever has one IPv6 address usually has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn later(wait: Duration) -> Response<Body> {
    let text = "too many requests: come again later";
    let mut response = fhir(StatusCode::TOO_MANY_REQUESTS, outcome::of_one(Code::Throttled, text));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    response
}
