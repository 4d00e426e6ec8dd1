//! Charter to be written.
