//! What a page cannot do: what happened, whether anything changed, what to do.

use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::frame::{Frame, show};
use super::words::words;
use crate::consent::ConsentError;
use crate::directory::LookupError;
use crate::identity::{PasskeyError, PatientError};
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
    /// A choice is missing.
    Incomplete,
    /// These terms cannot be agreed to at all.
    Unlawful,
    /// No passkey of this patient signed it.
    Unsigned,
    /// The key is too new to give access.
    Young,
    /// The person must sign in again first.
    NotFresh,
    /// The last key stays.
    LastKey,
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
        Trouble::Incomplete => (StatusCode::UNPROCESSABLE_ENTITY, w.incomplete, [w.incomplete_why, w.incomplete_then]),
        Trouble::Unlawful => (StatusCode::UNPROCESSABLE_ENTITY, w.unlawful, [w.unlawful_why, w.unlawful_then]),
        Trouble::Unsigned => (StatusCode::FORBIDDEN, w.unsigned, [w.unsigned_why, w.unsigned_then]),
        Trouble::Young => (StatusCode::FORBIDDEN, w.young, [w.young_why, w.young_then]),
        Trouble::NotFresh => (StatusCode::FORBIDDEN, w.stale, [w.stale_why, w.stale_then]),
        Trouble::LastKey => (StatusCode::CONFLICT, w.last, [w.last_why, w.last_then]),
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
            ConsentError::Refused { .. } | ConsentError::Unsayable(_) | ConsentError::Wider => Self::Unlawful,
            ConsentError::Unsigned => Self::Unsigned,
            ConsentError::Young => Self::Young,
            ConsentError::Statement(_)
            | ConsentError::NotIssued
            | ConsentError::BadMessage
            | ConsentError::Elsewhere
            | ConsentError::NotForYou
            | ConsentError::Unavailable(_) => {
                tracing::error!(%error, "a page could not be made");
                Self::Unavailable
            }
        }
    }
}

impl From<PasskeyError> for Trouble {
    fn from(error: PasskeyError) -> Self {
        match error {
            PasskeyError::NotFresh => Self::NotFresh,
            PasskeyError::Refused(_) => Self::Unsigned,
            PasskeyError::Enough => Self::Changed,
            PasskeyError::Last => Self::LastKey,
            PasskeyError::Patient(PatientError::Unknown) => Self::NotFound,
            PasskeyError::Patient(error) => {
                tracing::error!(%error, "a patient's keys cannot be read or changed");
                Self::Unavailable
            }
        }
    }
}

impl From<LookupError> for Trouble {
    fn from(error: LookupError) -> Self {
        tracing::error!(%error, "the register cannot be searched");
        Self::Unavailable
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
        incomplete: "Il manque un choix", "A choice is missing";
        incomplete_why: "Dites ce que vous montrez, et jusqu’à quand.", "Say what you show, and until when.";
        incomplete_then: "Rien n’a été donné. Revenez à la page d’avant.", "Nothing was given. Go back to the page before.";
        unlawful: "Cet accès ne peut pas être donné", "This access cannot be given";
        unlawful_why: "La loi ne permet pas à ce destinataire de voir cela, ou pas aussi longtemps.",
            "The law does not allow this recipient to see this, or not for so long.";
        unlawful_then: "Rien n’a été donné. Choisissez moins, ou un autre destinataire.", "Nothing was given. Choose less, or another recipient.";
        unsigned: "La clé n’a pas été reconnue", "The passkey was not recognised";
        unsigned_why: "Aucune clé d’accès inscrite pour vous n’a signé cela. Rien n’a été fait.",
            "No passkey enrolled for you signed this. Nothing was done.";
        unsigned_then: "Recommencez avec une de vos clés.", "Try again with one of your passkeys.";
        young: "Cette clé est trop récente", "This passkey is too new";
        young_why: "Une clé ajoutée ne peut pas donner d’accès pendant 24 heures. Cela vous protège si un appareil est volé.",
            "A key that was added cannot give access for 24 hours. This protects you if a device is stolen.";
        young_then: "Rien n’a été donné. Utilisez votre autre clé, ou revenez demain.", "Nothing was given. Use your other key, or come back tomorrow.";
        stale: "Reconnectez-vous d’abord", "Sign in again first";
        stale_why: "Pour changer vos clés, votre connexion ne doit pas dater de plus de 15 minutes.",
            "To change your keys, you must have signed in less than 15 minutes ago.";
        stale_then: "Rien n’a changé.", "Nothing has changed.";
        last: "La dernière clé reste", "The last key stays";
        last_why: "Sans aucune clé, vous ne pourriez plus donner d’accès.", "Without any key you could no longer give access.";
        last_then: "Ajoutez d’abord une autre clé.", "Add another key first.";
        later: "Ce n’est pas possible en ce moment", "This is not possible at the moment";
        later_why: "Le service ne répond pas comme il faut. Rien n’est perdu, et personne ne voit votre dossier de plus.",
            "The service does not answer as it should. Nothing is lost, and nobody sees your record who did not before.";
        later_then: "Réessayez dans quelques minutes.", "Try again in a few minutes.";
    }
}
