//! In which form an answer is wanted: JSON of FHIR 4.0 is the one there is (FH-03, FH-04, FH-05).

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::middleware::Next;

use crate::fhir::{Code, outcome};
use crate::http::fhir;

/// Refuses what wants another form, and takes `_format` out of the query: handlers need not know of it.
pub(super) async fn negotiate(mut request: Request, next: Next) -> Response<Body> {
    let uri = request.extensions().get::<OriginalUri>().map_or_else(|| request.uri().clone(), |o| o.0.clone());
    let Some((formats, rest)) = take_format(uri.query().unwrap_or_default()) else {
        return refused(StatusCode::BAD_REQUEST, "the parameters are not well-formed");
    };
    let fits = match formats.as_slice() {
        [] => accepts(request.headers()),
        [one] => is_json(one),
        _ => return refused(StatusCode::BAD_REQUEST, "`_format` is given more than once"),
    };
    if !fits {
        return refused(StatusCode::NOT_ACCEPTABLE, "answers are application/fhir+json; fhirVersion=4.0");
    }
    let media = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    if media.is_some_and(|media| !is_of_4_0(media)) {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bodies are of FHIR 4.0");
    }
    if !formats.is_empty() {
        let Some(plain) = with_query(&uri, &rest) else {
            return refused(StatusCode::BAD_REQUEST, "the parameters are not well-formed");
        };
        request.extensions_mut().insert(OriginalUri(plain));
    }
    next.run(request).await
}

/// The values of `_format`, and the query without them.
fn take_format(query: &str) -> Option<(Vec<String>, String)> {
    let (mut formats, mut rest) = (Vec::new(), Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty() || query.contains('&')) {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        if name == "_format" {
            let read = crate::http::pairs(pair).ok()?;
            formats.extend(read.into_iter().map(|(_, value): (Cow<'_, str>, Cow<'_, str>)| value.into_owned()));
        } else {
            rest.push(pair);
        }
    }
    Some((formats, rest.join("&")))
}

fn with_query(uri: &Uri, query: &str) -> Option<Uri> {
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{mark}{query}", uri.path()).parse().ok()
}

/// Whether any media range of the `Accept` headers is ours; none at all accepts everything (RFC 9110 §12.5.1).
fn accepts(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
        let unwanted = range.split(';').skip(1).any(|p| {
            let weight = p.trim().strip_prefix("q=");
            weight.is_some_and(|w| w.trim_matches(['0', '.']).is_empty())
        });
        let media = range.split(';').next().unwrap_or_default().trim();
        !unwanted && is_of_4_0(range) && (matches!(media, "*/*" | "application/*") || is_json(media))
    })
}

/// The words for FHIR's JSON; a plus sign in a query is often sent without its escape and reads as a blank.
fn is_json(format: &str) -> bool {
    let media = format.split(';').next().unwrap_or_default().trim();
    let known = ["json", "application/json", "application/fhir+json", "application/fhir json", "text/json"];
    known.iter().any(|name| media.eq_ignore_ascii_case(name)) && is_of_4_0(format)
}

/// Whether the parameter `fhirVersion`, when there is one, names the version that is spoken here.
fn is_of_4_0(media: &str) -> bool {
    let versions = media.split(';').skip(1).filter_map(|p| p.trim().split_once('='));
    versions
        .filter(|(name, _)| name.eq_ignore_ascii_case("fhirVersion"))
        .all(|(_, value)| value.trim_matches('"') == "4.0")
}

fn refused(status: StatusCode, text: &str) -> Response<Body> {
    fhir(status, outcome::of_one(Code::NotSupported, text))
}
