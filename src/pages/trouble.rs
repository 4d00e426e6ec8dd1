//! What a page cannot do: what happened, whether anything changed, what to do.

use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::frame::{Frame, show};
use super::words::words;
use crate::consent::ConsentError;
use crate::release::Withheld;

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no such thing, or it is not this patient's.
    NotFound,
    /// Somebody is signed in who is no patient.
    NotAPatient,
    /// A form that no page of ours in this browser sent.
    Foreign,
    /// Something changed meanwhile.
    Changed,
    /// It cannot be told or done now.
    Unavailable,
}

#[derive(Template)]
#[template(path = "pages/trouble.html")]
struct Page<'p> {
    frame: &'p Frame,
    title: &'static str,
    lines: [&'static str; 2],
    link: &'static str,
}

/// The page that says so.
pub(super) fn shown(trouble: &Trouble, frame: &Frame) -> Response<Body> {
    let w = Words::of(frame.language);
    let (status, title, lines) = match trouble {
        Trouble::NotFound => (StatusCode::NOT_FOUND, w.absent, [w.absent_why, w.absent_then]),
        Trouble::NotAPatient => (StatusCode::FORBIDDEN, w.patients, [w.patients_why, w.patients_then]),
        Trouble::Foreign => (StatusCode::FORBIDDEN, w.foreign, [w.foreign_why, w.foreign_then]),
        Trouble::Changed => (StatusCode::CONFLICT, w.changed, [w.changed_why, w.changed_then]),
        Trouble::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, w.later, [w.later_why, w.later_then]),
    };
    show(status, frame, &Page { frame, title, lines, link: w.home })
}

impl From<ConsentError> for Trouble {
    fn from(error: ConsentError) -> Self {
        match error {
            ConsentError::Unknown | ConsentError::NoGrantee => Self::NotFound,
            ConsentError::Late | ConsentError::Changed | ConsentError::Conflict | ConsentError::Exclusion => {
                Self::Changed
            }
            ConsentError::Statement(_)
            | ConsentError::NotIssued
            | ConsentError::Wider
            | ConsentError::Refused { .. }
            | ConsentError::Unsayable(_)
            | ConsentError::BadMessage
            | ConsentError::Elsewhere
            | ConsentError::Unsigned
            | ConsentError::NotForYou
            | ConsentError::Unavailable(_) => {
                tracing::error!(%error, "a page could not be made");
                Self::Unavailable
            }
        }
    }
}

impl From<Withheld> for Trouble {
    fn from(withheld: Withheld) -> Self {
        tracing::error!(error = %withheld, "a page could not be made");
        Self::Unavailable
    }
}

words! {
    /// What is said.
    Words {
        home: "Aller à l’accueil", "Go to the home page";
        absent: "Cette page n’existe pas", "There is no such page";
        absent_why: "L’adresse est incomplète, ou ce qu’elle montrait n’est plus là.",
            "The address is incomplete, or what it showed is no longer there.";
        absent_then: "Votre dossier n’est pas touché.", "Your record is not affected.";
        patients: "Ces pages sont celles des patients", "These pages are for patients";
        patients_why: "Vous êtes connecté comme professionnel.", "You are signed in as a professional.";
        patients_then: "Pour votre propre dossier, déconnectez-vous, puis connectez-vous comme patient.",
            "For your own record, sign out, then sign in as a patient.";
        foreign: "Rien n’a été fait", "Nothing was done";
        foreign_why: "La page est restée ouverte trop longtemps, ou la demande ne venait pas d’elle.",
            "The page was open for too long, or the request did not come from it.";
        foreign_then: "Ouvrez la page à nouveau, puis recommencez.", "Open the page again, then start over.";
        changed: "Quelque chose a changé entre-temps", "Something changed meanwhile";
        changed_why: "Rien n’a été fait, car ce que vous avez vu n’est plus à jour.",
            "Nothing was done, because what you saw is no longer up to date.";
        changed_then: "Revenez à la page, vérifiez, puis recommencez.", "Go back to the page, check, then start over.";
        later: "Ce n’est pas possible en ce moment", "This is not possible at the moment";
        later_why: "Le service ne répond pas comme il faut. Rien n’est perdu, et personne ne voit votre dossier de plus.",
            "The service does not answer as it should. Nothing is lost, and nobody sees your record who did not before.";
        later_then: "Réessayez dans quelques minutes.", "Try again in a few minutes.";
    }
}
