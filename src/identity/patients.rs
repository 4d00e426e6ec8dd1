//! Patients.
