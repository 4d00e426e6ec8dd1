//! The visibility codes of a record, set and lifted one at a time.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::answer::{Problem, ok};
use super::{Patients, asked, session};
use crate::masking::{Masked, Unmasked};
use crate::model::{RecordKey, Visibility};

type Api = State<Arc<Patients>>;
type Answer = Result<Response, Problem>;

/// The codes of a record of one's own.
pub(super) async fn codes(State(api): Api, Path((kind, id)): Path<(String, String)>, request: Request) -> Answer {
    let (parts, _) = request.into_parts();
    session::patient(&api, &parts).await?;
    let bearer = session::bearer(&api, &parts).await?;
    Ok(told(&api.masking.codes(&bearer, &kind, named(&kind, &id)?).await?))
}

/// Sets one code.
pub(super) async fn set(State(api): Api, path: Path<(String, String, String)>, request: Request) -> Answer {
    change(&api, path, request, true).await
}

/// Lifts one code.
pub(super) async fn lift(State(api): Api, path: Path<(String, String, String)>, request: Request) -> Answer {
    change(&api, path, request, false).await
}

async fn change(api: &Patients, path: Path<(String, String, String)>, request: Request, adds: bool) -> Answer {
    let (parts, body) = request.into_parts();
    let bearer = session::bearer(api, &parts).await?;
    asked::empty(body).await?;
    let Path((kind, id, code)) = path;
    let code: Visibility = code.parse().map_err(|_| nothing())?;
    Ok(told(&api.masking.change(&bearer, &kind, named(&kind, &id)?, code, adds).await?))
}

fn told(masked: &Masked) -> Response {
    let codes: Vec<&str> = masked.codes.iter().map(|c| c.code()).collect();
    ok(StatusCode::OK, &json!({ "codes": codes, "leaf": masked.leaf }))
}

fn named(kind: &str, id: &str) -> Result<RecordKey, Problem> {
    let key: RecordKey = id.parse().map_err(|_| nothing())?;
    // A type goes into the log: only what has the form of one.
    let plain = !kind.is_empty() && kind.len() <= 64 && kind.bytes().all(|b| b.is_ascii_alphabetic());
    if plain { Ok(key) } else { Err(nothing()) }
}

fn nothing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such record")
}

impl From<Unmasked> for Problem {
    fn from(unmasked: Unmasked) -> Self {
        match unmasked {
            Unmasked::Hidden => nothing(),
            Unmasked::Conflict => Self::new(StatusCode::CONFLICT, unmasked.to_string()),
            Unmasked::Unavailable(error) => {
                tracing::error!(%error, "a visibility code could not be changed");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "this cannot be done now")
            }
        }
    }
}
