//! Revocations while readers saturate the server (G7).

use std::time::Duration;

use super::child::Child;
use super::load::{Line, press};
use super::measure::aims;
use super::spread::quantile;
use super::{Plan, Trouble};
use crate::clock::Stopwatch;

/// How many read at the same time.
const READERS: usize = 64;

/// What the revocations came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Revoking {
    /// Revocations measured with nobody reading, and among 64 readers.
    pub(super) number: usize,
    /// Median and 99th percentile with nobody else there, in microseconds.
    pub(super) quiet: (u32, u32),
    /// The same among the readers.
    pub(super) busy: (u32, u32),
    /// Reads begun after their revocation was answered, and answered with the record all the same: must be 0.
    pub(super) late: usize,
}

/// Revokes half of the consents in peace and half among readers; after each, reads once more.
pub(super) async fn measure(plan: &Plan, child: &Child) -> Result<Revoking, Trouble> {
    let (quiet, busy) = child.revocable.split_at(child.revocable.len() / 2);
    let token = child.told("/bench/token").await?;
    let mut late = 0;
    let alone = revoke(child, quiet, &token, &mut late).await?;
    let (_, full) = aims(child).await?;
    // Readers outlast the revocations: the token they carry lives longer than this.
    let patience = plan.each.max(Duration::from_secs(1)) * 2;
    let reading = press(&full, READERS, patience);
    let among = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let watch = Stopwatch::start();
        let mut all = Vec::new();
        for one in busy {
            if watch.elapsed() + Duration::from_millis(400) > patience {
                break;
            }
            all.extend(revoke(child, std::slice::from_ref(one), &token, &mut late).await?);
        }
        Ok::<_, Trouble>(all)
    };
    let (read, among) = tokio::join!(reading, among);
    read?;
    let (alone, among) = (sorted(alone), sorted(among?));
    let both = |all: &[u32]| (quantile(all, 500), quantile(all, 990));
    Ok(Revoking { number: alone.len() + among.len(), quiet: both(&alone), busy: both(&among), late })
}

fn sorted(mut micros: Vec<u32>) -> Vec<u32> {
    micros.sort_unstable();
    micros
}

async fn revoke(
    child: &Child,
    consents: &[super::patient::Made],
    token: &str,
    late: &mut usize,
) -> Result<Vec<u32>, Trouble> {
    let mut line = Line::to(child.address).await?;
    let mut micros = Vec::with_capacity(consents.len());
    for made in consents {
        let record = made.records.first().map_or("", String::as_str);
        let read =
            format!("GET /fhir/Observation/{record} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n");
        if line.ask(read.as_bytes()).await? != 200 {
            return Err(Trouble::Server("a consent did not hold before it was revoked".to_owned()));
        }
        let revoke = format!(
            "POST /bench/revoke/{}/{} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n",
            made.patient, made.consent
        );
        let asked = Stopwatch::start();
        if line.ask(revoke.as_bytes()).await? != 200 {
            return Err(Trouble::Server(format!("a consent was not revoked: {}", line.body())));
        }
        micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
        if line.ask(read.as_bytes()).await? == 200 {
            *late += 1;
        }
    }
    Ok(micros)
}
