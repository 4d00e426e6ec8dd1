//! The rounds: in each, every target at every number of connections, floor and release next to each other.

use std::sync::Arc;
use std::time::Duration;

use super::child::Child;
use super::load::{Aim, press};
use super::revoking::Revoking;
use super::spread::{Spread, quantile};
use super::{Plan, Trouble};
use crate::clock::Stopwatch;

/// One target at one number of connections in one round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    pub(super) per_second: f64,
    /// CPU of the server for one request, in microseconds.
    pub(super) cpu: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) worst: f64,
    /// Releases that shared one turn of the log; 0 for the floor.
    pub(super) group: f64,
    /// Answers other than 200; any makes the figures worthless.
    pub(super) refused: u64,
}

/// Floor and release, measured one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) connections: usize,
    pub(super) floor: Cell,
    pub(super) full: Cell,
}

/// All of one engine.
pub(super) struct Figures {
    pub(super) engine: &'static str,
    pub(super) pairs: Vec<Pair>,
    /// One durable commit by itself, in microseconds: the median of each round.
    pub(super) commit: Vec<f64>,
    /// Most resident memory, in MiB.
    pub(super) memory: f64,
    pub(super) revoking: Option<Revoking>,
}

impl Figures {
    /// A figure of both at `connections`, over the rounds.
    pub(super) fn spread(&self, connections: usize, figure: impl Fn(&Pair) -> f64) -> Spread {
        Spread::of(self.pairs.iter().filter(|p| p.connections == connections).map(figure))
    }
}

/// What is asked of `child`: the floor, and the release with a fresh token.
pub(super) async fn aims(child: &Child) -> Result<(Aim, Aim), Trouble> {
    let token = child.told("/bench/token").await?;
    let ids: Arc<[String]> = Arc::from(child.records.clone());
    let aim = |head: &str, tail: String| Aim {
        address: child.address,
        head: Arc::from(head),
        ids: Arc::clone(&ids),
        tail: Arc::from(tail),
    };
    let floor = aim("GET /bench/row/", " HTTP/1.1\r\nHost: bench\r\n\r\n".to_owned());
    let authorized = format!(" HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n");
    Ok((floor, aim("GET /fhir/Observation/", authorized)))
}

/// All rounds on all engines.
pub(super) async fn all(
    plan: &Plan,
    children: &mut [Child],
    tell: &mut dyn FnMut(String),
) -> Result<Vec<Figures>, Trouble> {
    let empty =
        |c: &Child| Figures { engine: c.engine, pairs: Vec::new(), commit: Vec::new(), memory: 0.0, revoking: None };
    let mut figures: Vec<Figures> = children.iter().map(empty).collect();
    for child in &*children {
        // Memos, caches and prepared statements fill, as they are after the first minute of service.
        let (floor, full) = aims(child).await?;
        press(&floor, 16, plan.each).await?;
        press(&full, 16, plan.each).await?;
    }
    for round in 0..plan.rounds {
        tell(format!("round {} of {}", round + 1, plan.rounds));
        for &connections in &plan.connections {
            for (child, figures) in children.iter().zip(&mut figures) {
                let (floor, full) = aims(child).await?;
                // Whoever goes first must not always be the same: A B, B A.
                let pair = if round.is_multiple_of(2) {
                    let floor = cell(child, &floor, connections, plan.each).await?;
                    Pair { connections, floor, full: cell(child, &full, connections, plan.each).await? }
                } else {
                    let full = cell(child, &full, connections, plan.each).await?;
                    Pair { connections, floor: cell(child, &floor, connections, plan.each).await?, full }
                };
                figures.pairs.push(pair);
            }
        }
        for (child, figures) in children.iter().zip(&mut figures) {
            figures.commit.push(commit(child).await?);
            figures.memory = real(child.most_memory()?) / 1024.0;
        }
    }
    Ok(figures)
}

async fn cell(child: &Child, aim: &Aim, connections: usize, each: Duration) -> Result<Cell, Trouble> {
    let turns = turns(child).await?;
    let (cpu, watch) = (child.cpu_micros()?, Stopwatch::start());
    let mut tally = press(aim, connections, each).await?;
    let seconds = watch.elapsed().as_secs_f64();
    let cpu = child.cpu_micros()?.saturating_sub(cpu);
    let turns = self::turns(child).await?.saturating_sub(turns);
    tally.micros.sort_unstable();
    let asked = real(tally.micros.len() as u64);
    let at = |share| f64::from(quantile(&tally.micros, share));
    Ok(Cell {
        per_second: asked / seconds,
        cpu: real(cpu) / asked,
        p50: at(500),
        p99: at(990),
        worst: at(1000),
        group: if turns == 0 { 0.0 } else { asked / real(turns) },
        refused: tally.refused,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}

async fn turns(child: &Child) -> Result<u64, Trouble> {
    child.told("/bench/turns").await?.parse().map_err(|_| Trouble::Server("turns".to_owned()))
}

/// The median of some durable commits, one after the other.
async fn commit(child: &Child) -> Result<f64, Trouble> {
    let mut all = Vec::with_capacity(50);
    for _ in 0..50 {
        all.push(child.told("/bench/commit").await?.parse().unwrap_or(0.0));
    }
    Ok(Spread::of(all).median)
}
