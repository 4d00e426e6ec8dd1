//! The first reading: everything is judged, nothing is kept but places.

use ring::digest::{SHA256, digest};

use super::outline::{Cut, Look, Outline};
use super::whose::{Around, Whose};
use super::{Intake, Rejected};
use crate::fhir::bundle::{BundleKind, Entry, Method};
use crate::fhir::{self, Bundle, ContentFacts, Edit, Issue, Links, MOST_ISSUES};
use crate::json::{self, Broken, Limits, Node, Span};
use crate::model::{Coding, Confidentiality, Sensitivity};

/// The levels of nesting that a Bundle puts around a resource.
const AROUND: usize = 3;

/// Types that this house makes itself and takes from nobody: a deposited one would look like a proof.
const HOUSE: [(&str, &str); 2] = [
    ("AuditEvent", "audit events come from the log; none is taken in"),
    ("Consent", "consents are given by the patient's signature; none is taken in as a record"),
];

/// A text that was found good, and whose it is. Nothing of it is stored yet.
#[derive(Debug)]
pub struct Reading {
    pub(super) text: String,
    pub(super) kind: Option<BundleKind>,
    pub(super) parts: Vec<Part>,
    pub(super) whose: Whose,
    /// The Bundle's own labels: what it says of itself holds of everything in it (SL-03).
    pub(super) level: Confidentiality,
    pub(super) labels: Vec<Coding>,
    pub(super) digest: [u8; 32],
}

/// A resource of a reading.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) entry: Option<usize>,
    pub(super) span: Span,
    pub(super) full_url: Option<String>,
    pub(super) key: Option<String>,
    pub(super) kind: String,
}

/// What came in a request.
#[derive(Debug)]
pub enum Taken {
    /// One resource, or a Bundle whose entries stand and fall together.
    Whole(Reading),
    /// The entries of a batch, each on its own (FH-58).
    Each(Vec<Result<Reading, Rejected>>),
}

impl Reading {
    /// Whose it is.
    #[must_use]
    pub const fn whose(&self) -> &Whose {
        &self.whose
    }

