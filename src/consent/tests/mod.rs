//! The promises of the room, kept through the whole house.

mod asking;
mod ending;
mod forging;
mod giving;
mod previewing;
mod putting_back;
mod races;
pub(crate) mod world;

/// `few`, or `all` when GARANT_FULL=1; prints what and how many.
#[expect(clippy::disallowed_methods, reason = "a test may be told to run in full")]
fn cases(promise: &str, seed: u64, few: usize, all: usize) -> usize {
    let n = if std::env::var("GARANT_FULL").is_ok_and(|v| v == "1") { all } else { few };
    println!("{promise}: seed {seed}, N {n}");
    n
}
