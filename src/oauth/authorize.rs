//! `/oauth/authorize`, `/oauth/par`, `/oauth/answer`: how software asks a person (RFC 6749 §4.1, RFC 9126, RFC 9207).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};

use super::form::{self, Form, escaped};
use super::{Server, page, token};
use crate::http::problem;
use crate::identity::{Answered, Identifier, NotAsked, REQUEST_SECONDS, Reply, Visit};

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

/// Takes up what a browser brings in its address.
pub(super) async fn get(State(server): State<Arc<Server>>, headers: HeaderMap, uri: Uri) -> Response<Body> {
    begin(&server, &headers, uri.query().unwrap_or_default()).await
}

/// Takes up what a browser brings in a form (SM-10). No cookie comes with a form of another site, so the answer is
/// always an address to go on at.
pub(super) async fn post(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Response<Body> {
    match form::text(&headers, body).await {
        Ok(text) => begin(&server, &HeaderMap::new(), &text).await,
        Err(status) => page::refuse(status),
    }
}

async fn begin(server: &Server, headers: &HeaderMap, text: &str) -> Response<Body> {
    let Some(form) = Form::read(text, "") else { return page::refuse(StatusCode::BAD_REQUEST) };
    let request = form.authorization();
    let Some(reference) = request.request_uri else {
        return match server.authorizer.take(&request).await {
            Ok(reference) => go(&ours(request.client_id.unwrap_or_default(), &reference)),
            Err(not) => refuse(server, not),
        };
    };
    match server.authorizer.visit(request.client_id, reference, server.session(headers).as_deref()).await {
        Ok(Visit::Ask(asked)) => page::ask(&asked),
        Ok(Visit::SignIn { anew, acr }) => {
            let on = ours(request.client_id.unwrap_or_default(), reference);
            let acr = if acr.is_empty() { String::new() } else { format!("&acr={}", escaped(&acr)) };
            go(&format!("/login?continue={}{}{acr}", escaped(&on), if anew { "&anew=1" } else { "" }))
        }
        Err(not) => refuse(server, not),
    }
}

/// Takes what the person answered on the page.
pub(super) async fn answer(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Response<Body> {
    // The page's secret says who asks; a browser that says another site does is believed as well (S03).
    let elsewhere = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin");
    let text = match form::text(&headers, body).await {
        Ok(text) if !elsewhere => text,
        Ok(_) => return page::refuse(StatusCode::FORBIDDEN),
        Err(status) => return page::refuse(status),
    };
    let Some(form) = Form::read(&text, "scope") else { return page::refuse(StatusCode::BAD_REQUEST) };
    let patient = form.get("identifier").zip(form.get("system"));
    let reply = Reply {
        token: form.get("page").unwrap_or_default(),
        allow: form.get("decision") == Some("allow"),
        scopes: form.all("scope"),
        patient: patient.map(|(value, system)| Identifier { system: system.to_owned(), value: value.to_owned() }),
    };
    match server.authorizer.answer(&reply, server.session(&headers).as_deref()).await {
        Ok(Answered::Again(asked)) => page::ask(&asked),
        Ok(Answered::Code { redirect, code, state }) => {
            go(&back(&server, &redirect, &format!("code={}", escaped(&code)), state.as_deref()))
        }
        Err(not) => refuse(&server, not),
    }
}

/// Takes a request from software itself.
pub(super) async fn push(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let Ok(text) = form::text(&headers, body).await else { return token::malformed() };
    let (Some(form), Ok(dpop)) = (Form::read(&text, ""), form::dpop(&headers)) else { return token::malformed() };
    match server.authorizer.push(&form.client(), dpop, &form.authorization()).await {
        Ok(reference) => {
            let body = serde_json::json!({ "request_uri": reference, "expires_in": REQUEST_SECONDS });
            token::no_cache(problem(StatusCode::CREATED, JSON, body.to_string()))
        }
        Err(refusal) => token::refuse(&refusal),
    }
}

fn refuse(server: &Server, not: NotAsked) -> Response<Body> {
    match not {
        NotAsked::Here(word) => {
            tracing::info!(target: "garant::security", word, "an authorization request was refused");
            page::refuse(StatusCode::BAD_REQUEST)
        }
        NotAsked::Back { redirect, state, error } => {
            tracing::info!(target: "garant::security", error, "an authorization request was refused");
            go(&back(server, &redirect, &format!("error={error}"), state.as_deref()))
        }
        NotAsked::Unavailable => page::refuse(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// Where a kept request goes on: a path of ours.
fn ours(client: &str, reference: &str) -> String {
    format!("/oauth/authorize?client_id={}&request_uri={}", escaped(client), escaped(reference))
}

/// The client's address with `said`, the state and who says it (RFC 9207).
fn back(server: &Server, redirect: &str, said: &str, state: Option<&str>) -> String {
    let joint = if redirect.contains('?') { '&' } else { '?' };
    let state = state.map_or_else(String::new, |s| format!("&state={}", escaped(s)));
    format!("{redirect}{joint}{said}{state}&iss={}", escaped(&server.issuer.issuer))
}

/// Sends the browser on; 303 makes every method a GET, so that no form is sent twice (OA-45, FA-22).
fn go(address: &str) -> Response<Body> {
    let Ok(location) = HeaderValue::from_str(address) else { return page::refuse(StatusCode::BAD_REQUEST) };
    let mut response = problem(StatusCode::SEE_OTHER, HTML, "");
    response.headers_mut().insert(LOCATION, location);
    page::guarded(&mut response, "");
    response
}
