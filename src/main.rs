//! The `garant` program.
fn main() {}
