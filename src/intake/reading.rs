//! The first reading: everything is judged, nothing is kept but places.

use std::collections::HashSet;

use ring::digest::{SHA256, digest};

use super::errand::{Errand, Target, Task, errand};
use super::outline::{Cut, Look, Outline};
use super::whose::{Around, Whose};
use super::{Intake, Rejected};
use crate::fhir::bundle::{BadBundle, BundleKind, Entry};
use crate::fhir::{self, Bundle, ContentFacts, Edit, Issue, Links, MOST_ISSUES};
use crate::json::{self, Broken, Limits, Node, Span};
use crate::model::{Coding, Confidentiality, Interaction, RecordKey, Sensitivity};

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
    pub(super) ends: Vec<End>,
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
    /// The record whose next version it is; a record of its own otherwise.
    pub(super) replaces: Option<Target>,
}

/// A record that is to end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) entry: Option<usize>,
    pub(super) kind: String,
    pub(super) target: Target,
}

/// What came in a request.
#[derive(Debug)]
pub enum Taken {
    /// One resource, or a Bundle whose entries stand and fall together.
    Whole(Reading),
    /// The entries of a batch, each on its own (FH-58).
    Each(Vec<Result<Task, Rejected>>),
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

    /// The records that it changes, with their types.
    pub(super) fn targets(&self) -> impl Iterator<Item = (&str, Target)> {
        let replaced = self.parts.iter().filter_map(|p| p.replaces.map(|t| (p.kind.as_str(), t)));
        replaced.chain(self.ends.iter().map(|e| (e.kind.as_str(), e.target)))
    }

    /// Itself, when it changes no record that is there: the guarantor takes over records and corrects none.
    pub(super) fn adds_only(self) -> Result<Self, Rejected> {
        let changed = self.parts.iter().filter(|p| p.replaces.is_some()).map(|p| p.entry);
        let changed = changed.chain(self.ends.iter().map(|e| e.entry)).next();
        let what = "an import adds records, it changes none";
        changed.map_or(Ok(self), |entry| Err(Rejected::NotSupported { entry, what }))
    }

    /// Whether the Patient resource in it is the next version of one.
    pub(super) fn updates_the_patient(&self) -> bool {
        self.whose.part.and_then(|place| self.parts.get(place)).is_some_and(|part| part.replaces.is_some())
    }

    /// The record that it ends, when that is all it does.
    pub(super) fn only_end(&self) -> Option<RecordKey> {
        match (self.parts.as_slice(), self.ends.as_slice()) {
            ([], [end]) => Some(end.target.key),
            _ => None,
        }
    }

    /// Its place in the order in which the entries of a Bundle are done (FHIR R4 §3.1.0.11.2).
    pub(super) fn rank(&self) -> u8 {
        if self.only_end().is_some() { 0 } else { 1 + u8::from(self.parts.iter().any(|part| part.replaces.is_some())) }
    }

    /// What a token must speak of for it, before any patient is looked at: one of these interactions, on the type when
    /// there is one.
    pub(super) fn needs(&self) -> (&'static [Interaction], Option<&str>) {
        match (self.kind, self.parts.as_slice(), self.ends.as_slice()) {
            (None, [part], []) if part.replaces.is_some() => (&[Interaction::Update], Some(&part.kind)),
            (None, [_], []) => (&[Interaction::Create], None),
            (None, [], [end]) => (&[Interaction::Delete], Some(&end.kind)),
            _ => (&[Interaction::Create, Interaction::Update, Interaction::Delete], None),
        }
    }

