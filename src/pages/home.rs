//! «Accueil»: what happened, what is to be decided.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Pages;
use super::frame::{Frame, Here, show};
use super::line::{Line, lines};
use super::sees::{name, readings, seen_by};
use super::sparkline::Sparkline;
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::words;
use crate::model::{Language, calendar};

/// How far ahead an end is worth a word, in days.
const SOON_DAYS: i64 = 30;
/// How far back a reading is new, in days.
const NEW_DAYS: i64 = 7;
/// Lines that are shown.
const MOST: usize = 5;

#[derive(Template)]
#[template(path = "pages/home.html")]
struct Page<'p> {
    frame: &'p Frame,
    w: &'static Words,
    /// «1 demande vous attend»; nothing when none does.
    waiting: Option<String>,
    seen_by: String,
    recent: Vec<Line>,
    picture: Sparkline,
    ending: Vec<Ending>,
}

/// An access that ends soon.
struct Ending {
    id: String,
    name: String,
    when: String,
}

/// `GET /`
pub(super) async fn page(State(pages): State<Arc<Pages>>, visitor: Visitor) -> Response<Body> {
    let made = make(&pages, &visitor).await;
    visitor.answer(&pages, made).await
}

async fn make(pages: &Pages, visitor: &Visitor) -> Result<Response<Body>, Trouble> {
    let (language, now) = (visitor.language, visitor.now);
    let frame = visitor.frame(pages, Here::Home).await;
    let views = pages.consents.list(visitor.patient).await?;
    let standing: Vec<_> =
        views.iter().filter(|v| v.state == "active").filter_map(|v| Some((v, v.terms.as_ref()?))).collect();
    let soon = now.plus_secs(SOON_DAYS * 86_400);
    let ending = standing.iter().filter(|(_, terms)| terms.valid.to <= soon).map(|(view, terms)| Ending {
        id: view.consent.to_string(),
        name: name(view, language),
        when: calendar::until(terms.valid.to, language).unwrap_or_default(),
    });
    let read = readings(pages, visitor).await?;
    let since = now.plus_secs(-NEW_DAYS * 86_400);
    let fresh = read.iter().take_while(|a| a.at >= since).count();
    let mut recent = lines(read.get(..fresh).unwrap_or_default(), language);
    recent.truncate(MOST);
    let page = Page {
        frame: &frame,
        w: Words::of(language),
        waiting: waiting(frame.waiting, language),
        seen_by: seen_by(standing.len(), language),
        recent,
        picture: Sparkline::of(read.iter().map(|a| a.at), now, language),
        ending: ending.collect(),
    };
    Ok(show(StatusCode::OK, &frame, &page))
}

fn waiting(count: usize, language: Language) -> Option<String> {
    match (count, language) {
        (0, _) => None,
        (1, Language::Fr) => Some("1 demande vous attend".to_owned()),
        (n, Language::Fr) => Some(format!("{n} demandes vous attendent")),
        (1, Language::En) => Some("1 request is waiting for you".to_owned()),
        (n, Language::En) => Some(format!("{n} requests are waiting for you")),
    }
}

words! {
    /// What the page says.
    Words {
        title: "Que s’est-il passé\u{a0}?", "What has happened?";
        decide: "Lire et décider", "Read and decide";
        silence: "Sans réponse de votre part, rien n’est partagé.", "Without an answer from you, nothing is shared.";
        now: "En ce moment", "At the moment";
        sees: "Qui voit quoi", "Who sees what";
        recent: "Lu ces 7 derniers jours", "Read in the last 7 days";
        nothing: "Personne n’a lu votre dossier ces 7 derniers jours.", "Nobody has read your record in the last 7 days.";
        all: "Tout l’historique", "The whole history";
        months: "Lectures des 6 derniers mois", "Readings of the last 6 months";
        ending: "Prend fin bientôt", "Ends soon";
        ends: "jusqu’au", "until";
    }
}
