//! `/login`: choosing, leaving for the provider, coming back.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{HeaderName, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::SignIn;
use super::local::local;
use super::logout::account;
use super::pages::{Choice, On, Said, show, trouble};
use crate::chance::{self, NoChance};
use crate::http::{Fields, SESSION, english, form_token, is_own_form, see_other};
use crate::identity::{Answer, Demand, Kind, LoginError, Logins};

/// The cookie of an attempt to sign in.
const ATTEMPT: &str = "login";
/// The cookie that the forms of whoever is not signed in are bound to.
const FORM: &str = "form";
/// The ID token, as a hint for the provider's logout.
pub(super) const HINT: &str = "hint";
/// Longer ones are not kept: browsers drop cookies above 4 kB.
const LONGEST_HINT: usize = 3500;

/// `GET /login`: the two ways to sign in; or, for whoever is signed in, where.
pub(super) async fn choose(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let query = Fields::read(&query.unwrap_or_default()).unwrap_or_default();
    let english = english(query.get("lang"), &headers);
    let go_on = local(query.get("continue"));
    // Software may ask for a person who is signed in to be identified once more.
    let anew = query.get("anew").is_some();
    if !anew
        && let Some(cookie) = sign_in.cookies.read(&headers, SESSION)
        && let Ok(Some(signed_in)) = sign_in.sessions.current(&cookie).await
    {
        return account(&sign_in, &signed_in, &form_token(&cookie), go_on, english).await;
    }
    let held = sign_in.cookies.read(&headers, FORM).filter(|held| held.len() == 32);
    let (form, fresh) = match held {
        Some(held) => (held, false),
        None => match fresh(&sign_in) {
            Ok(form) => (form, true),
            Err(error) => return trouble(&error.into(), english),
        },
    };
    let (patients, professionals) = (sign_in.logins.way(Kind::Patient), sign_in.logins.way(Kind::Professional));
    let mut origins: Vec<String> = Vec::new();
    for way in [&patients, &professionals].into_iter().flatten() {
        origins.extend(way.provider.origins().iter().cloned());
    }
    let choice = Choice {
        english,
        development: sign_in.development,
        patients: patients.is_ok(),
        professionals: professionals.is_ok(),
        first: query.get("first").is_some(),
        anew,
        acr: levels(query.get("acr")),
        token: &form_token(&form),
        go_on,
    };
    let mut response = show(StatusCode::OK, &choice, &origins);
    if fresh {
        put(&mut response, sign_in.cookies.set(FORM, &form));
    }
    response
}

/// `POST /login/start`: off to the provider.
pub(super) async fn start(State(sign_in): State<Arc<SignIn>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let fields = match Fields::of(&headers, body).await {
        Ok(fields) => fields.unwrap_or_default(),
        Err(error) => return show(error.status(), &foreign(false), &[]),
    };
    let english = english(fields.get("lang"), &headers);
    let form = sign_in.cookies.read(&headers, FORM);
    if !is_own_form(&headers, &sign_in.base_url, form.as_deref(), fields.get("form")) {
        return show(StatusCode::FORBIDDEN, &foreign(english), &[]);
    }
    let kind = match fields.get("who") {
        Some("patient") => Kind::Patient,
        Some("professional") => Kind::Professional,
        Some(_) | None => return trouble(&LoginError::NotOffered, english),
    };
    let invitation = fields.get("invitation").filter(|code| !code.trim().is_empty());
    let demand = Demand { anew: fields.get("anew") == Some("1"), acr: levels(fields.get("acr")) };
    match sign_in.logins.depart(kind, english, local(fields.get("continue")), invitation, demand).await {
        Ok(sent) => {
            let mut response = see_other(&sent.location);
            put(&mut response, sign_in.cookies.set(ATTEMPT, &sent.cookie));
            response
        }
        Err(error) => trouble(&error, english),
    }
}

/// `GET /login/callback`: back from the provider.
pub(super) async fn callback(
    State(sign_in): State<Arc<SignIn>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let cookie = sign_in.cookies.read(&headers, ATTEMPT).unwrap_or_default();
    let english = Logins::speaks_english(&cookie);
    // A repeated parameter could be read differently by whoever checks and whoever acts (O03).
    let Some(query) = Fields::read(&query.unwrap_or_default()) else {
        return trouble(&LoginError::NoAttempt, english);
    };
    let answer = Answer {
        code: query.get("code"),
        state: query.get("state"),
        issuer: query.get("iss"),
        error: query.get("error"),
    };
    let welcome = match sign_in.logins.finish(&cookie, answer).await {
        Ok(welcome) => welcome,
        Err(error) => return trouble(&error, english),
    };
    if let Some(old) = sign_in.cookies.read(&headers, SESSION)
        && let Err(error) = sign_in.sessions.end(&old).await
    {
        // The browser gets the new one all the same; the old one ends by itself.
        tracing::error!(%error, "an earlier session could not be ended");
    }
    let on = On { english, go_on: local(Some(&welcome.go_on)) };
    let mut response = show(StatusCode::OK, &on, &[]);
    put(&mut response, sign_in.cookies.set(SESSION, welcome.cookie.expose()));
    put(&mut response, sign_in.cookies.remove(ATTEMPT));
    put(&mut response, sign_in.cookies.remove(FORM));
    if welcome.hint.len() <= LONGEST_HINT {
        put(&mut response, sign_in.cookies.set(HINT, &welcome.hint));
    }
    response
}

/// Levels of authentication as they stand in a query or form; none when there are too many to pass on.
fn levels(text: Option<&str>) -> &str {
    text.filter(|text| text.len() <= 256).unwrap_or_default()
}

fn fresh(sign_in: &SignIn) -> Result<String, NoChance> {
    Ok(chance::bytes::<16>(&*sign_in.chance)?.iter().map(|b| format!("{b:02x}")).collect())
}

/// Adds a header to set a cookie; without it the person is not signed in, which is the safe way to fail.
pub(super) fn put(response: &mut Response<Body>, cookie: Result<HeaderValue, axum::http::Error>) {
    const NAME: HeaderName = SET_COOKIE;
    match cookie {
        Ok(cookie) => {
            response.headers_mut().append(NAME, cookie);
        }
        Err(error) => tracing::error!(%error, "a cookie could not be set"),
    }
}

/// A form that no page of ours in this browser sent.
pub(super) fn foreign(english: bool) -> Said {
    let (title, lines, link) = if english {
        (
            "Nothing was done",
            vec!["This page was open for too long, or the request did not come from it.", "Open the page again."],
            "Open the page",
        )
    } else {
        (
            "Rien n’a été fait",
            vec![
                "Cette page est restée ouverte trop longtemps, ou la demande ne venait pas d’elle.",
                "Ouvrez la page à nouveau.",
            ],
            "Ouvrir la page",
        )
    };
    Said { english, title, lines, href: if english { "/login?lang=en" } else { "/login?lang=fr" }, link }
}
