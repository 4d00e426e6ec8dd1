//! Searches of one patient's record: `GET /fhir/{type}`, `POST /fhir/{type}/_search`, the same within
//! `/fhir/Patient/{id}`, `$everything`, and the links to further pages.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::headers::LEAF;
use super::{Answer, Api, in_scope, known_type, offered};
use crate::fhir::searchset::{Head, Match, Mode, searchset};
use crate::fhir::{BadQuery, Code, Handling, Named, Query, is_in_patient_compartment, outcome};
use crate::http::{fhir, pairs, read_body, withheld};
use crate::id::PatientId;
use crate::identity::Identifier;
use crate::model::{Bearer, Interaction, Subject};
use crate::release::{Page, Wanted, Withheld};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const FORM: &str = "application/x-www-form-urlencoded";
/// The longest form of a search, in bytes.
const LONGEST: usize = 16 * 1024;

/// A request as it came: how, and with what.
pub(super) struct Came {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) uri: OriginalUri,
    pub(super) body: Body,
}

impl<S: Send + Sync> axum::extract::FromRequest<S> for Came {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Self::Rejection> {
        use axum::extract::FromRequestParts as _;
        let (mut parts, body) = request.into_parts();
        let uri = OriginalUri::from_request_parts(&mut parts, state).await?;
        Ok(Self { method: parts.method, headers: parts.headers, uri, body })
    }
}

/// Releases the records of one type of one patient that match.
pub(super) async fn search(State(api): State<Arc<Api>>, Path(name): Path<String>, came: Came) -> Answer {
    api.search(&name, None, came).await
}

/// The same within the compartment of the patient whom the address names.
pub(super) async fn within(
    State(api): State<Arc<Api>>,
    Path((outer, id, name)): Path<(String, String, String)>,
    came: Came,
) -> Answer {
    let known = outer == "Patient" && known_type(&name).is_some_and(is_in_patient_compartment);
    api.search(if known { &name } else { "" }, Some(&id), came).await
}

/// Releases all of one patient's record that may be seen.
pub(super) async fn everything(
    State(api): State<Arc<Api>>,
    Path((outer, id)): Path<(String, String)>,
    came: Came,
) -> Answer {
    let bearer = api.bearer(&came.headers, came.method.as_str(), &came.uri).await?;
    if outer != "Patient" {
        return Err(withheld(&Withheld::Hidden));
    }
    if !bearer.scopes.iter().any(|scope| scope.interactions.has(Interaction::Search)) {
        return Err(withheld(&Withheld::OutOfScope));
    }
    let asked = came.uri.query().unwrap_or_default();
    let wanted = Wanted::everything(owned(asked).map_err(|bad| withheld(&bad))?).map_err(|bad| refused(&bad))?;
    let patient = known_to(&bearer, id.parse().ok());
    let page = api.first(&bearer, patient, &wanted).await.map_err(|why| withheld(&why))?;
    let own = format!("{}/Patient/{id}/$everything{}{asked}", api.base_url, mark(asked));
    Ok(api.answer(&own, None, &page))
}

/// Releases the page that a link leads to.
pub(super) async fn page(State(api): State<Arc<Api>>, Path(link): Path<String>, came: Came) -> Answer {
    let bearer = api.bearer(&came.headers, came.method.as_str(), &came.uri).await?;
    if came.uri.query().is_some() {
        return Err(withheld(&Withheld::BadQuery("a link to a page takes no parameters".to_owned())));
    }
    let page = api.door.page(&bearer, &link, &api.base_url).await.map_err(|why| withheld(&why))?;
    Ok(api.answer(&format!("{}/_page/{link}", api.base_url), None, &page))
}

impl Api {
    async fn search(&self, name: &str, within: Option<&str>, came: Came) -> Answer {
        let bearer = self.bearer(&came.headers, came.method.as_str(), &came.uri).await?;
        let resource_type = searched(&bearer, name).map_err(|why| withheld(&why))?;
        let handling = handling(&came.headers);
        let asked = parameters(came).await?;
        self.found(&bearer, (resource_type, within), &asked, handling).await
    }

