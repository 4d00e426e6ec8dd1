//! Who is asking, from the headers.

use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};

use super::Patients;
use super::answer::Problem;
use crate::id::PatientId;
use crate::identity::{Credentials, Unauthenticated};
use crate::model::{Bearer, Subject};

/// The bearer of the one access token that the request carries.
pub(super) async fn bearer(patients: &Patients, parts: &Parts) -> Result<Bearer, Problem> {
    let nobody = || Problem::new(StatusCode::UNAUTHORIZED, "sign in first");
    let authorization = one(parts, &header::AUTHORIZATION).ok_or_else(nobody)?;
    let dpop = one(parts, &HeaderName::from_static("dpop")).ok_or_else(nobody)?;
    let dpop = Some(dpop).filter(|proof| !proof.is_empty());
    let url = format!("{}{}", patients.base_url, parts.uri.path());
    let credentials = Credentials { authorization, dpop, method: parts.method.as_str(), url: &url };
    match patients.authenticator.authenticate(credentials).await {
        Ok(bearer) => Ok(bearer),
        Err(Unauthenticated::Refused(reason)) => {
            tracing::info!(reason, "a token was refused");
            Err(nobody())
        }
        Err(Unauthenticated::Unavailable(error)) => {
            tracing::error!(%error, "whether a proof was used before cannot be told");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "this cannot be done now"))
        }
    }
}

/// The patient whose token it is.
pub(super) async fn patient(patients: &Patients, parts: &Parts) -> Result<PatientId, Problem> {
    match bearer(patients, parts).await?.subject {
        Subject::Patient(patient) => Ok(patient),
        Subject::Client { .. } => Err(Problem::new(StatusCode::FORBIDDEN, "only the patient may do this")),
    }
}

/// The header's value, empty when there is none; `None` when it is there twice, which could be read differently on
/// the way, or is not plain text.
fn one<'p>(parts: &'p Parts, name: &HeaderName) -> Option<&'p str> {
    let mut values = parts.headers.get_all(name).iter();
    let first = values.next().map_or(Some(""), |v| v.to_str().ok());
    first.filter(|_| values.next().is_none())
}
