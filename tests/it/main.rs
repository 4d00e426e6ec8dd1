//! The integration tests, one binary: the promises of the security design, held on both engines.
//!
//! `GARANT_TEST_POSTGRES` names a PostgreSQL (`postgres://user@127.0.0.1:5433/`) whose user may create databases;
//! without it the same tests run on SQLite alone. `GARANT_FULL=1` runs the full counts. Every randomised test prints
//! its number of trials and its seed; `GARANT_SEED=n` repeats one.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on must stop and say where"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests look at the house from outside: at its processes, its databases and the real time"
)]

mod apps;
mod browser;
mod cast;
mod chromium;
mod house;
mod idp;
mod own;
mod process;
mod proxy;
mod scan;
mod sessions;
mod signin;
mod wire;

mod anew;
mod batched;
mod canary;
mod certified;
mod described;
mod doors;
mod erased;
mod farewells;
mod faults;
mod framing;
mod grants;
mod hangups;
mod kills;
mod launch;
mod logs;
mod masked;
mod patched;
mod pcf;
mod possession;
mod projected;
mod revoked;
mod searching;
mod shares;
mod timing;
mod tokens;
mod versions;
mod walk;
