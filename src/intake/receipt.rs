//! What is told of an admission.

use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::json::quote;

/// One resource that was taken in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// `Type/id`.
    pub reference: String,
    /// Its version.
    pub version: i64,
    /// Whether this admission made it; the Patient resource of a known patient stays as it is.
    pub created: bool,
}

/// It is durably stored and on record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The leaf under which it stands in the log.
    pub leaf: u64,
    /// `meta.lastUpdated` of all of it.
    pub at: Timestamp,
    /// Each resource, in the order of the entries.
    pub entries: Vec<Admitted>,
}

impl Receipt {
    /// Writes the entries of a response Bundle, separated by commas (FH-55).
    pub(super) fn write(&self, out: &mut String) {
        let moment = self.at.to_rfc3339();
        for (i, Admitted { reference, version, created }) in self.entries.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let status = if *created { "201 Created" } else { "200 OK" };
            // Writing to a String cannot fail; everything here is ASCII that needs no escape.
            let _infallible = write!(
                out,
                "{comma}{{\"response\":{{\"status\":\"{status}\",\"location\":\"{reference}/_history/{version}\",\
                 \"etag\":\"W/\\\"{version}\\\"\""
            );
            if *created {
                out.push_str(",\"lastModified\":");
                quote(&moment, out);
            }
            out.push_str("}}");
        }
    }
}
