//! The server under measurement as a process of its own, so that its CPU time and memory are its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::Trouble;
use super::load::Line;
use super::patient::Made;
use super::world::World;

/// A running server and what may be asked of it.
pub(super) struct Child {
    process: tokio::process::Child,
    pid: u32,
    pub(super) engine: &'static str,
    pub(super) address: SocketAddr,
    pub(super) records: Vec<String>,
    pub(super) revocable: Vec<Made>,
}

impl Child {
    /// Starts `program` over the house in `world` and waits until it listens.
    pub(super) async fn start(program: &Path, arguments: &[&str], world: &World) -> Result<Self, Trouble> {
        let failed = |e| Trouble::Io("the server could not be started", e);
        let mut process = Command::new(program)
            .args(arguments)
            .arg(&world.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let pid = process.id().ok_or_else(|| Trouble::Server("it ended at once".to_owned()))?;
        let output = process.stdout.take().ok_or_else(|| Trouble::Server("no output".to_owned()))?;
        let line = BufReader::new(output).lines().next_line().await.map_err(failed)?;
        let address = line
            .and_then(|line| line.parse().ok())
            .ok_or_else(|| Trouble::Server("it ended before it listened".to_owned()))?;
        let (records, revocable) = (world.records.clone(), world.revocable.clone());
        Ok(Self { process, pid, engine: world.engine, address, records, revocable })
    }

    /// CPU time it has used, user and system, in microseconds.
    pub(super) fn cpu_micros(&self) -> Result<u64, Trouble> {
        // Linux counts in hundredths of a second here, whatever the kernel's own tick is.
        const MICROS_PER_TICK: u64 = 10_000;
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).map_err(|e| Trouble::Io("/proc", e))?;
        // The name in parentheses may hold blanks; what follows it does not.
        let after = text.rsplit_once(')').map_or("", |(_, after)| after);
        let mut fields = after.split_whitespace().skip(11).map(|f| f.parse::<u64>().unwrap_or(0));
        Ok((fields.next().unwrap_or(0) + fields.next().unwrap_or(0)) * MICROS_PER_TICK)
    }

    /// Resident memory in KiB, the most there was.
    pub(super) fn most_memory(&self) -> Result<u64, Trouble> {
        let text =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid)).map_err(|e| Trouble::Io("/proc", e))?;
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("");
        Ok(line.trim().trim_end_matches(" kB").parse().unwrap_or(0))
    }

    /// What a GET of `path` answers.
    pub(super) async fn told(&self, path: &str) -> Result<String, Trouble> {
        let mut line = Line::to(self.address).await?;
        let answer = line.ask(format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").as_bytes()).await?;
        if answer == 200 { Ok(line.body()) } else { Err(Trouble::Server(format!("{path}: {answer} {}", line.body()))) }
    }

    /// Lets it end by itself.
    pub(super) async fn end(mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait().await);
    }
}
