//! `/fhir/AuditEvent`: a patient's own history, read only; looking at it is part of it (AU-16, AU-17).

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, Method};

use super::projected::{self, Made, one, scoped};
use super::search::Came;
use super::{Answer, Api};
use crate::http::withheld;
use crate::model::{Bearer, Interaction, Subject};
use crate::projection::{Page, Shown, Window};
use crate::release::Withheld;

const KIND: &str = "AuditEvent";

/// `GET /fhir/AuditEvent?…` and `POST /fhir/AuditEvent/_search`
pub(super) async fn search(State(api): State<Arc<Api>>, came: Came) -> Answer {
    projected::search(&api, came, Made::AuditEvent).await
}

/// `GET /fhir/AuditEvent/{id}`
pub(super) async fn read(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let bearer = api.bearer(&headers, method.as_str(), &uri).await?;
    scoped(&bearer, Interaction::Read, KIND).map_err(|why| withheld(&why))?;
    api.event(&bearer, &id, uri.query()).await.map(one).map_err(|why| withheld(&why))
}

impl Api {
    pub(super) async fn events_found(&self, bearer: &Bearer, asked: &str) -> Result<Page, Withheld> {
        let (query, own) = self.query(KIND, asked, &["_after"])?;
        if !query.sort.is_empty() {
            return Err(Withheld::BadQuery("`_sort` is not supported here: the latest event comes first".to_owned()));
        }
        let after = match own.as_slice() {
            [] => None,
            [(_, after)] => Some(after.clone().into_owned()),
            _ => return Err(Withheld::BadQuery("`_after` may be given only once".to_owned())),
        };
        match self.patient(bearer, &query).await? {
            Some(patient) => {
                self.projection.events(bearer, patient, &query, &Window { count: query.count, after }).await
            }
            None => self.nobody(bearer, "search", KIND).await,
        }
    }

    async fn event(&self, bearer: &Bearer, id: &str, query: Option<&str>) -> Result<Shown, Withheld> {
        if query.is_some() {
            return Err(Withheld::BadQuery("a read takes no parameters".to_owned()));
        }
        match bearer.subject {
            Subject::Patient(own) => self.projection.event(bearer, own, id).await,
            // The name of an event tells no patient: there is nobody to ask for.
            Subject::Client { .. } => Err(self.projection.of_nobody(bearer, "read", KIND).await),
        }
    }
}