    /// What the search of a type finds, for a bearer whose token speaks of searching it.
    pub(super) async fn found(
        &self,
        bearer: &Bearer,
        (resource_type, within): (&'static str, Option<&str>),
        asked: &str,
        handling: Handling,
    ) -> Answer {
        let pairs = owned(asked).map_err(|bad| withheld(&bad))?;
        let now = self.door.clock.now();
        let wanted =
            Wanted::search(resource_type, pairs, &self.base_url, now, handling).map_err(|bad| refused(&bad))?;
        let Some(query) = wanted.query() else { return Err(withheld(&Withheld::Hidden)) };
        let searchable = |kind: &&str| in_scope(bearer, Interaction::Search, kind);
        // F07: a condition on types that the token does not speak of is refused aloud, before anything runs.
        if query.asked_beyond().any(|kinds| !kinds.iter().any(searchable)) {
            return Err(withheld(&Withheld::OutOfScope));
        }
        let patient = match within {
            Some(id) => Ok(known_to(bearer, id.parse().ok())),
            None => self.patient(bearer, query).await,
        };
        let page = match patient {
            Ok(patient) => self.first(bearer, patient, &wanted).await,
            Err(why) => Err(why),
        };
        let page = page.map_err(|why| withheld(&why))?;
        let place = within.map_or_else(String::new, |id| format!("Patient/{id}/"));
        let used = used(asked, query);
        let own = format!("{}/{place}{resource_type}{}{used}", self.base_url, mark(&used));
        let left_out = (!query.ignored.is_empty())
            .then(|| outcome::warning(Code::NotSupported, "parameters that are not supported were left out"));
        Ok(self.answer(&own, left_out.as_deref(), &page))
    }

    async fn first(&self, bearer: &Bearer, patient: Option<PatientId>, wanted: &Wanted) -> Result<Page, Withheld> {
        match patient {
            Some(patient) => self.door.search(bearer, patient, wanted).await,
            // Nobody is found by that name: the same empty answer as when nothing is visible.
            None => self.door.search_for_nobody(bearer, wanted).await,
        }
    }

    /// The one patient that the search is about; `None` when nobody is found by that name.
    pub(super) async fn patient(&self, bearer: &Bearer, query: &Query) -> Result<Option<PatientId>, Withheld> {
        let named = match query.named() {
            None => None,
            Some(Named::Reference(text)) => {
                let id = text.strip_prefix("Patient/").unwrap_or(&text);
                Some(id.parse().ok())
            }
            Some(Named::Identifier(system, value)) => {
                let found = self.patients.find(&Identifier { system, value }).await;
                Some(found.map_err(|error| Withheld::Unavailable(Box::new(error)))?)
            }
        };
        match (&bearer.subject, named) {
            (Subject::Patient(own), None) => Ok(Some(*own)),
            (_, Some(named)) => Ok(known_to(bearer, named)),
            (Subject::Client { .. }, None) => Err(Withheld::BadQuery(
                "a search names one patient: `patient`, or for Patient `_id` or `identifier`".to_owned(),
            )),
        }
    }

    fn answer(&self, own: &str, outcome: Option<&str>, page: &Page) -> Response<Body> {
        let urls: Vec<String> = page
            .entries
            .iter()
            .map(|e| format!("{}/{}/{}", self.base_url, e.resource_type, e.released.key()))
            .collect();
        let texts: Option<Vec<Match<'_>>> = urls
            .iter()
            .zip(&page.entries)
            .map(|(url, e)| {
                let mode = if e.included { Mode::Include } else { Mode::Match };
                let resource = std::str::from_utf8(e.released.as_ref()).ok()?;
                Some(Match { full_url: url, resource, mode, confidentiality: Some(e.confidentiality) })
            })
            .collect();
        let Some(matches) = texts else { return withheld(&Withheld::Hidden) };
        // From configuration: the `Host` header has no say (D04).
        let next = page.next.as_ref().map(|link| format!("{}/_page/{link}", self.base_url));
        let head = Head { own, next: next.as_deref(), total: page.total, outcome };
        let mut response = fhir(StatusCode::OK, searchset(&head, &matches));
        response.headers_mut().extend(page.leaf.map(|leaf| (LEAF, HeaderValue::from(leaf))));
        response
    }
}

/// The type that is searched, when it is one and the token speaks of searching it.
pub(super) fn searched(bearer: &Bearer, name: &str) -> Result<&'static str, Withheld> {
    let declared = known_type(name).filter(|name| offered::is_searched(name)).ok_or(Withheld::Hidden)?;
    if in_scope(bearer, Interaction::Search, declared) { Ok(declared) } else { Err(Withheld::OutOfScope) }
}

/// Another's name is as unknown to a patient as nobody's.
fn known_to(bearer: &Bearer, named: Option<PatientId>) -> Option<PatientId> {
    match &bearer.subject {
        Subject::Patient(own) => named.filter(|named| named == own),
        Subject::Client { .. } => named,
    }
}

/// The parameters of the address, and those of a form after them.
pub(super) async fn parameters(came: Came) -> Result<String, Response<Body>> {
    let mut all = came.uri.query().unwrap_or_default().to_owned();
    if came.method != Method::POST {
        return Ok(all);
    }
    let media = came.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if media.split(';').next().map(str::trim) != Some(FORM) {
        let text = "the body of a search must be application/x-www-form-urlencoded";
        return Err(fhir(StatusCode::UNSUPPORTED_MEDIA_TYPE, outcome::of_one(Code::NotSupported, text)));
    }
    let form = read_body(came.body, LONGEST).await;
    let form = form.map_err(|much| fhir(much.status(), outcome::of_one(Code::TooLong, &much.to_string())))?;
    let bad = || withheld(&Withheld::BadQuery("the parameters are not well-formed".to_owned()));
    let form = std::str::from_utf8(&form).map_err(|_| bad())?;
    if !all.is_empty() && !form.is_empty() {
        all.push('&');
    }
    all.push_str(form);
    Ok(all)
}

/// `Prefer: handling=lenient`, among whatever else is preferred (RFC 7240); in doubt strict.
fn handling(headers: &HeaderMap) -> Handling {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut wishes =
        values.flat_map(|value| value.split([',', ';'])).map(str::trim).filter(|w| w.starts_with("handling"));
    let lenient = wishes.next() == Some("handling=lenient") && wishes.next().is_none();
    if lenient { Handling::Lenient } else { Handling::Strict }
}

pub(super) fn owned(asked: &str) -> Result<Vec<(String, String)>, Withheld> {
    let pairs = pairs(asked).map_err(|bad| Withheld::BadQuery(bad.to_string()))?;
    Ok(pairs.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

/// The parameters that were used, as they were written (FH-35).
fn used(asked: &str, query: &Query) -> String {
    let kept = asked.split('&').enumerate().filter(|(place, _)| !query.ignored.contains(place));
    kept.map(|(_, pair)| pair).collect::<Vec<_>>().join("&")
}

fn mark(asked: &str) -> &'static str {
    if asked.is_empty() { "" } else { "?" }
}

fn refused(bad: &BadQuery) -> Response<Body> {
    withheld(&Withheld::BadQuery(bad.to_string()))
}
