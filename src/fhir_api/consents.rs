//! `/fhir/Consent`: what patients agreed to, read by them and by whom it names; a Consent posted is a request.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, Method, Response, StatusCode};

use super::projected::{self, Made, one, scoped};
use super::search::Came;
use super::{Answer, Api, deposit};
use crate::consent::ConsentError;
use crate::fhir::{Code, outcome};
use crate::http::{fhir, pairs, withheld};
use crate::json::{self, Limits};
use crate::model::{Bearer, Interaction, RecordKey, Subject};
use crate::projection::pcf::{self, Unaskable};
use crate::projection::{Page, Shown};
use crate::release::Withheld;

const KIND: &str = "Consent";
/// The longest Consent taken, in bytes.
const LIMITS: Limits = Limits { bytes: 256 * 1024, depth: 32 };

/// `GET /fhir/Consent?…` and `POST /fhir/Consent/_search` (PC-01)
pub(super) async fn search(State(api): State<Arc<Api>>, came: Came) -> Answer {
    projected::search(&api, came, Made::Consent).await
}

/// `GET /fhir/Consent/{id}`
pub(super) async fn read(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let bearer = api.bearer(&headers, method.as_str(), &uri).await?;
    api.consent(&bearer, &id, uri.query(), None).await.map(one).map_err(|why| withheld(&why))
}

/// `GET /fhir/Consent/{id}/_history/{version}` (CO-11)
pub(super) async fn vread(
    State(api): State<Arc<Api>>,
    Path((id, version)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let bearer = api.bearer(&headers, method.as_str(), &uri).await?;
    // What is no version is one that nobody has.
    let version = version.parse().unwrap_or(0);
    api.consent(&bearer, &id, uri.query(), Some(version)).await.map(one).map_err(|why| withheld(&why))
}

/// `POST /fhir/Consent`: put to the patient, whatever its status says; nothing is granted.
pub(super) async fn ask(
    State(api): State<Arc<Api>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let bearer = api.bearer(&headers, "POST", &uri).await?;
    if matches!(bearer.subject, Subject::Patient(_)) {
        let text = "a patient gives a consent by signing it, not by posting one";
        return Err(fhir(StatusCode::FORBIDDEN, outcome::of_one(Code::Forbidden, text)));
    }
    scoped(&bearer, Interaction::Create, KIND).map_err(|why| withheld(&why))?;
    let bytes = deposit::read(&headers, body, LIMITS.bytes).await?;
    let asked = match json::parse(&bytes, LIMITS) {
        Ok(tree) => pcf::read(&tree, &api.base_url).map_err(|why| unaskable(&why))?,
        Err(broken) => return Err(fhir(StatusCode::BAD_REQUEST, outcome::of_one(Code::Invalid, &broken.to_string()))),
    };
    let requests = api.consents.ask(&bearer, asked.patient, &asked.terms, "").await.map_err(|why| refused(&why))?;
    let text = format!("put to the patient, who decides: {requests} request(s)");
    Ok(fhir(StatusCode::ACCEPTED, outcome::note(&text)))
}

impl Api {
    pub(super) async fn consents_found(&self, bearer: &Bearer, asked: &str) -> Result<Page, Withheld> {
        let (query, _) = self.query(KIND, asked, &[])?;
        let all = pairs(asked).map_err(|bad| Withheld::BadQuery(bad.to_string()))?;
        if query.count.is_some() {
            return Err(Withheld::BadQuery(
                "`_count` is not supported here: everything that matches is shown".to_owned(),
            ));
        }
        // PC-01: a client says which status it wants; a list in which the ended ones look like the others misleads.
        if matches!(bearer.subject, Subject::Client { .. }) && !all.iter().any(|(name, _)| name == "status") {
            return Err(Withheld::BadQuery("a search for consents names a `status`".to_owned()));
        }
        match self.patient(bearer, &query).await? {
            Some(patient) => self.projection.consents(bearer, patient, &query).await,
            None => self.nobody(bearer, "search", KIND).await,
        }
    }

    async fn consent(
        &self,
        bearer: &Bearer,
        id: &str,
        query: Option<&str>,
        version: Option<i64>,
    ) -> Result<Shown, Withheld> {
        if query.is_some() {
            return Err(Withheld::BadQuery("a read takes no parameters".to_owned()));
        }
        if !super::in_scope(bearer, Interaction::Read, KIND) {
            return Err(Withheld::OutOfScope);
        }
        match id.parse::<RecordKey>() {
            Ok(key) if !key.is_patient() => self.projection.consent(bearer, key, version).await,
            Ok(_) | Err(_) => Err(Withheld::Hidden),
        }
    }

    /// An empty page about nobody, with the refusal on record.
    pub(super) async fn nobody(
        &self,
        bearer: &Bearer,
        route: &'static str,
        kind: &'static str,
    ) -> Result<Page, Withheld> {
        let withheld = self.projection.of_nobody(bearer, route, kind).await;
        if matches!(withheld, Withheld::Hidden) {
            Ok(Page { total: Some(0), ..Page::default() })
        } else {
            Err(withheld)
        }
    }
}

fn unaskable(why: &Unaskable) -> Response<Body> {
    let body = match why {
        Unaskable::Invalid(issues) => outcome::of_issues(issues),
        Unaskable::Shape(_) => outcome::of_one(Code::Invariant, &why.to_string()),
        Unaskable::Unenforceable(_) => outcome::of_one(Code::NotSupported, &why.to_string()),
    };
    fhir(StatusCode::UNPROCESSABLE_ENTITY, body)
}

fn refused(why: &ConsentError) -> Response<Body> {
    let (status, code) = match why {
        ConsentError::NotForYou => (StatusCode::FORBIDDEN, Code::Forbidden),
        ConsentError::NoGrantee | ConsentError::Refused { .. } | ConsentError::BadMessage => {
            (StatusCode::UNPROCESSABLE_ENTITY, Code::BusinessRule)
        }
        ConsentError::Statement(_)
        | ConsentError::Elsewhere
        | ConsentError::NotIssued
        | ConsentError::Late
        | ConsentError::Changed
        | ConsentError::Conflict
        | ConsentError::Unknown
        | ConsentError::Unsigned
        | ConsentError::Young
        | ConsentError::Wider
        | ConsentError::Exclusion
        | ConsentError::Unsayable(_) => (StatusCode::UNPROCESSABLE_ENTITY, Code::Processing),
        ConsentError::Unavailable(error) => {
            tracing::error!(%error, "a request for a consent failed");
            (StatusCode::SERVICE_UNAVAILABLE, Code::Transient)
        }
    };
    fhir(status, outcome::of_one(code, &why.to_string()))
}
