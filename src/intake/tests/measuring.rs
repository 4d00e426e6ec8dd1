//! Real Bundles, and a large one: how fast, how much memory. Run in release with `--ignored --nocapture`.

use std::path::PathBuf;
use std::sync::Arc;

use super::world::{observation, patient, transaction, world};
use crate::clock::Stopwatch;

/// The synthetic care Bundles, unpacked beside the project (`shared/data/carebundle.tar.zst`).
fn bundles() -> Vec<PathBuf> {
    let folder = std::env::temp_dir().join("cb/carebundle");
    let Ok(all) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is not there (unpack carebundle.tar.zst)", folder.display());
        return Vec::new();
    };
    let mut all: Vec<PathBuf> = all.map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn real_bundles_are_read_back_as_they_were_imported() {
    let world = world().await;
    for path in bundles().iter().take(3) {
        let text = std::fs::read_to_string(path).unwrap();
        let done = world.import(&text).await.unwrap().unwrap();
        let stored: usize = done.types.values().sum();
        assert_eq!(stored, text.matches("\"fullUrl\"").count());
        let decimals = |text: &str| {
            let mut all: Vec<String> =
                text.split("\"value\": ").skip(1).map(|v| v.split([',', '\n']).next().unwrap().to_owned()).collect();
            all.sort();
            all
        };
        let mut out = String::new();
        for kind in done.types.keys() {
            for text in world.own(done.patient, kind).await {
                out.push_str(&text);
            }
        }
        assert_eq!(decimals(&out), decimals(&text), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn import_rate() {
    let world = world().await;
    let texts: Vec<Vec<u8>> = bundles().iter().map(|p| std::fs::read(p).unwrap()).collect();
    let (clock, before) = (Stopwatch::start(), processor_seconds());
    let intake = Arc::clone(&world.house.intake);
    let mut waiting = tokio::task::JoinSet::new();
    let (mut resources, mut next) = (0_usize, texts.into_iter());
    loop {
        while waiting.len() < 4
            && let Some(text) = next.next()
        {
            let intake = Arc::clone(&intake);
            waiting.spawn(async move { intake.import(text).await.unwrap().unwrap() });
        }
        let Some(done) = waiting.join_next().await else { break };
        resources += done.unwrap().types.values().sum::<usize>();
    }
    let (seconds, used) = (clock.elapsed().as_secs_f64(), processor_seconds() - before);
    let resources = f64::from(u32::try_from(resources).unwrap());
    println!(
        "{resources} resources in {seconds:.2} s: {:.0} a second; {used:.2} CPU seconds: {:.0} µs each",
        resources / seconds,
        used * 1e6 / resources
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn memory_of_a_bundle_of_50_mb() {
    let world = world().await;
    let one = observation("urn:uuid:0").replacen(
        "\"status\"",
        &format!("\"note\":[{{\"text\":\"{}\"}}],\"status\"", "x".repeat(400)),
        1,
    );
    let many: Vec<String> = std::iter::once(patient("big")).chain(std::iter::repeat_n(one, 73_000)).collect();
    let text = transaction(&many);
    drop(many);
    println!(
        "{} MB of source; resident {} MB, at most {} MB so far",
        text.len() >> 20,
        memory("VmRSS"),
        memory("VmHWM")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.json");
    std::fs::write(&path, &text).unwrap();
    drop(text);
    std::fs::write("/proc/self/clear_refs", "5").ok();
    println!("before: resident {} MB, at most {} MB", memory("VmRSS"), memory("VmHWM"));
    let clock = Stopwatch::start();
    let done = world.house.intake.import(std::fs::read(&path).unwrap()).await.unwrap().unwrap();
    println!("{:?} in {:.1} s; peak {} MB", done.types, clock.elapsed().as_secs_f64(), memory("VmHWM"));
}

fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() >> 10
}

fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
