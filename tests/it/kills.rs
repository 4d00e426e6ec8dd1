//! What was acknowledged survives `kill -9`.
