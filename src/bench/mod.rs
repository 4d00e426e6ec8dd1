//! Measures what a release costs beside the one database read that it contains.
//!
//! Lives here: a house filled with synthetic patients, the server under measurement as a child process, a load
//! generator for loopback, and the figures with the goals beside them.
//! May touch: every room, through `app`; `axum` for its own routes, `ring` for synthetic devices.
//! Must never: judge (no timing is a pass or a fail), serve anything outside loopback, touch a house of anyone's.

mod beside;
mod child;
mod grant;
mod load;
mod machine;
mod measure;
mod patient;
mod report;
mod revoking;
mod searching;
mod spread;
mod world;

use std::path::PathBuf;
use std::time::Duration;

pub use beside::{Floor, ROW, serve};
pub use searching::search;

/// The passphrase of the throw-away house; it protects nothing.
const PASSPHRASE: &str = "a house for measuring only";
/// The base URL that its tokens are bound to; nothing is ever asked of it.
const BASE_URL: &str = "http://127.0.0.1/fhir";
/// Bytes of each synthetic Observation.
pub const RECORD_BYTES: usize = 2048;

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the houses are put, each in a folder of its own; removed at the end.
    pub scratch: PathBuf,
    /// PostgreSQL to measure as well: a URL that ends in a slash, whose user may make databases.
    pub postgres: Option<String>,
    /// Patients with a consent that stands.
    pub patients: usize,
    /// Observations of each.
    pub records: usize,
    /// Read one record over and over instead of all.
    pub hot: bool,
    /// Consents to be revoked while reads saturate the server.
    pub revocations: usize,
    /// Rounds; in each, every target is measured at every number of connections.
    pub rounds: usize,
    /// How long each measurement takes.
    pub each: Duration,
    /// Numbers of connections.
    pub connections: Vec<usize>,
    /// Connections for reading that the server holds to its database, at most.
    pub readers: u32,
}

/// What went wrong; figures that were not taken are not shown.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The house could not be founded or opened.
    #[error(transparent)]
    Cannot(#[from] crate::app::Cannot),
    /// A file, a socket or a process.
    #[error("{0}")]
    Io(&'static str, #[source] std::io::Error),
    /// A database.
    #[error(transparent)]
    Db(#[from] crate::db::DbError),
    /// The house could not be filled.
    #[error("the house could not be filled: {0}")]
    Filling(String),
    /// The server said something that cannot be used.
    #[error("the server under measurement: {0}")]
    Server(String),
}

impl Trouble {
    fn filling(error: impl std::fmt::Display) -> Self {
        Self::Filling(error.to_string())
    }
}

/// Fills the houses, measures, and tells the figures line by line. `program` is this program: it is started again
/// with `arguments` and the house's folder, and must then call [`serve`].
///
/// # Errors
/// [`Trouble`].
pub async fn run(
    plan: &Plan,
    program: &std::path::Path,
    arguments: &[&str],
    tell: &mut dyn FnMut(String),
) -> Result<(), Trouble> {
    for line in machine::describe(plan) {
        tell(line);
    }
    let mut worlds = Vec::new();
    for postgres in std::iter::once(None).chain(plan.postgres.as_deref().map(Some)) {
        let world = world::World::make(plan, postgres).await?;
        tell(format!("{}: {} patients in {:.1} s", world.engine, plan.patients, world.took.as_secs_f64()));
        worlds.push(world);
    }
    let mut children = Vec::new();
    for world in &worlds {
        children.push(child::Child::start(program, arguments, world).await?);
    }
    let measured = measure::all(plan, &mut children, tell).await;
    let shown = match measured {
        Ok(mut all) => {
            for (figures, child) in all.iter_mut().zip(&children) {
                figures.revoking = Some(revoking::measure(plan, child).await?);
            }
            report::show(plan, &all, tell);
            Ok(())
        }
        Err(error) => Err(error),
    };
    for child in children {
        child.end().await;
    }
    for world in worlds {
        world.remove().await?;
    }
    shown
}
