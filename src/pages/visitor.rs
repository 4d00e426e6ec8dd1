//! Who looks at a page: the patient of the session, and nobody else.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response};

use super::Pages;
use super::assets::ADDRESSES;
use super::frame::{Frame, Here};
use super::trouble::{Trouble, shown};
use crate::clock::Timestamp;
use crate::http::{Fields, LANGUAGE, SESSION, form_token, is_own_form, language, see_other};
use crate::id::PatientId;
use crate::identity::{SignedIn, Who};
use crate::model::{Bearer, Language, Purpose, Subject};

/// A patient who is signed in, and how they are spoken to.
pub(super) struct Visitor {
    /// Who.
    pub(super) patient: PatientId,
    /// The session they came with.
    pub(super) signed_in: SignedIn,
    /// In which language.
    pub(super) language: Language,
    /// The moment of the request.
    pub(super) now: Timestamp,
    /// What is asked for, each name once.
    pub(super) query: Fields,
    cookie: String,
    path: String,
    headers: HeaderMap,
}

impl FromRequestParts<Arc<Pages>> for Visitor {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, pages: &Arc<Pages>) -> Result<Self, Response<Body>> {
        let query = Fields::read(parts.uri.query().unwrap_or_default()).unwrap_or_default();
        let chosen = pages.cookies.read(&parts.headers, LANGUAGE);
        let language = language(query.get("lang"), chosen.as_deref(), &parts.headers);
        let cookie = pages.cookies.read(&parts.headers, SESSION).unwrap_or_default();
        let found = pages.sessions.current(&cookie).await;
        let Ok(found) = found.inspect_err(|error| tracing::error!(%error, "who is signed in cannot be told")) else {
            return Err(shown(&Trouble::Unavailable, &Frame::bare(pages, language)));
        };
        let Some(signed_in) = found else { return Err(sign_in(parts, language)) };
        let Who::Patient(patient) = signed_in.who else {
            return Err(shown(&Trouble::NotAPatient, &Frame::bare(pages, language)));
        };
        let (path, headers) = (parts.uri.path().to_owned(), parts.headers.clone());
        Ok(Self { patient, signed_in, language, now: pages.clock.now(), query, cookie, path, headers })
    }
}

/// To the sign-in page, and back to the same page after; what a form held is not sent along.
fn sign_in(parts: &Parts, language: Language) -> Response<Body> {
    let back = if parts.method == Method::GET { parts.uri.path() } else { "/" };
    see_other(&format!("/login?lang={}&continue={back}", language.code()))
}

impl Visitor {
    /// With what they ask other rooms: they ask for themselves.
    pub(super) fn bearer(&self) -> Bearer {
        let subject = Subject::Patient(self.patient);
        Bearer { subject, purpose: Purpose::Patrqt, scopes: Vec::new(), only: Some(self.patient) }
    }

    /// The frame of a page.
    pub(super) async fn frame(&self, pages: &Pages, here: Here) -> Frame {
        let waiting = pages.consents.waiting(self.patient).await;
        Frame {
            language: self.language,
            here,
            base_url: pages.base_url.clone(),
            path: self.path.clone(),
            form: form_token(&self.cookie),
            signed_in: true,
            // Not known is not told as none: the page of requests says what is wrong.
            waiting: waiting.unwrap_or(0),
            development: pages.development,
            assets: &ADDRESSES,
        }
    }

    /// The fields of a form that one of our own pages sent.
    pub(super) async fn posted(&self, pages: &Pages, body: Body) -> Result<Fields, Trouble> {
        let fields = Fields::of(&self.headers, body).await.map_err(|_| Trouble::Foreign)?.ok_or(Trouble::Foreign)?;
        let own = is_own_form(&self.headers, &pages.base_url, Some(&self.cookie), fields.get("form"));
        if own { Ok(fields) } else { Err(Trouble::Foreign) }
    }

    /// The page, or what is said instead of it; a language that was asked for is kept.
    pub(super) async fn answer(&self, pages: &Pages, made: Result<Response<Body>, Trouble>) -> Response<Body> {
        let mut response = match made {
            Ok(response) => response,
            Err(trouble) => shown(&trouble, &self.frame(pages, Here::Nowhere).await),
        };
        if self.query.get("lang").is_some()
            && let Ok(kept) = pages.cookies.set(LANGUAGE, self.language.code())
        {
            response.headers_mut().append(SET_COOKIE, kept);
        }
        response
    }
}
