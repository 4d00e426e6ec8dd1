//! The server under measurement: all doors of the house, and beside them the routes that measure.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use tokio::sync::watch;

use super::world::means;
use super::{BASE_URL, RECORD_BYTES, Trouble};
use crate::app::House;
use crate::app::serve::{listen, router};
use crate::chance;
use crate::clock::Stopwatch;
use crate::config::Config;
use crate::db::{Holds, Location, Settings};
use crate::directory::Party;
use crate::http::{fhir, problem};
use crate::id::{ClientId, ConsentId, PatientId, ProfessionalId};
use crate::identity::{LONGEST_SECONDS, PROFESSIONS};
use crate::model::{Coding, Purpose, RecordKey};
use crate::proof::{AccessToken, Iua, access_token};

struct Beside {
    house: Arc<House>,
    client: ClientId,
    organisation: String,
    professional: ProfessionalId,
}

/// What the floor asks.
pub const ROW: &str = "SELECT sealed FROM content WHERE patient = $1 AND record = $2 AND version = $3";

/// Another floor than the house's own drivers: a router with `/bench/row/{id}`, which answers with the first
/// [`super::RECORD_BYTES`] bytes of what [`ROW`] finds.
pub type Floor = fn(Settings) -> Pin<Box<dyn Future<Output = Result<Router, String>> + Send>>;

type Answer = Result<Response<Body>, Response<Body>>;

/// Serves the house in `folder` on any port of loopback, tells the port, and ends when its input does.
///
/// # Errors
/// [`Trouble`].
pub async fn serve(folder: PathBuf, floor: Option<Floor>, tell: impl FnOnce(String)) -> Result<(), Trouble> {
    let config = Config::load(&folder).map_err(Trouble::filling)?;
    let (house, chores) = House::open(means(folder, config)).await?;
    let beside = Arc::new(beside(&house).await?);
    let floor = match floor {
        Some(floor) => floor(settings(&house)).await.map_err(Trouble::Server)?,
        None => Router::new().route("/bench/row/{id}", get(row)).with_state(Arc::clone(&beside)),
    };
    let routes = Router::new()
        .route("/bench/commit", get(commit))
        .route("/bench/token", get(token))
        .route("/bench/turns", get(turns))
        .route("/bench/revoke/{patient}/{consent}", post(revoke))
        .with_state(beside);
    // The house's own guard is on its own doors only: the floor is what axum costs by itself.
    let listening = listen(house.config.listen, router(&house).merge(routes).merge(floor))
        .await
        .map_err(|e| Trouble::Server(e.to_string()))?;
    let address = listening.address().map_err(|e| Trouble::Io("the address", e))?;
    tell(address.to_string());
    let (end, ending) = watch::channel(false);
    let parent_gone = async move {
        // A thread of its own may wait for input that only comes to its end when the parent does.
        drop(tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await);
        end.send_replace(true);
    };
    tokio::join!(listening.serve(ending), parent_gone);
    drop(house);
    chores.end().await;
    Ok(())
}

async fn beside(house: &Arc<House>) -> Result<Beside, Trouble> {
    let clients = house.enrolments.all("client").await.map_err(Trouble::filling)?;
    let people = house.enrolments.all("professional").await.map_err(Trouble::filling)?;
    match (clients.first().map(|p| &**p), people.first().map(|p| &**p)) {
        (Some(Party::Client(client)), Some(Party::Professional(person))) => Ok(Beside {
            house: Arc::clone(house),
            client: client.id,
            organisation: client.organisation.to_string(),
            professional: person.id,
        }),
        _ => Err(Trouble::filling("nobody is enrolled")),
    }
}

fn settings(house: &House) -> Settings {
    let location =
        house.config.store.clone().map_or_else(|| Location::File(house.folder.join("store.sqlite")), Location::Url);
    Settings { location, holds: Holds::Data, create: false, readers: house.config.readers }
}

/// The floor: one row by its primary key of three parts, as many bytes of it as a release has.
async fn row(State(beside): State<Arc<Beside>>, Path(id): Path<String>) -> Answer {
    let key: RecordKey = id.parse().map_err(failed)?;
    let args = [key.patient.as_bytes().into(), key.record.as_bytes().into(), 1.into()];
    let read = |row: &crate::db::Row<'_>| Ok(row.bytes(0)?.to_vec());
    let found = beside.house.store.db().maybe("content", ROW, &args, read).await.map_err(failed)?;
    let mut bytes = found.ok_or_else(|| failed("no such row"))?;
    bytes.truncate(RECORD_BYTES);
    Ok(fhir(StatusCode::OK, bytes))
}

/// One durable commit of one small row, by itself; answers with the microseconds it took.
async fn commit(State(beside): State<Arc<Beside>>) -> Answer {
    let house = &beside.house;
    let jti = chance::bytes::<32>(&*house.chance).map_err(failed)?;
    let now = house.clock.now();
    let watch = Stopwatch::start();
    house.store.use_once("bench", jti, now, now.plus_secs(3600)).await.map_err(failed)?;
    Ok(told(watch.elapsed().as_micros()))
}

/// An access token as the token endpoint makes them.
async fn token(State(beside): State<Arc<Beside>>) -> Answer {
    let house = &beside.house;
    let now = crate::clock::Timestamp::from_secs(house.clock.now().secs());
    let claims = AccessToken {
        issuer: house.config.issuer().to_owned(),
        audience: BASE_URL.to_owned(),
        subject: beside.client.to_string(),
        client: beside.client,
        issued: now,
        expires: now.plus_secs(LONGEST_SECONDS),
        id: crate::id::DeedId::random(&*house.chance).map_err(failed)?.to_string(),
        scope: "system/Observation.rs".to_owned(),
        patient: None,
        bound_to: None,
        iua: Iua {
            organisation: Some(beside.organisation.clone()),
            professional: Some(beside.professional.to_string()),
            role: Some(Coding { system: PROFESSIONS.to_owned(), code: "10".to_owned() }),
            purpose: Some(Purpose::Treat),
        },
    };
    let signer = house.keyring.access_signer();
    signer.sign(access_token::TYP, claims.to_claims_json().as_bytes()).map(told).map_err(failed)
}

/// How many turns the log has taken since the server began.
async fn turns(State(beside): State<Arc<Beside>>) -> Answer {
    Ok(told(beside.house.ledger.turns()))
}

async fn revoke(State(beside): State<Arc<Beside>>, Path((patient, consent)): Path<(String, String)>) -> Answer {
    let patient: PatientId = patient.parse().map_err(failed)?;
    let consent: ConsentId = consent.parse().map_err(failed)?;
    match beside.house.consents.revoke(patient, consent).await.map_err(failed)? {
        Some(leaf) => Ok(told(leaf)),
        None => Err(failed("it had ended before")),
    }
}

fn told(text: impl std::fmt::Display) -> Response<Body> {
    problem(StatusCode::OK, "text/plain", Bytes::from(text.to_string()))
}

fn failed(why: impl std::fmt::Display) -> Response<Body> {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", Bytes::from(why.to_string()))
}
