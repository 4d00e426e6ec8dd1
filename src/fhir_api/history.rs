//! `GET /fhir/{type}/{id}/_history`: one record's versions, the newest first (FH-30, FH-31).

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::headers::LEAF;
use super::read::record;
use super::{Answer, Api};
use crate::fhir::history::{Entry, history as bundle};
use crate::fhir::{date_time, instant};
use crate::http::{fhir, pairs, withheld};
use crate::release::{History, Stretch, Withheld};

/// The most versions on a page.
const PAGE: usize = 100;

/// Releases the versions of one record.
pub(super) async fn history(
    State(api): State<Arc<Api>>,
    Path((name, id)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let bearer = api.bearer(&headers, method.as_str(), &uri).await?;
    let asked = uri.query().unwrap_or_default();
    let answer = async {
        let wanted = wanted(asked)?;
        let (resource_type, key) = record(&bearer, (&name, &id))?;
        let history = api.door.history(&bearer, resource_type, key, wanted).await?;
        api.show(&format!("{resource_type}/{key}"), asked, &history)
    };
    answer.await.map_err(|why: Withheld| withheld(&why))
}

/// Reads the parameters; each at most once, and no other.
fn wanted(query: &str) -> Result<Stretch, Withheld> {
    let bad = |text: &str| Withheld::BadQuery(text.to_owned());
    let mut wanted = Stretch { count: Some(PAGE), ..Stretch::default() };
    let mut seen = Vec::new();
    for (name, value) in pairs(query).map_err(|error| bad(&error.to_string()))? {
        if seen.contains(&name) {
            return Err(bad("a parameter of a history is given at most once"));
        }
        match name.as_ref() {
            "_since" => wanted.since = Some(instant(&value).ok_or_else(|| bad("`_since` is an instant"))?.from),
            "_at" => wanted.at = Some(date_time(&value).ok_or_else(|| bad("`_at` is a dateTime"))?),
            "_count" => {
                let count = value.parse::<usize>().map_err(|_| bad("`_count` is a number"))?;
                wanted.count = Some(count.min(PAGE));
            }
            "_before" => {
                let before = value.parse().ok().filter(|n: &i64| *n > 0);
                wanted.before = Some(before.ok_or_else(|| bad("`_before` is a version"))?);
            }
            _ => return Err(bad("a history takes `_since`, `_at` and `_count`")),
        }
        seen.push(name);
    }
    Ok(wanted)
}

impl Api {
    fn show(&self, name: &str, asked: &str, history: &History) -> Result<Response<Body>, Withheld> {
        let mut entries = Vec::with_capacity(history.versions.len());
        for version in &history.versions {
            let text = version.text.as_ref().map(|released| std::str::from_utf8(released.as_ref()));
            let resource = text.transpose().map_err(|_| Withheld::Hidden)?;
            entries.push(Entry { version: version.version, at: version.at, resource });
        }
        let address = format!("{}/{name}/_history", self.base_url);
        let mark = if asked.is_empty() { "" } else { "?" };
        let next = history.versions.last().filter(|_| history.more).map(|last| next(&address, asked, last.version));
        let links = (format!("{address}{mark}{asked}"), next);
        let body = bundle((&self.base_url, name), (&links.0, links.1.as_deref()), history.total, &entries);
        let mut response = fhir(StatusCode::OK, body);
        response.headers_mut().extend(history.leaf.map(|leaf| (LEAF, HeaderValue::from(leaf))));
        Ok(response)
    }
}

/// The older ones of the same question; it is asked and decided anew (FH-39).
fn next(address: &str, asked: &str, before: i64) -> String {
    let mut url = format!("{address}?");
    for pair in asked.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("_before=")) {
        url.push_str(pair);
        url.push('&');
    }
    // Writing to a String cannot fail.
    let _infallible = write!(url, "_before={before}");
    url
}
