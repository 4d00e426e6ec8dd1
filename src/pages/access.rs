//! One access: what it is, who uses it, what became of it.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};

use super::Pages;
use super::circle::Circle;
use super::frame::{Frame, Here, show};
use super::line::{Line, lines};
use super::sees::{Card, card, name, readings};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::words;
use crate::model::{Language, calendar};

#[derive(Template)]
#[template(path = "pages/access.html")]
struct Page<'p> {
    frame: &'p Frame,
    w: &'static Words,
    name: String,
    circle: Circle,
    kind: &'static str,
    profession: Option<String>,
    sentence: Option<String>,
    /// Of one that stands.
    card: Option<Card>,
    state: &'static str,
    read: Vec<Line>,
    versions: Vec<Version>,
}

/// What was done with it, when.
struct Version {
    what: &'static str,
    when: String,
    leaf: u64,
}

/// `GET /acces/{id}`
pub(super) async fn page(State(pages): State<Arc<Pages>>, Path(id): Path<String>, visitor: Visitor) -> Response<Body> {
    let made = make(&pages, &visitor, &id).await;
    visitor.answer(&pages, made).await
}

async fn make(pages: &Pages, visitor: &Visitor, id: &str) -> Result<Response<Body>, Trouble> {
    let language = visitor.language;
    let w = Words::of(language);
    let consent = id.parse().map_err(|_| Trouble::NotFound)?;
    let view = pages.consents.one(visitor.patient, consent).await?;
    let read = readings(pages, visitor).await?;
    let standing = matches!(view.state, "active" | "pending");
    let by_it: Vec<_> = read.iter().filter(|a| a.consents.contains(&consent)).cloned().collect();
    let circle = Circle::of(view.kind());
    let frame = visitor.frame(pages, Here::Sees).await;
    let page = Page {
        frame: &frame,
        w,
        name: name(&view, language),
        circle,
        kind: circle.word(language),
        profession: view.profession(language),
        sentence: view.sentence(language),
        card: if standing { card(&view, &read, visitor) } else { None },
        state: match view.state {
            "active" => w.active,
            "pending" => w.pending,
            "expired" => w.expired,
            _ => w.ended,
        },
        read: lines(&by_it, language),
        versions: view
            .history
            .iter()
            .rev()
            .map(|past| Version {
                what: done(past.op, language),
                when: calendar::moment(past.issued, language).unwrap_or_default(),
                leaf: past.leaf,
            })
            .collect(),
    };
    Ok(show(StatusCode::OK, &frame, &page))
}

fn done(op: &str, language: Language) -> &'static str {
    match op {
        "grant" => language.pick("Vous avez donné cet accès", "You gave this access"),
        "narrow" => language.pick("Vous l’avez réduit", "You made it narrower"),
        "revoke" => language.pick("Vous l’avez retiré", "You removed it"),
        "exclude" => language.pick("Vous avez exclu cette personne", "You shut this person out"),
        "lift" => language.pick("Vous avez levé l’exclusion", "You lifted the exclusion"),
        _ => language.pick("Modifié", "Changed"),
    }
}

words! {
    /// What the page says.
    Words {
        back: "Tous les accès", "All accesses";
        what: "Ce que vous avez accepté", "What you agreed to";
        state: "État", "State";
        active: "en cours", "current";
        pending: "pas encore commencé", "not begun yet";
        expired: "a pris fin", "ended by itself";
        ended: "retiré", "removed";
        remove: "Retirer l’accès", "Remove the access";
        read: "Ce qui a été lu par cet accès", "What was read through this access";
        nothing: "Rien n’a été lu par cet accès.", "Nothing was read through this access.";
        versions: "Ce que vous en avez fait", "What you did with it";
        proof: "inscrit au journal, n°", "in the log, no.";
    }
}
