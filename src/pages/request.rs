//! One request: what accepting all of it would open, or a part, or a no.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;

use super::Pages;
use super::circle::Circle;
use super::give::shown;
use super::trouble::Trouble;
use super::visitor::Visitor;
use crate::http::see_other;

/// `GET /demandes/{id}`
pub(super) async fn page(State(pages): State<Arc<Pages>>, Path(id): Path<String>, visitor: Visitor) -> Response<Body> {
    let made = make(&pages, &visitor, &id).await;
    visitor.answer(&pages, made).await
}

async fn make(pages: &Pages, visitor: &Visitor, id: &str) -> Result<Response<Body>, Trouble> {
    let id = id.parse().map_err(|_| Trouble::NotFound)?;
    let all = pages.consents.requests(visitor.patient).await?;
    let request = all.into_iter().find(|r| r.id == id).ok_or(Trouble::NotFound)?;
    if request.state != "open" {
        return Ok(see_other("/demandes"));
    }
    let party = pages.lookup.party(request.organisation.as_bytes()).await?.ok_or(Trouble::NotFound)?;
    let kind = party.organisation().ok().map(|place| place.kind);
    let name = request.name.unwrap_or_default();
    let answers = Some(request.id.to_string());
    shown(pages, visitor, (request.terms, &name, Circle::of(kind)), answers, "/demandes".to_owned()).await
}
