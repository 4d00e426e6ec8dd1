//! Real processes: `garant serve`.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::house::{BASE, Home, PASSPHRASE};

/// How long a process may take to answer on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running process; it is killed, by its id, when it is dropped.
pub struct Process {
    child: Child,
    pub address: Option<SocketAddr>,
    lines: Receiver<String>,
    /// Everything it said so far.
    pub said: Vec<String>,
}

/// `garant serve` on a free port.
pub fn garant(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_garant"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder);
    command
}

/// `garant init`, on its way.
pub fn init(home: &Home) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_garant"));
    command.args(["init", "--development", "--base-url", BASE, "--data"]).arg(home.path());
    for (name, url) in [("--store", &home.config.store), ("--keystore", &home.config.keystore)] {
        command.args(url.iter().flat_map(|url| [name, url.as_str()]));
    }
    Process::spawn(command)
}

impl Process {
    /// Starts it and waits until it serves.
    pub fn start(command: Command) -> Self {
        let mut process = Self::spawn(command);
        let line = process.wait_for(|line| line.contains("http://127.0.0.1:"));
        process.address = line.as_deref().and_then(address);
        assert!(process.address.is_some(), "it does not serve: {:?}", process.said);
        process
    }

    /// Starts it without waiting.
    pub fn spawn(mut command: Command) -> Self {
        command.env("GARANT_PASSPHRASE", PASSPHRASE).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (tell, lines) = channel();
        for stream in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let tell = tell.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if tell.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Self { child, address: None, lines, said: Vec::new() }
    }

    pub fn at(&self) -> SocketAddr {
        self.address.unwrap()
    }

    /// The next line that fits; `None` when it ended or took too long.
    pub fn wait_for(&mut self, fits: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
            self.said.push(line.clone());
            if fits(&line) {
                return Some(line);
            }
        }
    }

    /// `SIGKILL`, now.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// `SIGTERM`, and waits for its end; whether it ended well.
    pub fn end(mut self) -> bool {
        self.signal(rustix::process::Signal::TERM);
        self.ended().is_some_and(|well| well)
    }

    /// As [`Process::end`] for a process that runs under a tracer: the tracer ends with it.
    pub fn end_traced(&mut self) -> bool {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let traced: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
        let traced = rustix::process::Pid::from_raw(traced).unwrap();
        rustix::process::kill_process(traced, rustix::process::Signal::TERM).ok();
        self.ended().is_some_and(|well| well)
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).ok();
    }

    /// Waits for its end; whether it ended well, `None` when it goes on.
    pub fn ended(&mut self) -> Option<bool> {
        self.ended_within(PATIENCE)
    }

    /// As [`Process::ended`], waiting no longer than this.
    pub fn ended_within(&mut self, time: Duration) -> Option<bool> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(200)) {
                    self.said.push(line);
                }
                return Some(status.success());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn address(line: &str) -> Option<SocketAddr> {
    let rest = line.split_once("http://127.0.0.1:")?.1;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)))
}