    /// How it is called in the log.
    pub(super) fn word(&self) -> &'static str {
        match (self.kind, self.parts.as_slice(), self.ends.as_slice()) {
            (None, [part], []) if part.replaces.is_some() => "update",
            (None, [], [_]) => "delete",
            _ => "deposit",
        }
    }

    /// A reading of nothing but the end of one record.
    pub(super) fn of_end(kind: &str, target: Target) -> Self {
        let mut whose = Whose::default();
        whose.named.insert(target.key.patient);
        let ends = vec![End { entry: None, kind: kind.to_owned(), target }];
        Judged { ends, whose, ..Judged::of_kind(None) }.of(String::new())
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
            Look::Other => self.one(text, None),
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

    /// Judges a resource that is to be the next version of `target`.
    ///
    /// # Errors
    /// [`Rejected`] with what is wrong.
    pub(super) fn read_next(&self, bytes: Vec<u8>, target: Target) -> Result<Reading, Rejected> {
        self.one(text(bytes)?, Some(target))
    }

    fn batch(
        &self,
        text: &str,
        outline: &Outline<'_>,
        bundle: &Bundle<'_, '_>,
        labels: &(Confidentiality, Vec<Coding>),
    ) -> Vec<Result<Task, Rejected>> {
        let one = |entry: &Entry<'_, '_>| {
            let cut = outline.cuts.iter().find(|c| c.entry == entry.index);
            let slice = cut.and_then(|c| text.get(c.span.start..c.span.end)).unwrap_or_default();
            let (target, unless) = match errand(bundle.kind(), entry)? {
                Errand::End(kind, target) => return Ok(Task::Take(Reading::of_end(kind, target), None)),
                Errand::Show(show) => return Ok(Task::Show(show)),
                // A patch changes no labels: those of the Bundle would not come to hold of what it makes.
                Errand::Patch(_) if labels.0 > Confidentiality::N || !labels.1.is_empty() => {
                    let what = "a Bundle with labels of its own cannot hold a patch";
                    return Err(Rejected::NotSupported { entry: None, what });
                }
                Errand::Patch(change) => return change.with(slice).map(Task::Patch),
                Errand::Next(target) => (Some(target), None),
                Errand::New(unless) => (None, unless),
            };
            let reading = self.one(slice.to_owned(), target)?;
            Ok(Task::Take(Reading { level: labels.0, labels: labels.1.clone(), ..reading }, unless))
        };
        bundle.entries().iter().map(one).collect()
    }

    fn one(&self, text: String, replaces: Option<Target>) -> Result<Reading, Rejected> {
        let node = json::parse(text.as_bytes(), Limits::FHIR)?;
        let issues = fhir::validate(&node);
        if !issues.is_empty() {
            return Err(Rejected::Invalid(issues));
        }
        let mut judged = Judged::of_kind(None);
        let around = Around { base_url: &self.base_url, within: None };
        judged.add(&node, (node.span, replaces), &Links::new(), &around)?;
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
        let mut judged = Judged { labels: labels(&tree)?, ..Judged::of_kind(kind) };
        let mut issues = Vec::new();
        // Each entry has at most one cut: a name twice in one entry was refused with the frame.
        let mut cuts = outline.cuts.iter().peekable();
        for entry in bundle.entries() {
            let replaces = match errand(bundle.kind(), entry)? {
                Errand::End(kind, target) => {
                    judged.whose.named.insert(target.key.patient);
                    judged.ends.push(End { entry: Some(entry.index), kind: kind.to_owned(), target });
                    continue;
                }
                Errand::Next(target) => Some(target),
                Errand::New(_) => None,
                // Refused with the errand: a transaction has none of these.
                Errand::Show(_) | Errand::Patch(_) => continue,
            };
            let Some(cut) = cuts.next_if(|cut| cut.entry == entry.index) else {
                return Err(Rejected::NotSupported { entry: None, what: "every entry must hold a resource" });
            };
            let node = resource(text, cut)?;
            let found = fhir::validate(&node);
            if found.is_empty() && issues.is_empty() {
                let around = Around { base_url: &self.base_url, within: Some((&bundle, entry)) };
                judged.add(&node, (cut.span, replaces), &links, &around)?;
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
        judged.whole()?;
        Ok(judged)
    }
}

/// What was found so far.
struct Judged {
    kind: Option<BundleKind>,
    parts: Vec<Part>,
    ends: Vec<End>,
    whose: Whose,
    labels: (Confidentiality, Vec<Coding>),
}

impl Judged {
    fn of_kind(kind: Option<BundleKind>) -> Self {
        Self { kind, parts: Vec::new(), ends: Vec::new(), whose: Whose::default(), labels: Default::default() }
    }

    fn add(
        &mut self,
        node: &Node<'_>,
        (span, replaces): (Span, Option<Target>),
        links: &Links,
        around: &Around<'_, '_, '_>,
    ) -> Result<(), Rejected> {
        let entry = around.within.map(|(_, entry)| entry);
        let index = entry.map(|e| e.index);
        let kind = node.text_of("resourceType").unwrap_or_default();
        if let Some((_, what)) = HOUSE.iter().find(|(house, _)| *house == kind) {
            return Err(Rejected::NotSupported { entry: index, what });
        }
        if let Some(target) = replaces {
            may_replace(node, target, index)?;
            self.whose.named.insert(target.key.patient);
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
            replaces,
        });
        Ok(())
    }

    fn whole(&self) -> Result<(), Rejected> {
        if self.whose.part.is_none() && self.whose.named.is_empty() {
            return Err(Rejected::NoPatient);
        }
        // FH-56: two entries that change the same record have no order.
        let mut changed = HashSet::new();
        let replaced = self.parts.iter().filter_map(|p| p.replaces);
        if !replaced.chain(self.ends.iter().map(|e| e.target)).all(|t| changed.insert(t.key)) {
            return Err(Rejected::Bundle(BadBundle::Rule("two entries change the same record")));
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
        let Self { kind, parts, ends, whose, labels: (level, labels) } = self;
        Reading { text, kind, parts, ends, whose, level, labels, digest: sha256 }
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

/// What a next version must say of itself (FH-18, FH-19, FH-22).
fn may_replace(node: &Node<'_>, target: Target, entry: Option<usize>) -> Result<(), Rejected> {
    if target.if_match.is_none() {
        return Err(Rejected::NoVersion);
    }
    if node.text_of("id") != Some(target.key.to_string().as_str()) {
        return Err(Rejected::WrongId);
    }
    let tags = node.get("meta").and_then(|meta| meta.get("tag")).map_or(&[][..], Node::items);
    if tags.iter().any(|tag| tag.text_of("code") == Some("SUBSETTED")) {
        return Err(Rejected::NotSupported {
            entry,
            what: "a part of a resource (SUBSETTED) cannot replace the whole",
        });
    }
    Ok(())
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
