//! «Retirer»: what happens then, one button, and what has happened.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};

use super::Pages;
use super::frame::{Frame, Here, show};
use super::sees::name;
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::words;
use crate::consent::{ConsentError, View};
use crate::http::see_other;
use crate::id::ConsentId;
use crate::model::calendar;

#[derive(Template)]
#[template(path = "pages/remove.html")]
struct Asked<'p> {
    frame: &'p Frame,
    w: &'static Words,
    id: String,
    name: String,
    sentence: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/removed.html")]
struct Done<'p> {
    frame: &'p Frame,
    w: &'static Words,
    name: String,
    when: String,
    leaf: u64,
}

/// `GET /acces/{id}/retirer`: asks, and changes nothing.
pub(super) async fn page(State(pages): State<Arc<Pages>>, Path(id): Path<String>, visitor: Visitor) -> Response<Body> {
    let made = ask(&pages, &visitor, &id).await;
    visitor.answer(&pages, made).await
}

/// `POST /acces/{id}/retirer`: effective before this answers.
pub(super) async fn remove(
    State(pages): State<Arc<Pages>>,
    Path(id): Path<String>,
    visitor: Visitor,
    body: Body,
) -> Response<Body> {
    let made = end(&pages, &visitor, &id, body).await;
    visitor.answer(&pages, made).await
}

/// `GET /acces/{id}/retire`: what is so now, however often it is looked at.
pub(super) async fn done(State(pages): State<Arc<Pages>>, Path(id): Path<String>, visitor: Visitor) -> Response<Body> {
    let made = told(&pages, &visitor, &id).await;
    visitor.answer(&pages, made).await
}

async fn found(pages: &Pages, visitor: &Visitor, id: &str) -> Result<(ConsentId, View), Trouble> {
    let consent = id.parse().map_err(|_| Trouble::NotFound)?;
    let view = pages.consents.one(visitor.patient, consent).await?;
    // An exclusion is ended on its own page, with a signature: it opens something.
    if view.excluded.is_some() { Err(Trouble::NotFound) } else { Ok((consent, view)) }
}

async fn ask(pages: &Pages, visitor: &Visitor, id: &str) -> Result<Response<Body>, Trouble> {
    let (consent, view) = found(pages, visitor, id).await?;
    if view.state == "ended" {
        return Ok(see_other(&format!("/acces/{consent}/retire")));
    }
    let frame = visitor.frame(pages, Here::Sees).await;
    let (name, sentence) = (name(&view, visitor.language), view.sentence(visitor.language));
    let page = Asked { frame: &frame, w: Words::of(visitor.language), id: consent.to_string(), name, sentence };
    Ok(show(StatusCode::OK, &frame, &page))
}

async fn end(pages: &Pages, visitor: &Visitor, id: &str, body: Body) -> Result<Response<Body>, Trouble> {
    visitor.posted(pages, body).await?;
    let (consent, _) = found(pages, visitor, id).await?;
    match pages.consents.revoke(visitor.patient, consent).await {
        // Twice is once: whoever pressed again sees the end that is there.
        Ok(_) | Err(ConsentError::Conflict) => Ok(see_other(&format!("/acces/{consent}/retire"))),
        Err(error) => Err(error.into()),
    }
}

async fn told(pages: &Pages, visitor: &Visitor, id: &str) -> Result<Response<Body>, Trouble> {
    let (consent, view) = found(pages, visitor, id).await?;
    let Some(last) = view.history.last().filter(|_| view.state == "ended") else {
        return Ok(see_other(&format!("/acces/{consent}")));
    };
    let frame = visitor.frame(pages, Here::Sees).await;
    let when = calendar::moment(last.issued, visitor.language).unwrap_or_default();
    let page = Done {
        frame: &frame,
        w: Words::of(visitor.language),
        name: name(&view, visitor.language),
        when,
        leaf: last.leaf,
    };
    Ok(show(StatusCode::OK, &frame, &page))
}

words! {
    /// What the pages say.
    Words {
        title: "Que se passe-t-il si je retire cet accès\u{a0}?", "What happens if I remove this access?";
        at_once: "L’accès s’arrête tout de suite, partout. Aucune lecture ne commence après.",
            "The access stops at once, everywhere. No reading begins after it.";
        copies: "Ce qui a déjà été lu reste dans le dossier du destinataire, comme la loi le prévoit.",
            "What was already read stays in the recipient’s own file, as the law provides.";
        not_told: "Le destinataire n’est pas informé de vos raisons.", "The recipient is not told your reasons.";
        again: "Vous pourrez redonner un accès quand vous voudrez.", "You can give an access again whenever you like.";
        remove: "Retirer l’accès", "Remove the access";
        of: "de", "of";
        keep: "Garder l’accès", "Keep the access";
        done: "C’est fait", "It is done";
        sees_no_more: "ne peut plus se servir de cet accès depuis le", "can no longer use this access since";
        proof: "inscrit au journal, n°", "in the log, no.";
        back: "Qui voit quoi maintenant", "Who sees what now";
    }
}
