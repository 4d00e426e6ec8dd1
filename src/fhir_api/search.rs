//! `GET /fhir/{type}?…`: one type, within one patient.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::read::LEAF;
use super::{Answer, Api, in_scope, known_type};
use crate::fhir::searchset::{Match, searchset};
use crate::fhir::{BadQuery, Query};
use crate::http::{fhir, pairs, withheld};
use crate::id::PatientId;
use crate::identity::Identifier;
use crate::model::{Bearer, Interaction, Subject};
use crate::release::{Found, Withheld};

/// Releases the records of one type of one patient that match.
pub(super) async fn search(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let bearer = api.bearer(&headers, method.as_str(), &uri).await?;
    let resource_type = known_type(&name).ok_or_else(|| withheld(&Withheld::Hidden))?;
    if !in_scope(&bearer, Interaction::Search, resource_type) {
        return Err(withheld(&Withheld::OutOfScope));
    }
    let asked = uri.query().unwrap_or_default();
    let found = api.run(&bearer, resource_type, asked).await.map_err(|why| withheld(&why))?;
    Ok(api.answer(resource_type, asked, &found))
}

impl Api {
    async fn run(&self, bearer: &Bearer, resource_type: &'static str, asked: &str) -> Result<Found, Withheld> {
        let pairs = pairs(asked).map_err(|bad| Withheld::BadQuery(bad.to_string()))?;
        let borrowed = pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let query = Query::parse(resource_type, borrowed, &self.base_url, self.door.clock.now())
            .map_err(|bad: BadQuery| Withheld::BadQuery(bad.to_string()))?;
        if query.count.is_some() {
            return Err(Withheld::BadQuery(
                "`_count` is not supported: everything that matches is returned".to_owned(),
            ));
        }
        let identifier = pairs.iter().find(|(name, _)| name == "identifier").map(|(_, value)| value.as_ref());
        match self.patient(bearer, &query, identifier).await? {
            Some(patient) => self.door.search(bearer, patient, resource_type, &query).await,
            // Nobody is found by that name: the same empty answer as when nothing is visible.
            None => self.door.search_for_nobody(bearer, resource_type).await,
        }
    }

    /// The one patient that the search is about; `None` when nobody is found by that name.
    async fn patient(
        &self,
        bearer: &Bearer,
        query: &Query,
        identifier: Option<&str>,
    ) -> Result<Option<PatientId>, Withheld> {
        let named = match (query.resource_type, identifier) {
            ("Patient", Some(identifier)) => Some(self.identified(identifier).await?),
            ("Patient", None) => only(query, "_id").map(|id| id.parse().ok()),
            _ => only(query, "patient").or_else(|| only(query, "subject")).map(|text| self.reference(&text)),
        };
        match (&bearer.subject, named) {
            (Subject::Patient(own), None) => Ok(Some(*own)),
            // Another's name is as unknown to a patient as nobody's.
            (Subject::Patient(own), Some(named)) => Ok(named.filter(|named| named == own)),
            (Subject::Client { .. }, Some(named)) => Ok(named),
            (Subject::Client { .. }, None) => Err(Withheld::BadQuery(
                "a search names one patient: `patient`, or for Patient `_id` or `identifier`".to_owned(),
            )),
        }
    }

    fn reference(&self, text: &str) -> Option<PatientId> {
        let relative = text.strip_prefix(&self.base_url).and_then(|t| t.strip_prefix('/')).unwrap_or(text);
        relative.strip_prefix("Patient/").unwrap_or(relative).parse().ok()
    }

    async fn identified(&self, token: &str) -> Result<Option<PatientId>, Withheld> {
        let Some((system, value)) = token.split_once('|') else { return Ok(None) };
        let identifier = Identifier { system: system.to_owned(), value: value.to_owned() };
        self.patients.find(&identifier).await.map_err(|error| Withheld::Unavailable(Box::new(error)))
    }

    fn answer(&self, resource_type: &str, asked: &str, found: &Found) -> Response<Body> {
        let urls: Vec<String> =
            found.matches.iter().map(|m| format!("{}/{resource_type}/{}", self.base_url, m.key())).collect();
        let texts: Option<Vec<Match<'_>>> = urls
            .iter()
            .zip(&found.matches)
            .map(|(url, m)| std::str::from_utf8(m.as_ref()).ok().map(|resource| Match { full_url: url, resource }))
            .collect();
        let Some(matches) = texts else { return withheld(&Withheld::Hidden) };
        let mark = if asked.is_empty() { "" } else { "?" };
        let own_url = format!("{}/{resource_type}{mark}{asked}", self.base_url);
        let body = searchset(&own_url, None, Some(matches.len() as u64), &matches);
        let mut response = fhir(StatusCode::OK, body);
        if let Some(first) = found.matches.first() {
            response.headers_mut().insert(LEAF, HeaderValue::from(first.leaf()));
        }
        response
    }
}

/// The value of a parameter that is given once with one alternative.
fn only(query: &Query, code: &str) -> Option<String> {
    let asked = query.asked(code);
    match asked.as_slice() {
        [alternatives] => match alternatives.as_slice() {
            [value] => Some(value.clone()),
            _ => None,
        },
        _ => None,
    }
}
