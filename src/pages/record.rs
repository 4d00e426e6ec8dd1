//! «Mon dossier»: the parts of the record with how much is in each, and one part with what is in it.

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
use crate::clock::Timestamp;
use crate::fhir::{Handling, Summary};
use crate::model::{Language, Rubric, calendar};
use crate::release::{Page as Found, Wanted};

/// Records of one type on a page.
const ON_A_PAGE: &str = "100";

#[derive(Template)]
#[template(path = "pages/record.html")]
struct Whole<'p> {
    frame: &'p Frame,
    w: &'static Words,
    parts: Vec<Part>,
}

#[derive(Template)]
#[template(path = "pages/rubric.html")]
struct One<'p> {
    frame: &'p Frame,
    w: &'static Words,
    name: &'static str,
    items: Vec<Item>,
    /// Links to what did not fit.
    more: Vec<String>,
    code: &'static str,
}

struct Part {
    code: &'static str,
    name: &'static str,
    told: String,
    empty: bool,
}

struct Item {
    title: String,
    value: Option<String>,
    when: String,
    from: Option<String>,
    /// To put the latest first.
    at: Option<Timestamp>,
}

/// `GET /dossier`
pub(super) async fn page(State(pages): State<Arc<Pages>>, visitor: Visitor) -> Response<Body> {
    let made = whole(&pages, &visitor).await;
    visitor.answer(&pages, made).await
}

/// `GET /dossier/{rubric}`
pub(super) async fn rubric(
    State(pages): State<Arc<Pages>>,
    Path(code): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let made = one(&pages, &visitor, &code).await;
    visitor.answer(&pages, made).await
}

async fn whole(pages: &Pages, visitor: &Visitor) -> Result<Response<Body>, Trouble> {
    let language = visitor.language;
    let counts = pages.consents.counts(visitor.patient).await?;
    let parts = Rubric::ALL.into_iter().map(|rubric| {
        let count: u64 = rubric.types().iter().filter_map(|t| counts.get(*t)).sum();
        Part { code: rubric.code(), name: rubric.word(language), told: told(count, language), empty: count == 0 }
    });
    let frame = visitor.frame(pages, Here::Record).await;
    let page = Whole { frame: &frame, w: Words::of(language), parts: parts.collect() };
    Ok(show(StatusCode::OK, &frame, &page))
}

fn told(count: u64, language: Language) -> String {
    match (count, language) {
        (0, Language::Fr) => "rien pour l’instant".to_owned(),
        (0, Language::En) => "nothing so far".to_owned(),
        (1, Language::Fr) => "1 élément".to_owned(),
        (n, Language::Fr) => format!("{n} éléments"),
        (1, Language::En) => "1 item".to_owned(),
        (n, Language::En) => format!("{n} items"),
    }
}

async fn one(pages: &Pages, visitor: &Visitor, code: &str) -> Result<Response<Body>, Trouble> {
    let rubric = Rubric::ALL.into_iter().find(|r| r.code() == code).ok_or(Trouble::NotFound)?;
    let (mut items, mut more) = (Vec::new(), Vec::new());
    for found in found(pages, visitor, rubric).await? {
        more.extend(found.next);
        for entry in found.entries {
            // What was released is FHIR that was validated on its way in.
            items.extend(Summary::of(entry.released.as_ref()).map(|s| item(s, &entry.resource_type, visitor.language)));
        }
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.at));
    let frame = visitor.frame(pages, Here::Record).await;
    let name = rubric.word(visitor.language);
    let page = One { frame: &frame, w: Words::of(visitor.language), name, items, more, code: rubric.code() };
    Ok(show(StatusCode::OK, &frame, &page))
}

/// Each type of the part, or the page that a link leads to; every one is on record as read by the patient.
async fn found(pages: &Pages, visitor: &Visitor, rubric: Rubric) -> Result<Vec<Found>, Trouble> {
    let (bearer, base) = (visitor.bearer(), &pages.fhir_base);
    if let Some(link) = visitor.query.get("suite") {
        return Ok(vec![pages.door.page(&bearer, link, base).await.map_err(|_| Trouble::NotFound)?]);
    }
    let counts = pages.consents.counts(visitor.patient).await?;
    let mut found = Vec::new();
    for kind in rubric.types().iter().filter(|kind| counts.contains_key(**kind)) {
        let pairs = [("patient", format!("Patient/{}", visitor.patient)), ("_count", ON_A_PAGE.to_owned())];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let wanted = Wanted::search(kind, pairs, base, visitor.now, Handling::Strict).map_err(|error| {
            tracing::error!(%error, kind, "a part of the record cannot be searched");
            Trouble::Unavailable
        })?;
        found.push(pages.door.search(&bearer, visitor.patient, &wanted).await?);
    }
    Ok(found)
}

fn item(summary: Summary, kind: &str, language: Language) -> Item {
    let unnamed = || format!("{} ({kind})", language.pick("Sans titre", "No title"));
    let title = if summary.title.is_empty() { unnamed() } else { summary.title };
    let when = match (summary.vague, summary.when) {
        (Some(written), _) => written,
        (None, Some(at)) => calendar::day(at, language).unwrap_or_default(),
        (None, None) => language.pick("sans date", "no date").to_owned(),
    };
    Item { title, value: summary.value, when, from: summary.from, at: summary.when }
}

words! {
    /// What the pages say.
    Words {
        title: "Que sait-on de ma santé\u{a0}?", "What is known about my health?";
        lead: "Vous seul voyez tout cela. Les autres ne voient que ce que vos accès leur ouvrent.",
            "Only you see all of this. Others see only what your accesses open to them.";
        empty: "Rien n’est enregistré ici pour l’instant.", "Nothing is recorded here so far.";
        back: "Tout le dossier", "The whole record";
        from: "de", "from";
        more: "La suite", "More";
        as_written: "Affiché tel que la source l’a écrit.", "Shown as the source wrote it.";
    }
}
