//! Answers: JSON that nobody keeps, and problems in plain words (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::consent::ConsentError;
use crate::http::{challenge, problem};
use crate::identity::Unauthenticated;
use crate::model::statement::BadStatement;

/// A good answer.
pub(super) fn ok(status: StatusCode, body: &Value) -> Response {
    respond(status, "application/json", body)
}

/// Why there is no good answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    reason: Option<&'static str>,
    article: Option<&'static str>,
    challenge: Option<HeaderValue>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), reason: None, article: None, challenge: None }
    }

    /// Nobody is signed in, or not well enough.
    pub(super) fn unauthorized(why: &Unauthenticated) -> Self {
        Self { challenge: challenge(why), ..Self::new(StatusCode::UNAUTHORIZED, "sign in first") }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Problem");
        let mut body = json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
        if let Some(object) = body.as_object_mut() {
            for (name, value) in [("reason", self.reason), ("article", self.article)] {
                if let Some(value) = value {
                    object.insert(name.to_owned(), value.into());
                }
            }
        }
        let mut response = respond(self.status, "application/problem+json", &body);
        response.headers_mut().extend(self.challenge.map(|value| (header::WWW_AUTHENTICATE, value)));
        response
    }
}

impl From<BadStatement> for Problem {
    fn from(bad: BadStatement) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, bad.to_string())
    }
}

impl From<ConsentError> for Problem {
    fn from(error: ConsentError) -> Self {
        let status = match &error {
            ConsentError::Statement(_)
            | ConsentError::NotIssued
            | ConsentError::NoGrantee
            | ConsentError::Wider
            | ConsentError::Refused { .. }
            | ConsentError::Unsayable(_)
            | ConsentError::BadMessage => StatusCode::UNPROCESSABLE_ENTITY,
            ConsentError::Elsewhere | ConsentError::Unsigned | ConsentError::Young | ConsentError::NotForYou => {
                StatusCode::FORBIDDEN
            }
            ConsentError::Late | ConsentError::Changed | ConsentError::Conflict | ConsentError::Exclusion => {
                StatusCode::CONFLICT
            }
            ConsentError::Unknown => StatusCode::NOT_FOUND,
            ConsentError::Unavailable(source) => {
                tracing::error!(error = %source, "a deed over a consent failed");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        let mut problem = Self::new(status, error.to_string());
        if let ConsentError::Refused { reason, article } = error {
            (problem.reason, problem.article) = (Some(reason), article);
        }
        problem
    }
}

fn respond(status: StatusCode, kind: &'static str, body: &Value) -> Response {
    problem(status, kind, body.to_string())
}