    /// The types of its resources, in order.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|p| p.kind.as_str())
    }

    /// FH-58: the entries of a batch do not know each other.
    pub(super) fn knows_its_entries(&self) -> bool {
        self.kind.is_some_and(|kind| kind != BundleKind::Batch)
    }

    /// Gives up the text from `at` on, and the memory of it each time half is gone.
    pub(super) fn cut(&mut self, at: usize) {
        if self.text.is_char_boundary(at) {
            self.text.truncate(at);
        }
        if self.text.len() < self.text.capacity() / 2 {
            self.text.shrink_to_fit();
        }
    }

    /// SHA-256 of the text.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl Intake {
    /// Judges a resource or Bundle that is to be taken in whole or not at all.
    ///
    /// # Errors
    /// [`Rejected`] with what is wrong.
    pub fn read(&self, bytes: Vec<u8>) -> Result<Reading, Rejected> {
        let text = text(bytes)?;
        match Outline::look(&text) {
            Look::Bundle(outline) => {
                let judged = self.bundle(&text, &outline)?;
                Ok(judged.of(text))
            }
            Look::Other => self.one(text),
            Look::Escaped => {
                json::parse(text.as_bytes(), Limits::FHIR)?;
                Err(Rejected::NotSupported { entry: None, what: "names of members must be written without escapes" })
            }
        }
    }

    /// The same, but the entries of a batch are judged each on its own.
    ///
    /// # Errors
    /// [`Rejected`] when the text as a whole cannot be taken.
    pub fn read_each(&self, bytes: Vec<u8>) -> Result<Taken, Rejected> {
        let text = text(bytes)?;
        if let Look::Bundle(outline) = Outline::look(&text) {
            let frame = outline.named();
            let tree = around(&text, &outline, &frame)?;
            let bundle = Bundle::read(&frame, &tree)?;
            if bundle.kind() == BundleKind::Batch {
                let labels = labels(&tree)?;
                return Ok(Taken::Each(self.batch(&text, &outline, &bundle, &labels)));
            }
        }
        self.read(text.into_bytes()).map(Taken::Whole)
    }

    fn batch(
        &self,
        text: &str,
        outline: &Outline<'_>,
        bundle: &Bundle<'_, '_>,
        labels: &(Confidentiality, Vec<Coding>),
    ) -> Vec<Result<Reading, Rejected>> {
        let one = |entry: &Entry<'_, '_>| {
            supported(bundle.kind(), entry)?;
            let cut = outline.cuts.iter().find(|c| c.entry == entry.index);
            let slice = cut.and_then(|c| text.get(c.span.start..c.span.end)).unwrap_or_default();
            let reading = self.one(slice.to_owned())?;
            Ok(Reading { level: labels.0, labels: labels.1.clone(), ..reading })
        };
        bundle.entries().iter().map(one).collect()
    }

    fn one(&self, text: String) -> Result<Reading, Rejected> {
        let node = json::parse(text.as_bytes(), Limits::FHIR)?;
        let issues = fhir::validate(&node);
        if !issues.is_empty() {
            return Err(Rejected::Invalid(issues));
        }
        let mut judged = Judged { kind: None, parts: Vec::new(), whose: Whose::default(), labels: Default::default() };
        judged.add(&node, node.span, &Links::new(), &Around { base_url: &self.base_url, within: None })?;
        judged.whole()?;
        drop(node);
        Ok(judged.of(text))
    }

    fn bundle(&self, text: &str, outline: &Outline<'_>) -> Result<Judged, Rejected> {
        let frame = outline.named();
        let tree = around(text, outline, &frame)?;
        let bundle = Bundle::read(&frame, &tree)?;
        if tree.get("signature").is_some() {
            let what = "a signed Bundle cannot be taken apart: its signature would be lost";
            return Err(Rejected::NotSupported { entry: None, what });
        }
        let mut links = Links::new();
        for entry in bundle.entries().iter().filter(|_| bundle.kind() != BundleKind::Batch) {
            if let Some(key) = entry.key() {
                links.insert(&key, String::new());
            }
        }
        let kind = Some(bundle.kind());
        let mut judged = Judged { kind, parts: Vec::new(), whose: Whose::default(), labels: labels(&tree)? };
        let mut issues = Vec::new();
        // Entries and cuts pair up one to one: a name twice in one entry was refused with the frame.
        for (entry, cut) in bundle.entries().iter().zip(&outline.cuts) {
            supported(bundle.kind(), entry)?;
            let node = resource(text, cut)?;
            let found = fhir::validate(&node);
            if found.is_empty() && issues.is_empty() {
                let around = Around { base_url: &self.base_url, within: Some((&bundle, entry)) };
                judged.add(&node, cut.span, &links, &around)?;
            }
            issues.extend(found.into_iter().map(|issue| within(issue, entry.index)));
            if issues.len() >= MOST_ISSUES {
                break;
            }
        }
        if !issues.is_empty() {
            issues.truncate(MOST_ISSUES);
            return Err(Rejected::Invalid(issues));
        }
        if bundle.entries().len() != judged.parts.len() {
            return Err(Rejected::NotSupported { entry: None, what: "every entry must hold a resource" });
        }
        judged.whole()?;
        Ok(judged)
    }
}

/// What was found so far.
struct Judged {
    kind: Option<BundleKind>,
    parts: Vec<Part>,
    whose: Whose,
    labels: (Confidentiality, Vec<Coding>),
}

impl Judged {
    fn add(&mut self, node: &Node<'_>, span: Span, links: &Links, around: &Around<'_, '_, '_>) -> Result<(), Rejected> {
        let entry = around.within.map(|(_, entry)| entry);
        let index = entry.map(|e| e.index);
        let kind = node.text_of("resourceType").unwrap_or_default();
        if let Some((_, what)) = HOUSE.iter().find(|(house, _)| *house == kind) {
            return Err(Rejected::NotSupported { entry: index, what });
        }
        self.whose.add(self.parts.len(), node, around)?;
        ContentFacts::read(node).map_err(|why| Rejected::Facts { entry: index, why })?;
        let full_url = entry.and_then(|e| e.full_url);
        // Tried now, with the real ids later: whoever enrols a patient for it must know that it can be stored.
        Edit::new().rewrite(node, links, full_url).map_err(|why| Rejected::Link { entry: index, why: why.into() })?;
        self.parts.push(Part {
            entry: index,
            span,
            full_url: full_url.map(str::to_owned),
            key: entry.and_then(Entry::key),
            kind: kind.to_owned(),
        });
        Ok(())
    }

