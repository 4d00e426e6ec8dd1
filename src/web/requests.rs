//! Requests for a consent: software asks, the patient answers.

use std::sync::Arc;

use axum::extract::{Path, Request as Asked, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{Problem, ok};
use super::{Patients, asked, session};
use crate::consent::{Request, read, terms};

type Api = State<Arc<Patients>>;
type Answer = Result<Response, Problem>;

/// The requests to a patient.
pub(super) async fn list(State(api): Api, request: Asked) -> Answer {
    let (parts, _) = request.into_parts();
    let patient = session::patient(&api, &parts).await?;
    let requests: Vec<Value> = api.consents.requests(patient).await?.iter().map(told).collect();
    Ok(ok(StatusCode::OK, &json!({ "requests": requests })))
}

/// A request of software; the answer is the same whether there is such a patient or not.
pub(super) async fn ask(State(api): Api, request: Asked) -> Answer {
    let (parts, body) = request.into_parts();
    let bearer = session::bearer(&api, &parts).await?;
    let body = asked::body(&parts, body).await?;
    let tree = asked::tree(&body)?;
    let (patient, terms, message) = read::request(&tree)?;
    let id = api.consents.request(&bearer, patient, &terms, message).await?;
    Ok(ok(StatusCode::ACCEPTED, &json!({ "request": id.to_string() })))
}

/// The patient's no.
pub(super) async fn decline(State(api): Api, Path(id): Path<String>, request: Asked) -> Answer {
    let (parts, body) = request.into_parts();
    let patient = session::patient(&api, &parts).await?;
    asked::empty(body).await?;
    let request = asked::id(&id)?;
    api.consents.decline(patient, request).await?;
    Ok(ok(StatusCode::OK, &json!({ "request": id, "state": "declined" })))
}

fn told(request: &Request) -> Value {
    json!({
        "request": request.id.to_string(),
        "state": request.state,
        "made": request.made.secs(),
        "organisation": request.organisation.to_string(),
        "name": request.name,
        "professional": request.professional.map(|p| p.to_string()),
        "terms": terms::write(&request.terms),
        "message": request.message,
    })
}
