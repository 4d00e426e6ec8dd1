//! The entries of a batch: each is done as if it had come alone, decided on and recorded on its own (FH-58, FH-59).

use std::collections::HashSet;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::read::is_known;
use super::search::searched;
use super::{Api, known_type};
use crate::fhir::{Code, Handling, outcome};
use crate::http::{fhir, read_body, withheld};
use crate::intake::{Change, Receipt, Rejected, Show, Task};
use crate::json::quote;
use crate::model::Bearer;
use crate::release::{Released, Withheld};

/// The most reads and searches of one batch: each is as much work as one that comes alone.
const MOST: usize = 100;
/// Bytes that all they show may fill together.
const LARGEST: usize = 32 * 1024 * 1024;
/// Types that the house makes itself: they are shown at their own addresses.
const HOUSE: [&str; 3] = ["AuditEvent", "Consent", "Provenance"];

/// What is left for the reads of one batch.
struct Room {
    shows: usize,
    bytes: usize,
    /// The addresses that stand in it: none stands twice (bdl-7).
    named: HashSet<String>,
}

impl Api {
    /// Does the tasks of a batch, deletes first and reads last (FH-56), and answers each in its place.
    pub(super) async fn batch(&self, bearer: &Bearer, tasks: Vec<Result<Task, Rejected>>) -> Vec<String> {
        let mut order: Vec<(usize, Result<Task, Rejected>)> = tasks.into_iter().enumerate().collect();
        order.sort_by_key(|(_, task)| task.as_ref().map_or(0, Task::rank));
        let mut room = Room { shows: MOST, bytes: LARGEST, named: HashSet::new() };
        let mut answers = Vec::with_capacity(order.len());
        for (place, task) in order {
            answers.push((place, self.done(bearer, task, &mut room).await));
        }
        answers.sort_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn done(&self, bearer: &Bearer, task: Result<Task, Rejected>, room: &mut Room) -> String {
        let done = match task {
            Ok(Task::Take(reading, unless)) => self.take(bearer, reading, unless.as_deref()).await,
            Ok(Task::Patch(change)) => self.changed(bearer, &change).await,
            Ok(Task::Show(show)) => return self.shown(bearer, &show, room).await,
            Err(rejected) => Err(rejected),
        };
        let mut out = String::new();
        match done {
            Ok(receipt) => receipt.write(&mut out),
            Err(rejected) => rejected.write(&mut out),
        }
        out
    }

    async fn changed(&self, bearer: &Bearer, change: &Change) -> Result<Receipt, Rejected> {
        let Change { kind, id, if_match, patch } = change;
        let kind = known_type(kind).ok_or(Rejected::NotFound)?;
        self.patched(bearer, (kind, id), if_match.as_deref(), patch).await
    }

    async fn shown(&self, bearer: &Bearer, show: &Show, room: &mut Room) -> String {
        if room.shows == 0 || room.bytes == 0 {
            let text = "a batch shows at most 100 results, and 32 MiB of them";
            return refused(fhir(StatusCode::UNPROCESSABLE_ENTITY, outcome::of_one(Code::TooCostly, text))).await;
        }
        room.shows -= 1;
        let answer = match self.answer_to(bearer, show, room).await {
            Ok(answer) => answer,
            Err(response) => refused(response).await,
        };
        room.bytes = room.bytes.saturating_sub(answer.len());
        answer
    }

    async fn answer_to(&self, bearer: &Bearer, show: &Show, room: &mut Room) -> Result<String, Response<Body>> {
        let (path, query) = show.url.split_once('?').map_or((show.url.as_str(), None), |(p, q)| (p, Some(q)));
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            [kind, ..] if HOUSE.contains(kind) => Err(unsupported()),
            [kind] => {
                let kind = searched(bearer, kind).map_err(|why| withheld(&why))?;
                let found = self.found(bearer, (kind, None), query.unwrap_or_default(), Handling::Strict).await?;
                let body = read_body(found.into_body(), usize::MAX).await;
                let text = body.ok().and_then(|body| String::from_utf8(body.into()).ok());
                let text = text.ok_or_else(|| withheld(&Withheld::Hidden))?;
                Ok(written(None, Some(&text).filter(|_| !show.head).map(String::as_str), r#""status":"200 OK""#))
            }
            [kind, id] => {
                let released = self.read(bearer, kind, id, query).await.map_err(|why| withheld(&why))?;
                Ok(self.version(kind, &released, show, room))
            }
            [kind, id, "_history", version] => {
                let released = self.vread(bearer, (kind, id), version, query).await.map_err(|why| withheld(&why))?;
                Ok(self.version(kind, &released, show, room))
            }
            _ => Err(unsupported()),
        }
    }

    /// The answer that shows one version, or says that it is known.
    fn version(&self, kind: &str, released: &Released, show: &Show, room: &mut Room) -> String {
        let mut headers = HeaderMap::new();
        let tag = show.if_none_match.as_deref().and_then(|tag| HeaderValue::from_str(tag).ok());
        headers.extend(tag.map(|tag| (IF_NONE_MATCH, tag)));
        let known = is_known(&headers, released);
        let mut response = String::from(if known { r#""status":"304 Not Modified""# } else { r#""status":"200 OK""# });
        // Writing to a String cannot fail.
        let _infallible = write!(response, r#","etag":"W/\"{}\"""#, released.version());
        if let Some(at) = released.at() {
            response.push_str(r#","lastModified":"#);
            quote(&at.to_rfc3339(), &mut response);
        }
        let text = std::str::from_utf8(released.as_ref()).ok().filter(|_| !known && !show.head);
        let address = format!("{}/{kind}/{}", self.base_url, released.key());
        let is_new = text.is_some() && room.named.insert(address.clone());
        written(is_new.then_some(address.as_str()), text, &response)
    }
}

fn unsupported() -> Response<Body> {
    let text = "a batch shows `Type/id`, `Type/id/_history/version` and `Type?parameters`, of clinical types";
    fhir(StatusCode::UNPROCESSABLE_ENTITY, outcome::of_one(Code::NotSupported, text))
}

/// An entry with the members that its `response` has.
fn written(full_url: Option<&str>, resource: Option<&str>, response: &str) -> String {
    let mut out = String::with_capacity(resource.map_or(0, str::len) + 256);
    out.push('{');
    if let Some(url) = full_url {
        out.push_str(r#""fullUrl":"#);
        quote(url, &mut out);
        out.push(',');
    }
    if let Some(resource) = resource {
        out.push_str(r#""resource":"#);
        out.push_str(resource);
        out.push(',');
    }
    out.push_str(r#""response":{"#);
    out.push_str(response);
    out.push_str("}}");
    out
}

/// The same refusal that would have come alone.
async fn refused(response: Response<Body>) -> String {
    let status = response.status();
    let body = read_body(response.into_body(), LARGEST).await.unwrap_or_default();
    let mut text = String::from(r#""status":"#);
    quote(&format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()), &mut text);
    if let Ok(outcome) = std::str::from_utf8(&body)
        && !outcome.is_empty()
    {
        text.push_str(r#","outcome":"#);
        text.push_str(outcome);
    }
    written(None, None, &text)
}
