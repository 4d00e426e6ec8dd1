//! A patient's consents.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{Problem, ok};
use super::{Patients, asked, session};
use crate::consent::{ConsentReceipt, View, read, terms};
use crate::proof::base64url;

type Api = State<Arc<Patients>>;
type Answer = Result<Response, Problem>;

/// Every consent.
pub(super) async fn list(State(api): Api, request: Request) -> Answer {
    let (parts, _) = request.into_parts();
    let patient = session::patient(&api, &parts).await?;
    let views: Vec<Value> = api.consents.list(patient).await?.iter().map(view).collect();
    Ok(ok(StatusCode::OK, &json!({ "consents": views })))
}

/// One consent.
pub(super) async fn one(State(api): Api, Path(id): Path<String>, request: Request) -> Answer {
    let (parts, _) = request.into_parts();
    let patient = session::patient(&api, &parts).await?;
    Ok(ok(StatusCode::OK, &view(&api.consents.one(patient, asked::id(&id)?).await?)))
}

/// What is to be signed.
pub(super) async fn prepare(State(api): Api, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let patient = session::patient(&api, &parts).await?;
    let body = asked::body(&parts, body).await?;
    let (wish, language) = read::wish(&asked::tree(&body)?)?;
    let draft = api.consents.prepare(patient, wish, language).await?;
    let statement = base64url::encode(&draft.statement);
    Ok(ok(StatusCode::OK, &json!({ "statement": statement, "text": draft.text })))
}

/// A signed statement.
pub(super) async fn sign(State(api): Api, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let patient = session::patient(&api, &parts).await?;
    let body = asked::body(&parts, body).await?;
    let signed = read::signed(&asked::tree(&body)?)?;
    let receipt = api.consents.sign(patient, &signed).await?;
    let status = if receipt.again { StatusCode::OK } else { StatusCode::CREATED };
    Ok(ok(status, &told(&receipt)))
}

/// The end of a consent: one call, nothing to fill in (CT-08).
pub(super) async fn revoke(State(api): Api, Path(id): Path<String>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let patient = session::patient(&api, &parts).await?;
    asked::empty(body).await?;
    let consent = asked::id(&id)?;
    let leaf = api.consents.revoke(patient, consent).await?;
    Ok(ok(StatusCode::OK, &json!({ "consent": consent.to_string(), "state": "ended", "leaf": leaf })))
}

/// What terms would open.
pub(super) async fn preview(State(api): Api, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let patient = session::patient(&api, &parts).await?;
    let body = asked::body(&parts, body).await?;
    let preview = api.consents.preview(patient, &read::preview(&asked::tree(&body)?)?).await?;
    let told = json!({ "counts": preview.counts, "listed": preview.listed, "hidden": preview.hidden });
    Ok(ok(StatusCode::OK, &told))
}

fn told(receipt: &ConsentReceipt) -> Value {
    json!({
        "consent": receipt.consent.to_string(),
        "revision": receipt.revision,
        "leaf": receipt.leaf,
        "token": receipt.token,
        // CR-07: following it ends the consent.
        "withdrawal": format!("/api/consents/{}/revoke", receipt.consent),
    })
}

fn view(view: &View) -> Value {
    let history: Vec<Value> = view
        .history
        .iter()
        .map(|past| {
            json!({
                "revision": past.revision,
                "op": past.op,
                "issued": past.issued.secs(),
                "leaf": past.leaf,
                "statement": base64url::encode(&past.statement),
            })
        })
        .collect();
    json!({
        "consent": view.consent.to_string(),
        "revision": view.revision,
        "state": view.state,
        "terms": view.terms.as_ref().map(terms::write),
        "excluded": view.excluded.map(|p| p.to_string()),
        "name": view.name(),
        "token": view.token,
        "leaf": view.leaf,
        "history": history,
    })
}
