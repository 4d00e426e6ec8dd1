//! The end of sessions: by the person, here or elsewhere, or by their provider.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::SignIn;
use super::local::DEFAULT;
use super::login::{HINT, foreign, put};
use super::pages::{Account, Line, show, trouble};
use crate::http::{Fields, SESSION, english, is_own_form, problem, see_other};
use crate::identity::{Kind, NotEnded, SignedIn, Who};

const JSON: &str = "application/json";

/// The page of whoever is signed in.
pub(super) async fn account(
    sign_in: &SignIn,
    signed_in: &SignedIn,
    token: &str,
    go_on: &str,
    english: bool,
) -> Response<Body> {
    let sessions = match sign_in.sessions.list(signed_in).await {
        Ok(sessions) => sessions,
        Err(error) => return trouble(&error.into(), english),
    };
    let moment = |t: crate::clock::Timestamp| {
        let text = t.to_rfc3339();
        format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
    };
    let line = |s: &crate::identity::Listed| Line {
        id: s.session.iter().map(|b| format!("{b:02x}")).collect(),
        since: moment(s.began),
        seen: moment(s.used),
        this: s.session == signed_in.session,
    };
    let kind = match &signed_in.who {
        Who::Patient(_) => Kind::Patient,
        Who::Professional(_) => Kind::Professional,
    };
    let name = match &signed_in.who {
        Who::Patient(_) => None,
        Who::Professional(person) => Some(person.name.as_str()),
    };
    let origins = sign_in.logins.way(kind).map(|way| way.provider.origins().to_vec()).unwrap_or_default();
    let page = Account { english, name, token, go_on, sessions: sessions.iter().map(line).collect() };
    show(StatusCode::OK, &page, &origins)
}

/// `GET /logout` changes nothing (S04): it leads to the page with the button.
pub(super) async fn ask() -> Response<Body> {
    see_other(DEFAULT)
}

/// `POST /logout`: ends this session, and asks the provider to end its own.
pub(super) async fn leave(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let fields = match Fields::of(&headers, body).await {
        Ok(fields) => fields.unwrap_or_default(),
        Err(error) => return show(error.status(), &foreign(false), &[]),
    };
    let english = english(fields.get("lang"), &headers);
    let cookie = sign_in.cookies.read(&headers, SESSION);
    if !is_own_form(&headers, &sign_in.base_url, cookie.as_deref(), fields.get("form")) {
        return show(StatusCode::FORBIDDEN, &foreign(english), &[]);
    }
    let hint = sign_in.cookies.read(&headers, HINT);
    let location = match sign_in.logins.leave(&cookie.unwrap_or_default(), hint.as_deref(), DEFAULT).await {
        Ok(location) => location.unwrap_or_else(|| DEFAULT.to_owned()),
        Err(error) => return trouble(&error, english),
    };
    let mut response = see_other(&location);
    for name in [SESSION, HINT] {
        put(&mut response, sign_in.cookies.remove(name));
    }
    response
}

/// `POST /login/sessions/end`: ends another session of the same person.
pub(super) async fn end_session(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let fields = match Fields::of(&headers, body).await {
        Ok(fields) => fields.unwrap_or_default(),
        Err(error) => return show(error.status(), &foreign(false), &[]),
    };
    let english = english(fields.get("lang"), &headers);
    let cookie = sign_in.cookies.read(&headers, SESSION);
    let own = is_own_form(&headers, &sign_in.base_url, cookie.as_deref(), fields.get("form"));
    let Some(cookie) = cookie.filter(|_| own) else {
        return show(StatusCode::FORBIDDEN, &foreign(english), &[]);
    };
    let ended = match sign_in.sessions.current(&cookie).await {
        Ok(Some(signed_in)) => sign_in.sessions.end_other(&signed_in, fields.get("session").unwrap_or_default()).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => see_other(if english { "/login?lang=en" } else { "/login?lang=fr" }),
        Err(error) => trouble(&error.into(), english),
    }
}

/// `POST /oidc/backchannel-logout` (OpenID Connect Back-Channel Logout 1.0 §2.5): no cookie is looked at.
pub(super) async fn by_provider(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let refused = |status| problem(status, JSON, r#"{"error":"invalid_request"}"#);
    let fields = match Fields::of(&headers, body).await {
        Ok(fields) => fields.unwrap_or_default(),
        Err(error) => return refused(error.status()),
    };
    let Some(token) = fields.get("logout_token").filter(|_| query.is_none()) else {
        return refused(StatusCode::BAD_REQUEST);
    };
    match sign_in.logins.end_by_provider(token).await {
        Ok(count) => {
            tracing::info!(count, "a provider ended sessions");
            problem(StatusCode::OK, JSON, "")
        }
        Err(NotEnded::Refused(word)) => {
            tracing::warn!(target: "garant::security", word, "a logout token was refused");
            refused(StatusCode::BAD_REQUEST)
        }
        Err(error @ NotEnded::Unavailable(_)) => {
            tracing::error!(%error, cause = std::error::Error::source(&error).map(tracing::field::display), "no logout");
            let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, JSON, r#"{"error":"temporarily_unavailable"}"#);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    }
}

/// `GET /oidc/jwks`: the public keys with which we show providers who we are.
pub(super) async fn jwks(State(sign_in): State<Arc<SignIn>>) -> Response<Body> {
    problem(StatusCode::OK, JSON, sign_in.logins.jwks())
}
