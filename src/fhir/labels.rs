//! Security labels of a resource (standards §8): what a text says, and what its successor must still say.

use super::resource::{Resource, codings};
use super::schema::schema;
use crate::json::Node;
use crate::model::{Coding, Confidentiality, RecordFacts, Sensitivity, Visibility};

/// The labels cannot be taken as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// SL-01.
    #[error("a resource may have only one confidentiality code")]
    SeveralConfidentialities,
    /// SL-09.
    #[error("a security label has a code that its system does not have, or that is not supported here")]
    UnknownCode,
    /// A label without its code system means nothing, and may have been meant to protect.
    #[error("a security label has no code system or no code")]
    NoSystem,
    /// SL-07.
    #[error("only its author may make a record less protected than it was")]
    Lowered,
    /// FR-21: such a record would be shown to nobody but its author, and nobody else could ever announce it.
    #[error("a document cannot be hidden from the patient and masked from professionals at once")]
    HiddenFromAll,
}

/// What a text says of its own protection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Labels {
    /// N when nothing is said (SL-01), R when a sensitivity is.
    pub(super) confidentiality: Confidentiality,
    /// Sorted, unique.
    pub(super) sensitivities: Vec<Sensitivity>,
    /// Sorted, unique.
    pub(super) visibility: Vec<Visibility>,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    level: Option<Confidentiality>,
    labels: Labels,
}

/// Reads the labels from `meta.security`, and from those that documents carry in their content, their own and those
/// contained in them (SL-13), which can only raise it.
pub(super) fn read(node: &Node<'_>) -> Result<Labels, LabelError> {
    let mut found = Found::default();
    for label in Resource::of(node).security() {
        if let Some(code) = found.take(&label)? {
            if found.level.is_some() {
                return Err(LabelError::SeveralConfidentialities);
            }
            found.level = Some(code);
        }
    }
    let contained = node.get("contained").map_or(&[][..], Node::items);
    for part in std::iter::once(node).chain(contained) {
        for label in codings(part.get("securityLabel")) {
            let code = found.take(&label)?;
            found.raise(code);
        }
        if let Some(code) = part.text_of("confidentiality") {
            let code = code.parse().map_err(|_| LabelError::UnknownCode)?;
            found.raise(Some(code));
        }
    }
    found.whole()
}

impl Found {
    /// Takes one label; a confidentiality is given back.
    fn take(&mut self, label: &Coding) -> Result<Option<Confidentiality>, LabelError> {
        if label.system.is_empty() || label.code.is_empty() {
            return Err(LabelError::NoSystem);
        }
        let unknown = |_| LabelError::UnknownCode;
        match label.system.as_str() {
            Confidentiality::SYSTEM => return label.code.parse().map(Some).map_err(unknown),
            Visibility::SYSTEM => {
                self.labels.visibility.push(label.code.parse().map_err(unknown)?);
                return Ok(None);
            }
            Sensitivity::SYSTEM => {
                if let Ok(sensitivity) = label.code.parse() {
                    self.labels.sensitivities.push(sensitivity);
                    return Ok(None);
                }
            }
            _ => {}
        }
        let set = |url: &str| schema().set_at(url).and_then(|s| s.codes_of(&label.system));
        let has = |codes: &[&str]| codes.binary_search(&label.code.as_str()).is_ok();
        // A sensitivity of the standard that no consent can name here could not be protected as asked.
        let unsupported = set("http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy").is_some_and(has);
        let unknown = set("http://hl7.org/fhir/ValueSet/security-labels").is_some_and(|codes| !has(codes));
        if unsupported || unknown { Err(LabelError::UnknownCode) } else { Ok(None) }
    }

    fn raise(&mut self, code: Option<Confidentiality>) {
        let level = self.level.unwrap_or_default();
        self.level = Some(code.map_or(level, |code| level.max(code)));
    }

    fn whole(self) -> Result<Labels, LabelError> {
        let Labels { mut sensitivities, mut visibility, .. } = self.labels;
        sensitivities.sort();
        sensitivities.dedup();
        visibility.sort();
        visibility.dedup();
        let masked = [Visibility::MasquePs, Visibility::MasquePsocial];
        if visibility.contains(&Visibility::InvisiblePatient) && masked.iter().any(|m| visibility.contains(m)) {
            return Err(LabelError::HiddenFromAll);
        }
        let level = self.level.unwrap_or_default();
        // A sensitive record is never of ordinary confidentiality.
        let confidentiality = if sensitivities.is_empty() { level } else { level.max(Confidentiality::R) };
        Ok(Labels { confidentiality, sensitivities, visibility })
    }
}

/// The labels that the successor `node` of a record with the facts `before` is to be stamped with (SL-07): what the
/// text does not say stays as it was. `by_author` is [`RecordFacts::is_by`] of whoever writes.
///
/// # Errors
/// [`LabelError::Lowered`] when it says less than before and the writer may not; any other when it cannot be read.
pub fn successor(
    node: &Node<'_>,
    before: &RecordFacts,
    by_author: bool,
) -> Result<(Confidentiality, Vec<Coding>), LabelError> {
    let after = read(node)?;
    let said = Resource::of(node).security();
    let says = |system: &str| said.iter().any(|label| label.system == system);
    let confidentiality = match (says(Confidentiality::SYSTEM), after.confidentiality < before.confidentiality) {
        (false, _) => after.confidentiality.max(before.confidentiality),
        (true, true) if !by_author => return Err(LabelError::Lowered),
        (true, _) => after.confidentiality,
    };
    // The author who names sensitivities names them all; from anybody else they only become more.
    let kept = if by_author && says(Sensitivity::SYSTEM) { &[][..] } else { &before.sensitivities };
    let missing = kept.iter().filter(|s| !after.sensitivities.contains(s));
    let labels: Vec<Coding> =
        missing.map(|s| Coding { system: Sensitivity::SYSTEM.to_owned(), code: s.code().to_owned() }).collect();
    // A sensitivity that is put back brings its level with it.
    let least = if labels.is_empty() { Confidentiality::U } else { Confidentiality::R };
    Ok((confidentiality.max(least), labels))
}