    fn whole(&self) -> Result<(), Rejected> {
        if self.parts.is_empty() || (self.whose.part.is_none() && self.whose.named.is_empty()) {
            return Err(Rejected::NoPatient);
        }
        if self.whose.named.len() > 1 {
            return Err(Rejected::OtherPatient);
        }
        Ok(())
    }

    fn of(self, text: String) -> Reading {
        let mut sha256 = [0; 32];
        for (to, from) in sha256.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
            *to = *from;
        }
        let Self { kind, parts, whose, labels: (level, labels) } = self;
        Reading { text, kind, parts, whose, level, labels, digest: sha256 }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Rejected> {
    if bytes.len() > Limits::FHIR.bytes {
        return Err(Broken { reason: "longer than is accepted", at: Limits::FHIR.bytes, line: 1, column: 1 }.into());
    }
    String::from_utf8(bytes).map_err(|error| match json::parse(error.as_bytes(), Limits::FHIR) {
        Err(broken) => broken.into(),
        Ok(_) => Broken { reason: "not UTF-8", at: error.utf8_error().valid_up_to(), line: 1, column: 1 }.into(),
    })
}

/// The validated Bundle around the resources.
fn around<'f>(text: &str, outline: &Outline<'_>, frame: &'f str) -> Result<Node<'f>, Rejected> {
    let blank = outline.blank();
    let tree = match json::parse(blank.as_bytes(), Limits::FHIR) {
        Ok(tree) => tree,
        // The fault stands outside the resources; reading the text itself tells where.
        Err(broken) => return Err(json::parse(text.as_bytes(), Limits::FHIR).err().unwrap_or(broken).into()),
    };
    let issues = fhir::validate(&tree);
    if !issues.is_empty() {
        return Err(Rejected::Invalid(issues));
    }
    Ok(json::parse(frame.as_bytes(), Limits::FHIR)?)
}

fn resource<'t>(text: &'t str, cut: &Cut) -> Result<Node<'t>, Rejected> {
    let slice = text.get(cut.span.start..cut.span.end).unwrap_or_default();
    let limits = Limits { depth: Limits::FHIR.depth - AROUND, ..Limits::FHIR };
    json::parse(slice.as_bytes(), limits).map_err(|broken| {
        let at = cut.span.start + broken.at;
        let before = text.get(..at).unwrap_or(text);
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        Broken { reason: broken.reason, at, line, column }.into()
    })
}

/// The issue, its place seen from the Bundle.
fn within(mut issue: Issue, entry: usize) -> Issue {
    let rest = issue.expression.split_once('.').map(|(_, rest)| format!(".{rest}")).unwrap_or_default();
    issue.expression = format!("Bundle.entry[{entry}].resource{rest}");
    issue
}

fn supported(kind: BundleKind, entry: &Entry<'_, '_>) -> Result<(), Rejected> {
    let Some(request) = entry.request else { return Ok(()) };
    let refuse = |what| Err(Rejected::NotSupported { entry: Some(entry.index), what });
    match request.method {
        Method::Post if entry.resource.is_none() => refuse("operations are not supported in a Bundle"),
        // F17: the answer would tell what is there already.
        Method::Post if request.if_none_exist.is_some() => {
            refuse("conditional creates (ifNoneExist) are not supported")
        }
        Method::Post => Ok(()),
        Method::Get | Method::Head if kind == BundleKind::Batch => refuse("reads are not supported in a batch"),
        Method::Get | Method::Head | Method::Put | Method::Delete | Method::Patch => {
            refuse("only creates (POST) are supported in a Bundle")
        }
    }
}

fn labels(bundle: &Node<'_>) -> Result<(Confidentiality, Vec<Coding>), Rejected> {
    let own = ContentFacts::read(bundle).map_err(|why| Rejected::Facts { entry: None, why })?;
    if !own.visibility.is_empty() {
        let what = "a visibility code stands on a document, not on the Bundle it comes in";
        return Err(Rejected::NotSupported { entry: None, what });
    }
    let coding = |s: &Sensitivity| Coding { system: Sensitivity::SYSTEM.to_owned(), code: s.code().to_owned() };
    Ok((own.confidentiality, own.sensitivities.iter().map(coding).collect()))
}
