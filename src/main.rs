//! The `garant` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    garant::cli::main()
}
