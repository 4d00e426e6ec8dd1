//! Giving an access, step 1: to whom.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Pages;
use super::circle::Circle;
use super::frame::{Frame, Here, show};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::words;
use crate::consent::{ConsentError, profession};
use crate::directory::Party;
use crate::model::{Grantee, Language};

/// People and places that are shown at most.
const MOST: usize = 30;
/// The longest search, in bytes.
const LONGEST: usize = 200;

#[derive(Template)]
#[template(path = "pages/find.html")]
struct Page<'p> {
    frame: &'p Frame,
    w: &'static Words,
    asked: &'p str,
    found: Vec<Found>,
    told: Option<String>,
}

/// Somebody who may be given access.
struct Found {
    /// As it stands in addresses.
    grantee: String,
    circle: Circle,
    kind: &'static str,
    name: String,
    more: String,
}

/// `GET /acces/nouveau`
pub(super) async fn page(State(pages): State<Arc<Pages>>, visitor: Visitor) -> Response<Body> {
    let made = make(&pages, &visitor).await;
    visitor.answer(&pages, made).await
}

async fn make(pages: &Pages, visitor: &Visitor) -> Result<Response<Body>, Trouble> {
    let asked = visitor.query.get("q").filter(|q| q.len() <= LONGEST).unwrap_or_default().trim();
    let mut found = Vec::new();
    for party in pages.lookup.find(asked, MOST).await? {
        found.extend(entry(pages, &party, visitor.language).await?);
    }
    let told = (!asked.is_empty()).then(|| match (found.len(), visitor.language) {
        (0, Language::Fr) => format!("Aucun résultat pour «\u{a0}{asked}\u{a0}»."),
        (0, Language::En) => format!("Nothing found for “{asked}”."),
        (1, Language::Fr) => "1 résultat.".to_owned(),
        (n, Language::Fr) => format!("{n} résultats."),
        (1, Language::En) => "1 result.".to_owned(),
        (n, Language::En) => format!("{n} results."),
    });
    let frame = visitor.frame(pages, Here::Sees).await;
    let page = Page { frame: &frame, w: Words::of(visitor.language), asked, found, told };
    Ok(show(StatusCode::OK, &frame, &page))
}

async fn entry(pages: &Pages, party: &Party, language: Language) -> Result<Option<Found>, Trouble> {
    Ok(match party {
        Party::Organisation(place) => {
            let circle = Circle::of(Some(place.kind));
            Some(Found {
                grantee: format!("o.{}", place.id),
                circle,
                kind: circle.word(language),
                name: place.name.clone(),
                more: place.number.clone(),
            })
        }
        Party::Professional(person) => {
            let who = match pages.consents.recipient(Grantee::Professional(person.id)).await {
                // Nobody to be chosen: no place where they work stands.
                Err(ConsentError::NoGrantee) => return Ok(None),
                other => other?,
            };
            let mut places = Vec::new();
            for id in &person.organisations {
                let party = pages.lookup.party(id.as_bytes()).await?;
                places.extend(party.and_then(|party| party.organisation().ok().map(|place| place.name.clone())));
            }
            let circle = Circle::of(who.kind);
            let profession = profession(&person.profession, language);
            Some(Found {
                grantee: format!("p.{}", person.id),
                circle,
                kind: circle.word(language),
                name: person.name.clone(),
                more: format!("{profession}, {}", places.join(", ")),
            })
        }
        Party::Client(_) => None,
    })
}

words! {
    /// What the page says.
    Words {
        back: "Tous les accès", "All accesses";
        step: "Étape 1 sur 3", "Step 1 of 3";
        title: "À qui donner un accès\u{a0}?", "Who do you want to give access to?";
        search: "Nom d’une personne ou d’un lieu, ou numéro RPPS ou FINESS", "Name of a person or a place, or a RPPS or FINESS number";
        find: "Chercher", "Search";
        vouched: "inscrit et vérifié par le garant", "enrolled and verified by the guarantor";
        choose: "Choisir", "Choose";
        absent: "Ce soignant n’est peut-être pas encore inscrit. Vérifiez l’orthographe, ou cherchez son lieu d’exercice.",
            "This person may not be enrolled yet. Check the spelling, or look for the place where they work.";
    }
}
