//! Where and how it was measured, for whoever compares.

use super::{Plan, RECORD_BYTES};

/// The machine, the engines' settings and the commit.
pub(super) fn describe(plan: &Plan) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = load.split(' ').next().unwrap_or_default();
    let build = if cfg!(debug_assertions) { "DEBUG BUILD: figures mean nothing" } else { "release build" };
    let which =
        if plan.hot { "1 record over and over".to_owned() } else { format!("all {}", plan.patients * plan.records) };
    vec![
        format!("garant {} ({}), {build}", env!("CARGO_PKG_VERSION"), commit()),
        format!("{cores} × {cpu}, memory {memory}, Linux {}, load before {busy}", kernel.trim()),
        "load generator on the same machine, loopback, kept connections, one request under way on each".to_owned(),
        format!("SQLite: WAL, synchronous FULL; PostgreSQL: as found; {} connections for reading", plan.readers),
        format!(
            "{} patients × {} records of {RECORD_BYTES} bytes, reading {which}; {} rounds, each measurement {:.1} s",
            plan.patients,
            plan.records,
            plan.rounds,
            plan.each.as_secs_f64()
        ),
    ]
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn commit() -> String {
    let asked = std::process::Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
    let text = asked.ok().filter(|o| o.status.success()).and_then(|o| String::from_utf8(o.stdout).ok());
    text.map_or_else(|| "commit unknown".to_owned(), |t| t.trim().to_owned())
}
