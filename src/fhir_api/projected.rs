//! What the doors of Consent, AuditEvent and Provenance share: whose they are, and how they are shown.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::ETAG;
use axum::http::{HeaderValue, Response, StatusCode};

use super::headers::LEAF;
use super::search::{Came, parameters};
use super::{Answer, Api, in_scope};
use crate::fhir::searchset::{Head, Match, Mode, searchset};
use crate::fhir::{BadQuery, Query, View};
use crate::http::{Pair, fhir, pairs, withheld};
use crate::model::{Bearer, Interaction};
use crate::projection::{Page, Shown};
use crate::release::Withheld;

/// The types that the house makes itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Made {
    /// What patients agreed to.
    Consent,
    /// Their history.
    AuditEvent,
    /// Where versions come from.
    Provenance,
}

impl Made {
    const fn name(self) -> &'static str {
        match self {
            Self::Consent => "Consent",
            Self::AuditEvent => "AuditEvent",
            Self::Provenance => "Provenance",
        }
    }
}

/// Searches what the house makes, by address or by form.
pub(super) async fn search(api: &Arc<Api>, came: Came, made: Made) -> Answer {
    let bearer = api.bearer(&came.headers, came.method.as_str(), &came.uri).await?;
    let asked = parameters(came).await?;
    scoped(&bearer, Interaction::Search, made.name()).map_err(|why| withheld(&why))?;
    let found = match made {
        Made::Consent => api.consents_found(&bearer, &asked).await,
        Made::AuditEvent => api.events_found(&bearer, &asked).await,
        Made::Provenance => api.origins_found(&bearer, &asked).await,
    };
    found.map(|page| api.page(made.name(), &asked, &page)).map_err(|why| withheld(&why))
}

/// Refuses aloud what no scope of the token speaks of (CF-12).
pub(super) fn scoped(bearer: &Bearer, interaction: Interaction, kind: &str) -> Result<(), Withheld> {
    if in_scope(bearer, interaction, kind) { Ok(()) } else { Err(Withheld::OutOfScope) }
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
        // What is put together here is neither linked nor cut.
        let whole = query.view == Some(View::Whole) && query.includes.is_empty() && query.steps().is_empty();
        if !whole {
            let text = "`_summary`, `_elements`, `_include` and chains are not supported for this type";
            return Err(Withheld::BadQuery(text.to_owned()));
        }
        Ok((query, own))
    }

    /// A page as a searchset; `asked` is the query as it came, of which the next page is a part.
    pub(super) fn page(self: &Arc<Self>, kind: &str, asked: &str, page: &Page) -> Response<Body> {
        let urls: Vec<String> =
            page.matches.iter().map(|shown| format!("{}/{}", self.base_url, shown.reference())).collect();
        let matches: Vec<Match<'_>> = urls
            .iter()
            .zip(&page.matches)
            .map(|(url, shown)| {
                let confidentiality = shown.confidentiality();
                Match { full_url: url, resource: shown.text(), mode: Mode::Match, confidentiality }
            })
            .collect();
        let mark = if asked.is_empty() { "" } else { "?" };
        let own = format!("{}/{kind}{mark}{asked}", self.base_url);
        let next = page.next.as_deref().map(|after| self.next(kind, asked, after));
        let head = Head { own: &own, next: next.as_deref(), total: page.total, outcome: None };
        let mut response = fhir(StatusCode::OK, searchset(&head, &matches));
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
