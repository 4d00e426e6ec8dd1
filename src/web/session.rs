//! Who is asking, from the headers.

use axum::http::StatusCode;
use axum::http::request::Parts;

use super::Patients;
use super::answer::Problem;
use crate::http;
use crate::id::PatientId;
use crate::identity::Unauthenticated;
use crate::model::{Bearer, Subject};

/// The bearer of the one access token that the request carries.
pub(super) async fn bearer(patients: &Patients, parts: &Parts) -> Result<Bearer, Problem> {
    let url = format!("{}{}", patients.base_url, parts.uri.path());
    match http::bearer(&patients.authenticator, &parts.headers, parts.method.as_str(), &url).await {
        Ok(bearer) => Ok(bearer),
        Err(
            why @ (Unauthenticated::Nobody
            | Unauthenticated::Refused(_)
            | Unauthenticated::Unproved(_)
            | Unauthenticated::Stale),
        ) => {
            tracing::info!(%why, "a token was refused");
            Err(Problem::unauthorized(&why))
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
