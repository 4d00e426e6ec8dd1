//! `cargo bench --bench release -- --quick`: the same as `garant bench`, built as benchmarks are.

use std::process::ExitCode;

fn main() -> ExitCode {
    garant::cli::bench()
}
