//! Security labels of a resource (SL-01, SL-06, SL-09).

use super::resource::{Resource, codings};
use super::schema::schema;
use crate::json::Node;
use crate::model::{Coding, Confidentiality, Sensitivity};

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
}

/// Reads confidentiality and sensitivities from `meta.security`, and from the labels that documents carry in
/// their content, which can only raise it.
pub(super) fn read(node: &Node<'_>) -> Result<(Confidentiality, Vec<Sensitivity>), LabelError> {
    let (mut level, mut found) = (None, Vec::new());
    for label in Resource::of(node).security() {
        if let Some(code) = one(&label, &mut found)? {
            if level.is_some() {
                return Err(LabelError::SeveralConfidentialities);
            }
            level = Some(code);
        }
    }
    let mut level = level.unwrap_or_default();
    for label in codings(node.get("securityLabel")) {
        level = level.max(one(&label, &mut found)?.unwrap_or(Confidentiality::U));
    }
    if let Some(code) = node.text_of("confidentiality") {
        level = level.max(code.parse().map_err(|_| LabelError::UnknownCode)?);
    }
    found.sort();
    found.dedup();
    // A sensitive record is never of ordinary confidentiality.
    Ok((if found.is_empty() { level } else { level.max(Confidentiality::R) }, found))
}

fn one(label: &Coding, found: &mut Vec<Sensitivity>) -> Result<Option<Confidentiality>, LabelError> {
    if label.system.is_empty() || label.code.is_empty() {
        return Err(LabelError::NoSystem);
    }
    if label.system == Confidentiality::SYSTEM {
        return label.code.parse().map(Some).map_err(|_| LabelError::UnknownCode);
    }
    if label.system == Sensitivity::SYSTEM
        && let Ok(sensitivity) = label.code.parse()
    {
        found.push(sensitivity);
        return Ok(None);
    }
    let set = |url: &str| schema().set_at(url).and_then(|s| s.codes_of(&label.system));
    let has = |codes: &[&str]| codes.binary_search(&label.code.as_str()).is_ok();
    // A sensitivity of the standard that no consent can name here could not be protected as asked.
    let unsupported = set("http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy").is_some_and(has);
    let unknown = set("http://hl7.org/fhir/ValueSet/security-labels").is_some_and(|codes| !has(codes));
    if unsupported || unknown { Err(LabelError::UnknownCode) } else { Ok(None) }
}
