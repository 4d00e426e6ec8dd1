//! The promises of the policy room.

mod erring;
mod insurer;
mod labels;
mod law;
mod loading;
mod mutation;
mod oracle;
mod permits;
mod remembered;
mod snapshot;
mod speed;
mod world;

/// How many random cases: few by default, all with `GARANT_FULL=1`. Prints seed and number.
#[expect(clippy::disallowed_methods, reason = "a test may be told to run in full")]
fn cases(promise: &str, seed: u64, few: usize, all: usize) -> usize {
    let n = if std::env::var("GARANT_FULL").is_ok_and(|v| v == "1") { all } else { few };
    println!("{promise}: seed {seed}, N {n}");
    n
}
