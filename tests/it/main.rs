//! The integration tests, one binary.
#[test]
fn t() {}
