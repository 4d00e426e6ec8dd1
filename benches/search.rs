//! `cargo bench --bench search`: the same as `garant bench --search`, built as benchmarks are.

use std::process::ExitCode;

fn main() -> ExitCode {
    garant::cli::bench_of_searches()
}
