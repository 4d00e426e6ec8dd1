//! «Qui voit quoi»: everybody who may see some of the record, what, until when, and what they read.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Pages;
use super::circle::Circle;
use super::frame::{Frame, Here, show};
use super::sparkline::Sparkline;
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::words;
use crate::clock::Timestamp;
use crate::consent::View;
use crate::model::{Language, Rubric, calendar};
use crate::projection::{Account, Did, Window};

/// Events of the history that are looked at for the pictures.
const LOOKED_AT: u32 = 200;

#[derive(Template)]
#[template(path = "pages/sees.html")]
struct Page<'p> {
    frame: &'p Frame,
    w: &'static Words,
    lead: String,
    cards: Vec<Card>,
    rows: Vec<Row>,
    rubrics: Vec<&'static str>,
    shut_out: Vec<Ended>,
    ended: Vec<Ended>,
}

/// One access.
pub(super) struct Card {
    pub(super) id: String,
    pub(super) circle: Circle,
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) sentence: String,
    pub(super) until: String,
    /// Why nothing is read through it although it stands.
    pub(super) note: Option<&'static str>,
    pub(super) last: String,
    pub(super) picture: Sparkline,
}

/// The same, as a row of the table: who sees which part.
struct Row {
    name: String,
    sees: Vec<bool>,
    until: String,
}

/// One that is over, or shuts somebody out.
struct Ended {
    id: String,
    name: String,
    state: &'static str,
}

/// `GET /acces`
pub(super) async fn page(State(pages): State<Arc<Pages>>, visitor: Visitor) -> Response<Body> {
    let made = make(&pages, &visitor).await;
    visitor.answer(&pages, made).await
}

async fn make(pages: &Pages, visitor: &Visitor) -> Result<Response<Body>, Trouble> {
    let language = visitor.language;
    let w = Words::of(language);
    let views = pages.consents.list(visitor.patient).await?;
    let read = readings(pages, visitor).await?;
    let (mut cards, mut rows, mut shut_out, mut ended) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for view in &views {
        let (id, name) = (view.consent.to_string(), name(view, language));
        match (view.state, &view.terms) {
            ("active" | "pending", Some(terms)) => {
                let until = calendar::until(terms.valid.to, language).unwrap_or_default();
                // What no consent can open to an insurer is not shown as if it were seen.
                let insurer = Circle::of(view.kind()) == Circle::Insurer;
                let sees = |r: Rubric| r.is_in(&terms.scope) && (r == Rubric::Bills || !insurer);
                rows.push(Row { name, sees: Rubric::ALL.into_iter().map(sees).collect(), until });
                cards.extend(card(view, &read, visitor));
            }
            ("active", None) => shut_out.push(Ended { id, name, state: w.shut_out_until }),
            (state, _) => ended.push(Ended { id, name, state: if state == "expired" { w.expired } else { w.removed } }),
        }
    }
    let nobody_else = language.pick(" Personne d’autre.", " Nobody else.");
    let lead = seen_by(cards.len(), language) + if cards.is_empty() { "" } else { nobody_else };
    let rubrics = Rubric::ALL.into_iter().map(|r| r.word(language)).collect();
    let frame = visitor.frame(pages, Here::Sees).await;
    let page = Page { frame: &frame, w, lead, cards, rows, rubrics, shut_out, ended };
    Ok(show(StatusCode::OK, &frame, &page))
}

/// How many see some of the record.
pub(super) fn seen_by(count: usize, language: Language) -> String {
    match (count, language) {
        (0, Language::Fr) => "Personne ne voit votre dossier.".to_owned(),
        (0, Language::En) => "Nobody sees your record.".to_owned(),
        (1, Language::Fr) => "1 destinataire voit une partie de votre dossier.".to_owned(),
        (n, Language::Fr) => format!("{n} destinataires voient une partie de votre dossier."),
        (1, Language::En) => "1 recipient sees part of your record.".to_owned(),
        (n, Language::En) => format!("{n} recipients see part of your record."),
    }
}

/// What was read lately, by others.
pub(super) async fn readings(pages: &Pages, visitor: &Visitor) -> Result<Vec<Account>, Trouble> {
    let window = Window { count: Some(LOOKED_AT), after: None };
    let reading = |a: &Account| a.did == Did::Read && a.refused.is_none() && !a.consents.is_empty();
    Ok(pages.projection.accounts(&visitor.bearer(), visitor.patient, &window, reading).await?.told)
}

/// The public name, or that there is none any more.
pub(super) fn name(view: &View, language: Language) -> String {
    let gone = language.pick("Destinataire qui n’est plus inscrit", "A recipient who is no longer enrolled");
    view.name().unwrap_or(gone).to_owned()
}

/// The card of an access that stands or is to begin.
pub(super) fn card(view: &View, read: &[Account], visitor: &Visitor) -> Option<Card> {
    let (language, now) = (visitor.language, visitor.now);
    let w = Words::of(language);
    let terms = view.terms.as_ref()?;
    let moments: Vec<Timestamp> = read.iter().filter(|a| a.consents.contains(&view.consent)).map(|a| a.at).collect();
    let last =
        match moments.first().and_then(|at| calendar::moment(Timestamp::from_secs(at.secs() / 60 * 60), language)) {
            None => w.never_read.to_owned(),
            Some(at) => match language {
                Language::Fr => format!("Dernière lecture\u{a0}: {at}."),
                Language::En => format!("Last read: {at}."),
            },
        };
    let note = if view.stands() { None } else { Some(w.suspended) };
    let circle = Circle::of(view.kind());
    Some(Card {
        id: view.consent.to_string(),
        circle,
        kind: circle.word(language),
        name: name(view, language),
        sentence: view.sentence(language).unwrap_or_default(),
        until: calendar::until(terms.valid.to, language).unwrap_or_default(),
        note: note.or((view.state == "pending").then_some(w.pending)),
        last,
        picture: Sparkline::of(moments.into_iter(), now, language),
    })
}

words! {
    /// What the page says.
    Words {
        title: "Qui peut voir mon dossier\u{a0}?", "Who can see my record?";
        give: "Donner un accès", "Give an access";
        now: "Accès en cours", "Current accesses";
        until: "Jusqu’au", "Until";
        remove: "Retirer l’accès", "Remove the access";
        of: "de", "of";
        detail: "Voir le détail", "See the details";
        table: "La même chose en tableau", "The same as a table";
        caption: "Qui voit quelle partie du dossier, d’après les accès donnés. Ce que vous avez caché reste caché.",
            "Who sees which part of the record, by the accesses given. What you have hidden stays hidden.";
        who: "Destinataire", "Recipient";
        yes: "oui", "yes";
        no: "non", "no";
        shut_out: "Exclus de votre dossier", "Shut out of your record";
        shut_out_until: "ne voit rien, quels que soient vos autres accords", "sees nothing, whatever else you agreed to";
        ended: "Accès terminés", "Ended accesses";
        expired: "a pris fin", "has ended";
        removed: "retiré", "removed";
        never_read: "N’a encore rien lu.", "Has not read anything yet.";
        suspended: "Suspendu par le garant\u{a0}: ne lit rien en ce moment.", "Suspended by the guarantor: reads nothing at the moment.";
        pending: "Pas encore commencé.", "Has not begun yet.";
        insurers: "Une complémentaire ne voit jamais votre dossier médical, quoi que vous acceptiez\u{a0}: seulement vos factures et preuves.",
            "An insurer never sees your medical record, whatever you agree to: only bills and proofs.";
    }
}
