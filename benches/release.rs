//! `cargo bench --bench release -- --quick`: the same as `garant bench`, but the floor reads through sqlx's pools, which
//! is what the goals G1 and G2 are stated against.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use garant::bench::{RECORD_BYTES, ROW};
use garant::db::{Location, Settings};
use garant::model::RecordKey;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

// As in the program itself: what is measured is what is delivered.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    garant::cli::bench(floor)
}

#[derive(Clone)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

fn floor(settings: Settings) -> Pin<Box<dyn Future<Output = Result<Router, String>> + Send>> {
    Box::pin(async move {
        let pool = open(&settings).await.map_err(|e| e.to_string())?;
        Ok(Router::new().route("/bench/row/{id}", get(row)).with_state(pool))
    })
}

async fn open(settings: &Settings) -> Result<Pool, sqlx::Error> {
    let most = settings.readers.max(1);
    Ok(match &settings.location {
        Location::File(path) => {
            let options = SqliteConnectOptions::new().filename(path).pragma("query_only", "ON");
            let pool = SqlitePoolOptions::new().max_connections(most).test_before_acquire(false);
            Pool::Sqlite(pool.connect_with(options).await?)
        }
        Location::Url(url) => {
            let pool = PgPoolOptions::new().max_connections(most).test_before_acquire(false);
            Pool::Postgres(pool.connect(url).await?)
        }
    })
}

async fn row(State(pool): State<Pool>, Path(id): Path<String>) -> Result<Vec<u8>, StatusCode> {
    let key: RecordKey = id.parse().map_err(|_| StatusCode::NOT_FOUND)?;
    let (patient, record) = (&key.patient.as_bytes()[..], &key.record.as_bytes()[..]);
    let found: Result<Vec<u8>, _> = match &pool {
        Pool::Sqlite(pool) => sqlx::query_scalar(ROW).bind(patient).bind(record).bind(1i64).fetch_one(pool).await,
        Pool::Postgres(pool) => sqlx::query_scalar(ROW).bind(patient).bind(record).bind(1i64).fetch_one(pool).await,
    };
    let mut bytes = found.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    bytes.truncate(RECORD_BYTES);
    Ok(bytes)
}
