//! The `garant` program.

use std::process::ExitCode;

/// Two cores serve many small answers; docs/decisions/0016 has what this saves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    garant::cli::main()
}
