//! «Historique»: who read what, when and why; people apart from machines, refusals too.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Pages;
use super::frame::{Frame, Here, show};
use super::line::{Doer, Line, doer, lines};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::words;
use crate::projection::{Account, Did, Window};
use crate::release::Withheld;

/// Events on a page, before repeats are folded.
const ON_A_PAGE: u32 = 100;

#[derive(Template)]
#[template(path = "pages/history.html")]
struct Page<'p> {
    frame: &'p Frame,
    w: &'static Words,
    shown: Shown,
    days: Vec<Day>,
    next: Option<String>,
}

/// The lines of one day.
struct Day {
    name: String,
    lines: Vec<Line>,
}

/// Which part of the history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    People,
    Machines,
    Refused,
    Mine,
}

impl Shown {
    const ALL: [Self; 4] = [Self::People, Self::Machines, Self::Refused, Self::Mine];

    /// As it stands in the address.
    const fn code(self) -> &'static str {
        match self {
            Self::People => "personnes",
            Self::Machines => "machines",
            Self::Refused => "refus",
            Self::Mine => "moi",
        }
    }

    const fn word(self, w: &Words) -> &'static str {
        match self {
            Self::People => w.people,
            Self::Machines => w.machines,
            Self::Refused => w.refused,
            Self::Mine => w.mine,
        }
    }

    fn holds(self, account: &Account) -> bool {
        let refused = account.refused.is_some();
        match (self, doer(&account.by)) {
            (Self::Refused, by) => refused && by != Doer::Oneself,
            (Self::People, Doer::Person) | (Self::Machines, Doer::Machine) => !refused,
            // Looking at this page is in the log as well, and would soon fill it.
            (Self::Mine, Doer::Oneself) => account.did != Did::Looked,
            (Self::People | Self::Machines | Self::Mine, _) => false,
        }
    }
}

/// `GET /historique`
pub(super) async fn page(State(pages): State<Arc<Pages>>, visitor: Visitor) -> Response<Body> {
    let made = make(&pages, &visitor).await;
    visitor.answer(&pages, made).await
}

async fn make(pages: &Pages, visitor: &Visitor) -> Result<Response<Body>, Trouble> {
    let asked = visitor.query.get("qui").unwrap_or_default();
    let shown = Shown::ALL.into_iter().find(|s| s.code() == asked).unwrap_or(Shown::People);
    let window = Window { count: Some(ON_A_PAGE), after: visitor.query.get("avant").map(str::to_owned) };
    let found = pages.projection.accounts(&visitor.bearer(), visitor.patient, &window, |a| shown.holds(a)).await;
    let found = match found {
        Err(Withheld::BadQuery(_)) => return Err(Trouble::NotFound),
        other => other?,
    };
    let mut days: Vec<Day> = Vec::new();
    for line in lines(&found.told, visitor.language) {
        match days.last_mut().filter(|day| day.name == line.day) {
            Some(day) => day.lines.push(line),
            None => days.push(Day { name: line.day.clone(), lines: vec![line] }),
        }
    }
    let frame = visitor.frame(pages, Here::History).await;
    let page = Page { frame: &frame, w: Words::of(visitor.language), shown, days, next: found.next };
    Ok(show(StatusCode::OK, &frame, &page))
}

words! {
    /// What the page says.
    Words {
        title: "Qui a lu mon dossier\u{a0}?", "Who has read my record?";
        lead: "Chaque lecture est inscrite avant que quoi que ce soit soit montré. Personne ne peut effacer une ligne sans que cela se voie.",
            "Each reading is written down before anything is shown. Nobody can erase a line without it being noticed.";
        filter: "Quelles lignes", "Which lines";
        people: "Personnes", "People";
        machines: "Machines", "Machines";
        refused: "Refusées", "Refused";
        mine: "Moi", "Me";
        nobody: "Rien à cette page de l’historique.", "Nothing on this page of the history.";
        why: "Pourquoi\u{a0}? L’accès que vous avez donné", "Why? The access you gave";
        no: "Refusé\u{a0}: aucun de vos accès ne le permet, ou la loi l’interdit.", "Refused: none of your accesses allows it, or the law forbids it.";
        before: "Plus ancien", "Earlier";
        machine: "sans personne\u{a0}: un logiciel", "nobody in person: software";
    }
}
