//! What the doors of Consent, AuditEvent and Provenance share: whose they are, and how they are shown.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::read::LEAF;
use super::{Api, in_scope};
use crate::fhir::searchset::{Match, searchset};
use crate::fhir::{BadQuery, Code, Query, outcome};
use crate::http::{Pair, fhir, pairs, read_body, withheld};
use crate::id::PatientId;
use crate::model::{Bearer, Interaction, Subject};
use crate::projection::{Page, Shown};
use crate::release::Withheld;

/// The longest form of a search.
const LONGEST: usize = 64 * 1024;

/// Refuses aloud what no scope of the token speaks of (CF-12).
pub(super) fn scoped(bearer: &Bearer, interaction: Interaction, kind: &str) -> Result<(), Withheld> {
    if in_scope(bearer, interaction, kind) { Ok(()) } else { Err(Withheld::OutOfScope) }
}

/// The parameters of `POST …/_search`.
pub(super) async fn form(headers: &HeaderMap, body: Body) -> Result<String, Response<Body>> {
    let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if media.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        let text = "the body must be application/x-www-form-urlencoded";
        return Err(fhir(StatusCode::UNSUPPORTED_MEDIA_TYPE, outcome::of_one(Code::NotSupported, text)));
    }
    let bytes = read_body(body, LONGEST)
        .await
        .map_err(|much| fhir(much.status(), outcome::of_one(Code::TooLong, &much.to_string())))?;
    String::from_utf8(bytes.into()).map_err(|_| withheld(&Withheld::BadQuery("the form is not UTF-8".to_owned())))
}

impl Api {
    /// The query over `kind`, without the parameters `apart`, which are the caller's own.
    pub(super) fn query<'p>(
        &self,
        kind: &'static str,
        asked: &'p str,
        apart: &[&str],
    ) -> Result<(Query, Vec<Pair<'p>>), Withheld> {
        let all = pairs(asked).map_err(|bad| Withheld::BadQuery(bad.to_string()))?;
        let (own, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| apart.contains(&name.as_ref()));
        let borrowed = rest.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let query = Query::parse(kind, borrowed, &self.base_url, self.door.clock.now())
            .map_err(|bad: BadQuery| Withheld::BadQuery(bad.to_string()))?;
        Ok((query, own))
    }

    /// The patient whose these are; `None` when nobody is found by that name, or another than the patient who asks.
    pub(super) fn owner(&self, bearer: &Bearer, query: &Query) -> Result<Option<PatientId>, Withheld> {
        let asked = query.asked("patient");
        let named = match asked.as_slice() {
            [] => None,
            [one] => match one.as_slice() {
                [reference] => Some(self.patient_of(reference)),
                _ => return Err(Withheld::BadQuery("a search names one patient".to_owned())),
            },
            _ => return Err(Withheld::BadQuery("a search names one patient".to_owned())),
        };
        match (&bearer.subject, named) {
            (Subject::Patient(own), None) => Ok(Some(*own)),
            (Subject::Patient(own), Some(named)) => Ok(named.filter(|named| named == own)),
            (Subject::Client { .. }, Some(named)) => Ok(named),
            (Subject::Client { .. }, None) => {
                Err(Withheld::BadQuery("a search names one patient: `patient`".to_owned()))
            }
        }
    }

    fn patient_of(&self, reference: &str) -> Option<PatientId> {
        let relative = reference.strip_prefix(&self.base_url).and_then(|t| t.strip_prefix('/')).unwrap_or(reference);
        relative.strip_prefix("Patient/").unwrap_or(relative).parse().ok()
    }

    /// A page as a searchset; `asked` is the query as it came, of which the next page is a part.
    pub(super) fn page(self: &Arc<Self>, kind: &str, asked: &str, page: &Page) -> Response<Body> {
        let urls: Vec<String> =
            page.matches.iter().map(|shown| format!("{}/{}", self.base_url, shown.reference())).collect();
        let matches: Vec<Match<'_>> = urls
            .iter()
            .zip(&page.matches)
            .map(|(url, shown)| Match { full_url: url, resource: shown.text() })
            .collect();
        let mark = if asked.is_empty() { "" } else { "?" };
        let own = format!("{}/{kind}{mark}{asked}", self.base_url);
        let next = page.next.as_deref().map(|after| self.next(kind, asked, after));
        let mut response = fhir(StatusCode::OK, searchset(&own, next.as_deref(), page.total, &matches));
        response.headers_mut().extend(page.leaf.map(|leaf| (LEAF, HeaderValue::from(leaf))));
        response
    }

    fn next(&self, kind: &str, asked: &str, after: &str) -> String {
        let rest = asked.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("_after="));
        let all: Vec<String> = rest.map(str::to_owned).chain([format!("_after={after}")]).collect();
        format!("{}/{kind}?{}", self.base_url, all.join("&"))
    }
}

/// One resource.
pub(super) fn one(shown: Shown) -> Response<Body> {
    let (version, leaf) = (shown.version(), shown.leaf());
    let mut response = fhir(StatusCode::OK, shown.into_text());
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(&format!("W/\"{version}\"")).ok().map(|etag| (ETAG, etag)));
    headers.insert(LEAF, HeaderValue::from(leaf));
    response
}
