//! The porch that all doors share.
//!
//! Lives here: errors to responses, credentials from headers, cookies, forms that only our own pages may send, pages'
//! headers, routes with the words that tell of them, bodies with limits, what each client may take, strict query strings, and the checks every request passes
//! first.
//! May touch: `identity` (who asks), `fhir` (outcomes), `release` (what is withheld); `axum`.
//! Must never: serve a path of its own; put a reason into a body.

mod answer;
mod body;
mod cookie;
mod forms;
mod front;
mod language;
mod metered;
mod page;
mod pairs;
mod routes;
mod shares;
mod withheld;

pub use answer::{FHIR_JSON, challenge, fhir, problem, unauthorized};
pub use body::{TooMuch, read_body};
pub use cookie::{Cookies, SESSION};
pub use forms::{Fields, form_token, is_own_form};
pub use front::{Nonces, Sound, guard, offer_nonce, shut_unless_sound};
pub use language::english;
pub use page::{page, see_other};
pub use pairs::{BadPairs, Pair, pairs};
pub use routes::{Methods, Routes, Told, get, post};
pub use shares::{Limits, Peer, Shares, share};
pub use withheld::withheld;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::identity::{Authenticator, Credentials, Unauthenticated};
use crate::model::Bearer;

/// The bearer of a request: exactly one `Authorization` header, at most one `DPoP` header, a good token.
///
/// `url` is the public address, from configuration and the path received; the `Host` header has no say (D04).
///
/// # Errors
/// [`Unauthenticated`]: answer with [`unauthorized`], whatever the reason.
pub async fn bearer(
    authenticator: &Authenticator,
    headers: &HeaderMap,
    method: &str,
    url: &str,
) -> Result<Bearer, Unauthenticated> {
    let authorization = only(headers, AUTHORIZATION.as_str())?.ok_or(Unauthenticated::Nobody)?;
    let dpop = only(headers, "dpop").map_err(|_| Unauthenticated::Unproved("proof twice"))?;
    authenticator.authenticate(Credentials { authorization, dpop, method, url }).await
}

/// The value of a header that may occur once.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Unauthenticated> {
    let mut values = headers.get_all(name).iter();
    let value = match values.next() {
        None => return Ok(None),
        Some(value) => value.to_str().map_err(|_| Unauthenticated::Refused("header"))?,
    };
    if values.next().is_some() { Err(Unauthenticated::Refused("header twice")) } else { Ok(Some(value)) }
}
