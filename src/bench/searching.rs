//! What a search costs beside the reading of one record: in one large record, and in stores of growing size.

use std::sync::Arc;

use super::patient::{make, make_large};
use super::spread::Spread;
use super::world::{Staff, found_at};
use super::{Plan, Trouble};
use crate::app::House;
use crate::clock::Stopwatch;
use crate::fhir::Handling;
use crate::id::PatientId;
use crate::model::{Bearer, Purpose, RecordKey, Subject};
use crate::release::Wanted;

/// Resources of the large record.
const LARGE: usize = 10_000;
/// Times each figure is taken.
const TIMES: usize = 15;

/// The searches: what they are called, and what they ask beside the patient.
const ASKED: [(&str, &[(&str, &str)]); 5] = [
    ("whole scan, nothing found", &[("code", "0000-0")]),
    ("the 50 that match among all", &[("code", "9999-9"), ("_count", "50")]),
    ("first page of 50", &[("_count", "50")]),
    ("first 50 by date", &[("_sort", "-date"), ("_count", "50")]),
    ("how many, counted", &[("_summary", "count")]),
];

/// Measures searches in stores of 100 patients and up, by tens, to as many as the plan says.
///
/// # Errors
/// [`Trouble`].
pub async fn search(plan: &Plan, tell: &mut dyn FnMut(String)) -> Result<(), Trouble> {
    for prefix in std::iter::once(None).chain(plan.postgres.as_deref().map(Some)) {
        let mut size = 100;
        loop {
            in_a_store(plan, prefix, size, tell).await?;
            size *= 10;
            if size > plan.patients.max(100) {
                break;
            }
        }
    }
    Ok(())
}

async fn in_a_store(
    plan: &Plan,
    prefix: Option<&str>,
    patients: usize,
    tell: &mut dyn FnMut(String),
) -> Result<(), Trouble> {
    let (world, house, chores) = found_at(plan, prefix, &format!("search-{patients}")).await?;
    let measured = measure(&house, patients, plan.records, world.engine, tell).await;
    drop(house);
    chores.end().await;
    world.remove().await?;
    measured
}

async fn measure(
    house: &Arc<House>,
    patients: usize,
    records: usize,
    engine: &str,
    tell: &mut dyn FnMut(String),
) -> Result<(), Trouble> {
    let staff = super::world::enrol(house).await?;
    let bearer = bearer(&staff)?;
    let mut small = None;
    for _ in 0..patients {
        small = Some(make(house, staff.professional, records).await?);
    }
    let small = small.ok_or_else(|| Trouble::filling("no patients"))?;
    let large = make_large(house, staff.professional, LARGE).await?;
    let one: RecordKey =
        small.records.first().and_then(|r| r.parse().ok()).ok_or_else(|| Trouble::filling("no record"))?;
    let mut figures = Vec::new();
    for _ in 0..TIMES {
        let watch = Stopwatch::start();
        house.door.read(&bearer, "Observation", one).await.map_err(Trouble::filling)?;
        figures.push(watch.elapsed().as_secs_f64());
    }
    let read = Spread::of(figures).median;
    tell(format!("{engine}, {patients} patients: reading one record takes {:.2} ms (median of {TIMES})", read * 1e3));
    let own: [(&str, &[(&str, &str)]); 1] = [("an ordinary record, all of it", &[])];
    for (patient, count, asked) in [(small.patient, records, &own[..]), (large.patient, LARGE, &ASKED[..])] {
        for (name, pairs) in asked {
            let (took, shown) = timed(house, &bearer, patient, pairs).await?;
            tell(format!(
                "  {name:32} {count:6} resources {shown:5} shown {:9.2} ms = {:7.1} reads, {:6.2} us a resource",
                took * 1e3,
                took / read,
                took * 1e6 / f64::from(u32::try_from(count).unwrap_or(u32::MAX)),
            ));
        }
    }
    Ok(())
}

async fn timed(
    house: &House,
    bearer: &Bearer,
    patient: PatientId,
    pairs: &[(&str, &str)],
) -> Result<(f64, usize), Trouble> {
    let reference = format!("Patient/{patient}");
    let owned: Vec<(String, String)> = std::iter::once(&("patient", reference.as_str()))
        .chain(pairs)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let base = &house.config.base_url;
    let (mut figures, mut shown) = (Vec::new(), 0);
    for _ in 0..TIMES {
        let wanted = Wanted::search("Observation", owned.clone(), base, house.clock.now(), Handling::Strict);
        let wanted = wanted.map_err(Trouble::filling)?;
        let watch = Stopwatch::start();
        let page = house.door.search(bearer, patient, &wanted).await.map_err(Trouble::filling)?;
        figures.push(watch.elapsed().as_secs_f64());
        shown = page.entries.len();
    }
    Ok((Spread::of(figures).median, shown))
}

fn bearer(staff: &Staff) -> Result<Bearer, Trouble> {
    let profession = "10".parse().map_err(Trouble::filling)?;
    Ok(Bearer {
        subject: Subject::Client {
            client: staff.client,
            organisation: staff.organisation,
            professional: Some((staff.professional, profession)),
        },
        purpose: Purpose::Treat,
        scopes: vec!["Observation.rs".parse().map_err(Trouble::filling)?],
    })
}
