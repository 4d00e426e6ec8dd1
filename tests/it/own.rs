//! A PostgreSQL of the test's own: it may be traced, crashed, and given a disk that is too small.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::house::{self, Engine, Home, within};

/// Runs `test` with a house over a PostgreSQL of its own, and says when there can be none here.
pub fn on_own(name: &str, small: Option<Small>, test: &impl AsyncFn(&Home, &Own)) {
    if house::postgres().is_none() {
        return;
    }
    let Some(own) = Own::make(small).filter(Own::start) else {
        println!("{name}: skipped: no PostgreSQL of its own can be started here");
        return;
    };
    for name in ["store", "keys"] {
        assert!(own.run("createdb", &["-h", "127.0.0.1", "-p", &own.port.to_string(), "-U", "garant", name]));
    }
    let urls = ["store", "keys"].map(|name| Some(own.url(name)));
    within(name, async || Home::over(Engine::Postgres, urls.clone()), &async |home: &Home| test(home, &own).await);
}

/// A file system of a few megabytes; unmounted when dropped.
pub struct Small(tempfile::TempDir);

impl Small {
    /// Mounts it; `None` where that is not allowed.
    pub fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        done.is_ok_and(|out| out.status.success()).then_some(Self(folder))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left, to the last byte.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.path()).output());
    }
}

/// A PostgreSQL of its own; it ends when dropped.
pub struct Own {
    folder: tempfile::TempDir,
    /// Where its data are, when they are to have little room.
    pub small: Option<Small>,
    programs: PathBuf,
    port: u16,
}

impl Own {
    fn make(small: Option<Small>) -> Option<Self> {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|d| d.path()).collect();
        found.sort();
        let programs = found.pop()?.join("bin");
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let own = Self { folder: tempfile::tempdir().ok()?, small, programs, port };
        for folder in [Some(own.folder.path()), own.small.as_ref().map(Small::path)].into_iter().flatten() {
            drop(Command::new("chown").arg("postgres").arg(folder).output());
        }
        let data = own.data();
        let words = ["-U", "garant", "-A", "trust", "--no-sync", "--wal-segsize=1", "-D", data.to_str()?];
        own.run("initdb", &words).then_some(own)
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.small.as_ref().map_or(self.folder.path(), Small::path).join("data")
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://garant@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs a program of PostgreSQL's, which refuses to be root.
    fn run(&self, program: &str, args: &[&str]) -> bool {
        let program = self.programs.join(program);
        let root = rustix::process::geteuid().is_root();
        let mut command = if root { Command::new("runuser") } else { Command::new(&program) };
        if root {
            command.args(["-u", "postgres", "--"]).arg(&program);
        }
        command.args(args).output().is_ok_and(|out| out.status.success())
    }

    /// Runs `pg_ctl` and waits for what it does.
    pub fn ctl(&self, args: &[&str]) -> bool {
        let (data, log) = (self.data(), self.folder.path().join("log"));
        let words = [&["-D", data.to_str().unwrap(), "-l", log.to_str().unwrap(), "-w", "-t", "20"], args].concat();
        self.run("pg_ctl", &words)
    }

    fn options(&self) -> String {
        let socket = self.folder.path().display();
        format!("-p {} -k {socket} -c listen_addresses=127.0.0.1 -c shared_buffers=16MB -c min_wal_size=2MB", self.port)
    }

    pub fn start(&self) -> bool {
        self.ctl(&["-o", &self.options(), "start"])
    }

    /// Starts it so that each of its flushes is told in the file that is given back.
    pub fn start_traced(&self) -> Option<PathBuf> {
        let (script, told) = (self.folder.path().join("traced"), self.folder.path().join("flushes"));
        let (server, to) = (self.programs.join("postgres"), told.display());
        // `-D` keeps the server's own process id, which `pg_ctl` waits for.
        let text =
            format!("#!/bin/sh\nexec strace -D -f -qq -e trace=fdatasync,fsync -o {to} {} \"$@\"\n", server.display());
        std::fs::write(&script, text).unwrap();
        drop(Command::new("chmod").arg("a+x").arg(&script).output());
        let started = self.ctl(&["-p", script.to_str().unwrap(), "-o", &self.options(), "start"]);
        (started && told.exists()).then_some(told)
    }

    /// Runs statements, each by itself, in one of its databases.
    pub async fn sql(&self, database: &str, statements: &[&str]) -> Vec<String> {
        let mut held = sqlx::PgConnection::connect(&self.url(database)).await.unwrap();
        let mut found = Vec::new();
        for sql in statements {
            let rows = sqlx::raw_sql(AssertSqlSafe((*sql).to_owned())).fetch_all(&mut held).await.unwrap();
            found = rows.iter().map(|row| row.try_get::<String, _>(0).unwrap_or_default()).collect();
        }
        drop(held.close().await);
        found
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.ctl(&["stop", "-m", "immediate"]);
    }
}
