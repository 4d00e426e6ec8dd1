//! What is told of an admission.

use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::json::quote;

/// What became of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Became {
    /// A record of its own.
    Created,
    /// The next version of a record.
    Updated,
    /// The end of a record.
    Deleted,
    /// Nothing: the Patient resource of a known patient, or the one record that is like it, stays as it is.
    Kept,
}

impl Became {
    /// The status of its entry in a response Bundle.
    const fn status(self) -> &'static str {
        match self {
            Self::Created => "201 Created",
            Self::Updated | Self::Kept => "200 OK",
            Self::Deleted => "204 No Content",
        }
    }
}

/// One resource that was taken in, or one record that was ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// `Type/id`.
    pub reference: String,
    /// Its version.
    pub version: i64,
    /// What became of it.
    pub became: Became,
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
    pub fn write(&self, out: &mut String) {
        let moment = self.at.to_rfc3339();
        for (i, Admitted { reference, version, became }) in self.entries.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            // Writing to a String cannot fail; everything here is ASCII that needs no escape.
            let _infallible = write!(out, "{comma}{{\"response\":{{\"status\":\"{}\"", became.status());
            if *became != Became::Deleted {
                let _infallible = write!(out, ",\"location\":\"{reference}/_history/{version}\"");
            }
            let _infallible = write!(out, ",\"etag\":\"W/\\\"{version}\\\"\"");
            if *became != Became::Kept {
                out.push_str(",\"lastModified\":");
                quote(&moment, out);
            }
            out.push_str("}}");
        }
    }
}
