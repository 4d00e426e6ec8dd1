//! The pages, each with what it shows as a type.

use askama::Template;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};

use crate::http;
use crate::identity::LoginError;
use crate::openid::Unproved;

/// The choice between the two ways to sign in.
#[derive(Template)]
#[template(path = "signin/login.html")]
pub(super) struct Choice<'p> {
    pub(super) english: bool,
    pub(super) development: bool,
    pub(super) patients: bool,
    pub(super) professionals: bool,
    /// Whether the field for an invitation is open.
    pub(super) first: bool,
    pub(super) token: &'p str,
    pub(super) go_on: &'p str,
}

/// Who is signed in, and where else.
#[derive(Template)]
#[template(path = "signin/account.html")]
pub(super) struct Account<'p> {
    pub(super) english: bool,
    pub(super) name: Option<&'p str>,
    pub(super) token: &'p str,
    pub(super) go_on: &'p str,
    pub(super) sessions: Vec<Line>,
}

/// One session.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) since: String,
    pub(super) seen: String,
    pub(super) this: bool,
}

/// Something happened: what it was, what it means, what to do.
#[derive(Template)]
#[template(path = "signin/said.html")]
pub(super) struct Said {
    pub(super) english: bool,
    pub(super) title: &'static str,
    pub(super) lines: Vec<&'static str>,
    pub(super) href: &'static str,
    pub(super) link: &'static str,
}

/// A page made of `template`; its forms may lead to `origins`.
pub(super) fn show(status: StatusCode, template: &impl Template, origins: &[String]) -> Response<Body> {
    match template.render() {
        Ok(html) => http::page(status, html, origins),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            http::page(StatusCode::INTERNAL_SERVER_ERROR, String::new(), &[])
        }
    }
}

/// The one style sheet.
pub(super) async fn style() -> Response<Body> {
    let mut response = Response::new(Body::from(include_str!("../../templates/signin/style.css")));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What went wrong with a login, in words for the person: what happened, that their record is safe, what to do.
pub(super) fn trouble(error: &LoginError, english: bool) -> Response<Body> {
    tracing::info!(%error, "nobody was signed in");
    if let LoginError::Unavailable(source) = error {
        tracing::error!(%source, "a login could not be finished");
    }
    let (status, fr, en) = words(error);
    let lines = if english { en } else { fr };
    let [title, what, then] = lines;
    let again = LoginError::NotLinked { invited: false };
    let first = std::mem::discriminant(error) == std::mem::discriminant(&again);
    let said = Said {
        english,
        title,
        lines: vec![what, then],
        href: match (first, english) {
            (true, false) => "/login?lang=fr&first=1",
            (true, true) => "/login?lang=en&first=1",
            (false, false) => "/login?lang=fr",
            (false, true) => "/login?lang=en",
        },
        link: if english { "Sign in again" } else { "Se connecter à nouveau" },
    };
    show(status, &said, &[])
}

type Words = [&'static str; 3];

fn words(error: &LoginError) -> (StatusCode, Words, Words) {
    match error {
        LoginError::NotOffered => (
            StatusCode::NOT_FOUND,
            ["Connexion impossible ici", "Ce service n’offre pas cette façon de se connecter.", "Choisissez-en une autre."],
            ["You cannot sign in this way", "This service does not offer this way to sign in.", "Choose another."],
        ),
        LoginError::NoAttempt => (
            StatusCode::BAD_REQUEST,
            [
                "La connexion n’est pas allée au bout",
                "Elle a pris trop de temps, ou elle a commencé dans un autre navigateur. Votre dossier n’est pas touché.",
                "Recommencez depuis le début.",
            ],
            [
                "Signing in was not completed",
                "It took too long, or it began in another browser. Your record is not affected.",
                "Start again from the beginning.",
            ],
        ),
        LoginError::Denied(_) => (
            StatusCode::FORBIDDEN,
            [
                "Vous n’êtes pas connecté",
                "La connexion a été refusée ou abandonnée. Votre dossier n’est pas touché.",
                "Vous pouvez recommencer quand vous voulez.",
            ],
            [
                "You are not signed in",
                "Signing in was refused or given up. Your record is not affected.",
                "You can start again whenever you like.",
            ],
        ),
        LoginError::NotLinked { invited: false } => (
            StatusCode::FORBIDDEN,
            [
                "Ce compte n’est pas encore relié à un dossier",
                "Nous vous avons reconnu, mais aucun dossier n’est relié à ce compte.",
                "Recommencez avec le code d’invitation que vous avez reçu.",
            ],
            [
                "This account is not linked to a record yet",
                "You were recognised, but no record is linked to this account.",
                "Start again with the invitation code you received.",
            ],
        ),
        LoginError::NotLinked { invited: true } => (
            StatusCode::FORBIDDEN,
            [
                "Ce code d’invitation ne marche pas",
                "Il a déjà servi, il a pris fin, ou il est mal recopié. Rien n’a été relié.",
                "Vérifiez-le, ou demandez-en un autre à l’organisme qui garde votre dossier.",
            ],
            [
                "This invitation code does not work",
                "It was used already, it has ended, or it was copied wrongly. Nothing was linked.",
                "Check it, or ask the organisation that keeps your record for another.",
            ],
        ),
        LoginError::NotEnrolled(_) => (
            StatusCode::FORBIDDEN,
            [
                "Vous n’êtes pas inscrit ici",
                "Vous avez été reconnu, mais l’annuaire de ce service ne vous connaît pas ainsi.",
                "Demandez votre inscription au garant de ce service.",
            ],
            [
                "You are not enrolled here",
                "You were recognised, but this service's directory does not know you so.",
                "Ask the guarantor of this service to enrol you.",
            ],
        ),
        LoginError::Unproved(Unproved::Refused(_)) => (
            StatusCode::FORBIDDEN,
            [
                "La connexion a été refusée",
                "La réponse du fournisseur d’identité n’a pas pu être vérifiée. Votre dossier n’est pas touché.",
                "Recommencez. Si cela se répète, prévenez-nous.",
            ],
            [
                "Signing in was refused",
                "The identity provider's answer could not be verified. Your record is not affected.",
                "Start again. If it happens again, tell us.",
            ],
        ),
        LoginError::Unproved(Unproved::Unreachable(_) | Unproved::Settings(_)) | LoginError::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            [
                "La connexion ne répond pas",
                "Le service d’identité ne répond pas en ce moment. Votre dossier n’est pas touché.",
                "Réessayez dans quelques minutes.",
            ],
            [
                "Signing in does not answer",
                "The identity service does not answer at the moment. Your record is not affected.",
                "Try again in a few minutes.",
            ],
        ),
    }
}
