//! «Demandes»: who asks for an access, for what, and a no that is as easy as a yes.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};

use super::Pages;
use super::frame::{Frame, Here, show};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::words;
use crate::consent::{ConsentError, OPEN_DAYS, Request};
use crate::http::see_other;
use crate::model::{Language, calendar};

#[derive(Template)]
#[template(path = "pages/requests.html")]
struct Page<'p> {
    frame: &'p Frame,
    w: &'static Words,
    open: Vec<Card>,
    answered: Vec<Card>,
}

struct Card {
    id: String,
    name: String,
    made: String,
    ends: String,
    sentence: Option<String>,
    message: String,
    state: &'static str,
}

/// `GET /demandes`
pub(super) async fn page(State(pages): State<Arc<Pages>>, visitor: Visitor) -> Response<Body> {
    let made = make(&pages, &visitor).await;
    visitor.answer(&pages, made).await
}

/// `POST /demandes/{id}/refuser`
pub(super) async fn decline(
    State(pages): State<Arc<Pages>>,
    Path(id): Path<String>,
    visitor: Visitor,
    body: Body,
) -> Response<Body> {
    let made = refuse(&pages, &visitor, &id, body).await;
    visitor.answer(&pages, made).await
}

async fn make(pages: &Pages, visitor: &Visitor) -> Result<Response<Body>, Trouble> {
    let language = visitor.language;
    let (mut open, mut answered) = (Vec::new(), Vec::new());
    for request in pages.consents.requests(visitor.patient).await? {
        // Terms that have no words cannot be agreed to here; they can be refused.
        let sentence = match pages.consents.asked_sentence(&request, visitor.now, language).await {
            Ok(sentence) => Some(sentence),
            Err(ConsentError::NoGrantee | ConsentError::Unsayable(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let to = if request.state == "open" { &mut open } else { &mut answered };
        to.push(card(request, sentence, language));
    }
    let frame = visitor.frame(pages, Here::Requests).await;
    let page = Page { frame: &frame, w: Words::of(language), open, answered };
    Ok(show(StatusCode::OK, &frame, &page))
}

async fn refuse(pages: &Pages, visitor: &Visitor, id: &str, body: Body) -> Result<Response<Body>, Trouble> {
    visitor.posted(pages, body).await?;
    let id = id.parse().map_err(|_| Trouble::NotFound)?;
    pages.consents.decline(visitor.patient, id).await?;
    Ok(see_other("/demandes"))
}

fn card(request: Request, sentence: Option<String>, language: Language) -> Card {
    let w = Words::of(language);
    let day = |at| calendar::day(at, language).unwrap_or_default();
    Card {
        id: request.id.to_string(),
        name: request.name.unwrap_or_else(|| w.unknown.to_owned()),
        made: day(request.made),
        ends: day(request.made.plus_secs(OPEN_DAYS * 86_400)),
        sentence,
        message: request.message,
        state: match request.state.as_str() {
            "accepted" => w.accepted,
            "declined" => w.declined,
            _ => w.expired,
        },
    }
}

words! {
    /// What the page says.
    Words {
        title: "Dois-je accepter\u{a0}?", "Should I accept?";
        none: "Aucune demande.", "No requests.";
        asks: "vous demande un accès", "asks you for an access";
        would: "Si vous acceptez\u{a0}:", "If you accept:";
        why: "Son motif, dans ses mots\u{a0}:", "Their reason, in their words:";
        made: "Demandé le", "Asked on";
        ends: "Sans réponse, la demande prend fin d’elle-même le", "Without an answer, the request ends by itself on";
        read: "Relire et accepter", "Read over and accept";
        decline: "Refuser", "Decline";
        of: "la demande de", "the request of";
        free: "Refuser ne change ni vos soins ni vos remboursements ici. Vous n’avez pas à dire pourquoi.",
            "Declining changes neither your care nor your reimbursements here. You need not say why.";
        before: "Demandes passées", "Past requests";
        accepted: "acceptée", "accepted";
        declined: "refusée", "declined";
        expired: "terminée sans réponse", "ended without an answer";
        unknown: "Un organisme qui n’est plus inscrit", "An organisation that is no longer enrolled";
        unsayable: "Cette demande ne peut pas être acceptée ici\u{a0}: elle ne se dit pas en mots simples.",
            "This request cannot be accepted here: it cannot be said in plain words.";
    }
}
