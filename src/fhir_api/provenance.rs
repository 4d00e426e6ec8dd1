//! `/fhir/Provenance`: where versions come from. Our own account of each write is found by `target`; a Provenance that
//! somebody deposited is a record like any other, found by `patient`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, Method};

use super::projected::{self, Made, one, scoped};
use super::search::Came;
use super::{Answer, Api, change, known_type, read, search};
use crate::http::withheld;
use crate::model::{Bearer, Interaction};
use crate::projection::{Origin, Page, Target};
use crate::release::Withheld;

const KIND: &str = "Provenance";

/// `GET /fhir/Provenance?…`; without a target, of what was deposited.
pub(super) async fn find(State(api): State<Arc<Api>>, came: Came) -> Answer {
    if by_target(came.uri.query().unwrap_or_default()) {
        return find_posted(State(api), came).await;
    }
    search::search(State(api), Path(KIND.to_owned()), came).await
}

/// `POST /fhir/Provenance/_search`, by target only.
pub(super) async fn find_posted(State(api): State<Arc<Api>>, came: Came) -> Answer {
    projected::search(&api, came, Made::Provenance).await
}

/// `GET /fhir/Provenance/{id}`
pub(super) async fn read_one(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let Ok(origin) = id.parse::<Origin>() else {
        return read::read(State(api), Path((KIND.to_owned(), id)), OriginalUri(uri), method, headers).await;
    };
    let bearer = api.bearer(&headers, method.as_str(), &uri).await?;
    scoped(&bearer, Interaction::Read, KIND).map_err(|why| withheld(&why))?;
    if uri.query().is_some() {
        return Err(withheld(&Withheld::BadQuery("a read takes no parameters".to_owned())));
    }
    api.projection.origin(&bearer, origin).await.map(one).map_err(|why| withheld(&why))
}

/// `POST /fhir/Provenance`: a record like any other.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    change::create(State(api), Path(KIND.to_owned()), OriginalUri(uri), headers, body).await
}

/// Whether the query names a target; its value is decoded later.
fn by_target(asked: &str) -> bool {
    asked.split('&').any(|pair| pair.split(['=', ':']).next() == Some("target"))
}

impl Api {
    pub(super) async fn origins_found(&self, bearer: &Bearer, asked: &str) -> Result<Page, Withheld> {
        // Which version is meant is no part of a reference as it is searched, so the target is taken out.
        let (query, own) = self.query(KIND, asked, &["target"])?;
        if query.count.is_some() {
            return Err(Withheld::BadQuery(
                "`_count` is not supported here: everything that matches is shown".to_owned(),
            ));
        }
        let [(_, target)] = own.as_slice() else {
            return Err(Withheld::BadQuery("a search for origins names one `target`".to_owned()));
        };
        match self.target(target) {
            Some(target) => self.projection.origins(bearer, &target, &query).await,
            None => self.nobody(bearer, "search", KIND).await,
        }
    }

    /// `Type/id` or `Type/id/_history/version`, ours.
    fn target(&self, reference: &str) -> Option<Target> {
        let relative = reference.strip_prefix(&self.base_url).and_then(|t| t.strip_prefix('/')).unwrap_or(reference);
        let mut parts = relative.split('/');
        let (kind, key) = (known_type(parts.next()?)?, parts.next()?.parse().ok()?);
        let version = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some("_history"), Some(version), None) => Some(version.parse().ok()?),
            _ => return None,
        };
        Some(Target { kind, key, version })
    }
}
