//! What the entries of a Bundle ask for: the records they name, and the versions that their changes rest on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Reading, Rejected};
use crate::fhir;
use crate::fhir::bundle::{BundleKind, Entry, Method};
use crate::json::{self, Limits};
use crate::model::RecordKey;

/// The one form of a patch.
const JSON_PATCH: &str = "application/json-patch+json";

/// Types whose records never change: what vouches for another record must stay what was signed or seen (FH-29).
pub(super) const FIXED: [&str; 3] = ["AuditEvent", "Consent", "Provenance"];

/// A record that is to change, and the version that the change rests on, when it says which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) key: RecordKey,
    pub(super) if_match: Option<i64>,
}

/// What one entry of a batch asks for; it was judged, and is still to be done.
#[derive(Debug)]
pub enum Task {
    /// To take something in; a new record with conditions only when no other meets them.
    Take(Reading, Option<String>),
    /// To change a record in part.
    Patch(Change),
    /// To show something.
    Show(Show),
}

/// A change of one record in part.
#[derive(Debug)]
pub struct Change {
    /// The type that its address names.
    pub kind: String,
    /// The id that its address names.
    pub id: String,
    /// The weak ETag of the version it rests on.
    pub if_match: Option<String>,
    /// The patch.
    pub patch: Vec<u8>,
}

/// A read or a search.
#[derive(Debug)]
pub struct Show {
    /// The address, below our base.
    pub url: String,
    /// Whether the headers alone are wanted.
    pub head: bool,
    /// The weak ETag of the version that is known.
    pub if_none_match: Option<String>,
}

impl Task {
    /// Its place in the order in which entries are done: deletes, creates, changes, reads (FHIR R4 §3.1.0.11.2).
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Take(reading, _) => reading.rank(),
            Self::Patch(_) => 2,
            Self::Show(_) => 3,
        }
    }
}

impl Change {
    /// The same with the patch that stands in `binary`, a Binary resource (FHIR R4 §3.1.0.6).
    pub(super) fn with(self, binary: &str) -> Result<Self, Rejected> {
        let not = Rejected::NotSupported { entry: None, what: "a patch is a Binary of application/json-patch+json" };
        let node = json::parse(binary.as_bytes(), Limits::FHIR)?;
        let issues = fhir::validate(&node);
        if !issues.is_empty() {
            return Err(Rejected::Invalid(issues));
        }
        if node.text_of("resourceType") != Some("Binary") || node.text_of("contentType") != Some(JSON_PATCH) {
            return Err(not);
        }
        // FHIR R4 §2.24.0.1: white space may stand within.
        let data: String = node.text_of("data").unwrap_or_default().split_ascii_whitespace().collect();
        Ok(Self { patch: STANDARD.decode(data).map_err(|_| not)?, ..self })
    }
}

/// What an entry asks for.
pub(super) enum Errand<'n> {
    /// A record of its own; unless one that meets the conditions is there.
    New(Option<String>),
    /// The next version of one.
    Next(Target),
    /// The end of one.
    End(&'n str, Target),
    /// A change of one in part, without its patch.
    Patch(Change),
    /// To be shown something.
    Show(Show),
}

pub(super) fn errand<'n>(kind: BundleKind, entry: &Entry<'n, '_>) -> Result<Errand<'n>, Rejected> {
    let Some(request) = entry.request else { return Ok(Errand::New(None)) };
    let refuse = |what| Err(Rejected::NotSupported { entry: Some(entry.index), what });
    let alone = kind == BundleKind::Batch;
    match request.method {
        Method::Post if entry.resource.is_none() => refuse("operations are not supported in a Bundle"),
        Method::Post if request.if_none_exist.is_some() && !alone => {
            refuse("conditional creates (ifNoneExist) are not supported in a transaction")
        }
        Method::Post => Ok(Errand::New(request.if_none_exist.map(str::to_owned))),
        Method::Put => {
            let target = target(request.url, request.if_match).map(|(_, target)| Errand::Next(target));
            if alone { target.map_err(Rejected::no_update) } else { target }
        }
        Method::Delete if entry.resource.is_some() => refuse("a delete has no resource"),
        Method::Delete if request.url.starts_with("Patient/") => Err(Rejected::Fixed),
        Method::Delete => {
            let target = target(request.url, request.if_match).map(|(kind, target)| Errand::End(kind, target));
            if alone { target.map_err(Rejected::not_found) } else { target }
        }
        Method::Get | Method::Head if alone && entry.resource.is_some() => refuse("a read has no resource"),
        Method::Get | Method::Head if alone => Ok(Errand::Show(Show {
            url: request.url.to_owned(),
            head: request.method == Method::Head,
            if_none_match: request.if_none_match.map(str::to_owned),
        })),
        Method::Patch if alone => {
            let (kind, id) = request.url.split_once('/').ok_or(Rejected::NotFound)?;
            let if_match = request.if_match.map(str::to_owned);
            Ok(Errand::Patch(Change { kind: kind.to_owned(), id: id.to_owned(), if_match, patch: Vec::new() }))
        }
        Method::Get | Method::Head | Method::Patch => {
            refuse("only creates (POST), updates (PUT) and deletes (DELETE) are supported in a transaction")
        }
    }
}

/// The record that `Type/id` names.
fn target<'n>(url: &'n str, if_match: Option<&str>) -> Result<(&'n str, Target), Rejected> {
    if url.contains('?') {
        let what = "conditional updates and deletes are not supported: name the record by its id";
        return Err(Rejected::NotSupported { entry: None, what });
    }
    let (kind, id) = url.split_once('/').ok_or(Rejected::Hidden)?;
    // What has not the form of our ids is as absent as any other.
    let key = id.parse::<RecordKey>().map_err(|_| Rejected::Hidden)?;
    Ok((kind, Target::of(kind, key, if_match)?))
}

impl Target {
    /// The record `key` of type `kind`, and the version in an `If-Match`.
    ///
    /// # Errors
    /// [`Rejected`] when records of that type do not change, or the header is not one weak ETag.
    pub(super) fn of(kind: &str, key: RecordKey, if_match: Option<&str>) -> Result<Self, Rejected> {
        if FIXED.contains(&kind) {
            return Err(Rejected::Fixed);
        }
        if key.is_patient() != (kind == "Patient") {
            return Err(Rejected::Hidden);
        }
        let if_match = if_match.map(|text| version(text).ok_or(Rejected::NoVersion)).transpose()?;
        Ok(Self { key, if_match })
    }
}

/// The version in a weak ETag, `W/"3"`.
fn version(etag: &str) -> Option<i64> {
    let digits = etag.trim().strip_prefix("W/\"")?.strip_suffix('"')?;
    // One spelling per version: no sign, no leading zero.
    digits.parse().ok().filter(|n: &i64| *n > 0 && n.to_string() == digits)
}
