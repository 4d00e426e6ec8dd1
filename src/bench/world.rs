//! A house in a folder of its own: one organisation, one physician, one client, and the patients.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::patient::{Made, make};
use super::{BASE_URL, PASSPHRASE, Plan, Trouble};
use crate::app::{Chores, House, Means, found};
use crate::chance::SystemChance;
use crate::clock::{Stopwatch, SystemClock};
use crate::config::{Config, Doors, RootConfig, SignInConfig};
use crate::db::Spare;
use crate::directory::{Client, Organisation, Party, Professional, Profile};
use crate::id::{ClientId, OrganisationId, ProfessionalId};
use crate::model::OrganisationKind;
use crate::secret::Secret;

/// Patients that are made at the same moment, so that they share their commits.
const ABREAST: usize = 32;

/// A filled house, closed again.
pub(super) struct World {
    pub(super) engine: &'static str,
    pub(super) folder: PathBuf,
    /// FHIR ids of the records of the patients whose consent stands.
    pub(super) records: Vec<String>,
    /// Patient, consent and a record of each patient whose consent is there to be revoked.
    pub(super) revocable: Vec<Made>,
    pub(super) took: Duration,
    spare: Vec<Spare>,
}

/// Who asks.
pub(super) struct Staff {
    pub(super) client: ClientId,
    pub(super) organisation: OrganisationId,
    pub(super) professional: ProfessionalId,
}

/// How a house of this room is opened.
pub(super) fn means(folder: PathBuf, config: Config) -> Means {
    Means {
        folder,
        config,
        passphrase: Secret::new(PASSPHRASE.to_owned()),
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance::new()),
    }
}

/// No limit on what one client may ask for: its load is what is measured.
fn doors() -> Doors {
    let most = NonZeroU32::MIN.saturating_add(999_999);
    Doors {
        per_second: most,
        strangers_per_second: most,
        at_once: 1_000_000,
        connections: 1_000_000,
        ..Doors::default()
    }
}

impl World {
    /// Founds and fills a house, on SQLite or on the PostgreSQL below `prefix`.
    pub(super) async fn make(plan: &Plan, prefix: Option<&str>) -> Result<Self, Trouble> {
        let (mut world, house, chores) = found_at(plan, prefix, "release").await?;
        let watch = Stopwatch::start();
        let filled = fill(&house, plan).await;
        drop(house);
        chores.end().await;
        let (made, revocable) = filled?;
        let mut records: Vec<String> = made.into_iter().flat_map(|m| m.records).collect();
        if plan.hot {
            records.truncate(1);
        }
        (world.records, world.revocable, world.took) = (records, revocable, watch.elapsed());
        Ok(world)
    }

    /// Removes folder and databases.
    pub(super) async fn remove(self) -> Result<(), Trouble> {
        for spare in self.spare {
            spare.remove().await?;
        }
        std::fs::remove_dir_all(&self.folder).map_err(|e| Trouble::Io("the house's folder", e))
    }
}

/// Founds an empty house for one kind of measurement.
pub(super) async fn found_at(
    plan: &Plan,
    prefix: Option<&str>,
    what: &str,
) -> Result<(World, Arc<House>, Chores), Trouble> {
    let engine = if prefix.is_some() { "PostgreSQL" } else { "SQLite" };
    let folder = plan.scratch.join(format!("{engine}-{what}"));
    std::fs::create_dir_all(&folder).map_err(|e| Trouble::Io("the house's folder", e))?;
    let mut spare = Vec::new();
    if let Some(prefix) = prefix {
        for what in ["store", "keys"] {
            spare.push(Spare::make(prefix, &format!("garant_bench_{}_{what}", std::process::id())).await?);
        }
    }
    let mut urls = spare.iter().map(|s| s.url().to_owned());
    let config = Config {
        base_url: BASE_URL.to_owned(),
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        development: true,
        store: urls.next(),
        keystore: urls.next(),
        root: RootConfig::File { in_production: false },
        readers: plan.readers,
        checkpoint_secs: 1,
        doors: doors(),
        origins: Vec::new(),
        sign_in: SignInConfig::default(),
    };
    let founded = found(means(folder.clone(), config)).await?;
    let (records, revocable, took) = (Vec::new(), Vec::new(), Duration::ZERO);
    let world = World { engine, folder, records, revocable, took, spare };
    Ok((world, founded.house, founded.chores))
}

async fn fill(house: &Arc<House>, plan: &Plan) -> Result<(Vec<Made>, Vec<Made>), Trouble> {
    let professional = enrol(house).await?.professional;
    let mut making = JoinSet::new();
    let mut made = Vec::new();
    for _ in 0..plan.patients + plan.revocations {
        if making.len() >= ABREAST
            && let Some(done) = making.join_next().await
        {
            made.push(done.map_err(Trouble::filling)??);
        }
        let (house, records) = (Arc::clone(house), plan.records);
        making.spawn(async move { make(&house, professional, records).await });
    }
    while let Some(done) = making.join_next().await {
        made.push(done.map_err(Trouble::filling)??);
    }
    let revocable = made.split_off(plan.patients.min(made.len()));
    Ok((made, revocable))
}

/// Enrols one organisation, one physician and one client.
pub(super) async fn enrol(house: &House) -> Result<Staff, Trouble> {
    let organisation = OrganisationId::random(&*house.chance).map_err(Trouble::filling)?;
    let professional = ProfessionalId::random(&*house.chance).map_err(Trouble::filling)?;
    let client = ClientId::random(&*house.chance).map_err(Trouble::filling)?;
    let parties = [
        Party::Organisation(Organisation {
            id: organisation,
            kind: OrganisationKind::Care,
            name: "Cabinet de mesure".to_owned(),
            number: String::new(),
            active: true,
        }),
        Party::Professional(Professional {
            id: professional,
            name: "Dr Mesure".to_owned(),
            profession: "10".parse().map_err(Trouble::filling)?,
            number: "810000000001".to_owned(),
            organisations: vec![organisation],
            active: true,
        }),
        Party::Client(Client {
            id: client,
            organisation,
            name: "Logiciel de mesure".to_owned(),
            profile: Profile::Smart,
            keys: vec!["{}".to_owned()],
            redirects: Vec::new(),
            logout: String::new(),
            scopes: vec!["Observation.rs".parse().map_err(Trouble::filling)?],
            active: true,
        }),
    ];
    for party in &parties {
        house.enrolments.enrol(party).await.map_err(Trouble::filling)?;
    }
    Ok(Staff { client, organisation, professional })
}
