//! The bytes in which [`RecordFacts`] are sealed beside the record.
//!
//! Version byte 2, then each part as length (u32, big-endian) and bytes. Which record and version they speak of
//! is not written: it is bound by the place they are sealed for.

use super::label::{Confidentiality, Sensitivity};
use super::record::{Coding, Period, RecordClass, RecordFacts, RecordKey};
use super::visibility::Visibility;
use crate::clock::Timestamp;
use crate::id::ProfessionalId;

const VERSION: u8 = 2;

impl RecordFacts {
    /// Writes the facts, without key and version.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        part(&mut out, self.resource_type.as_bytes());
        part(&mut out, self.class.word().as_bytes());
        part(&mut out, self.confidentiality.code().as_bytes());
        count(&mut out, self.sensitivities.len());
        self.sensitivities.iter().for_each(|s| part(&mut out, s.code().as_bytes()));
        for codings in [&self.categories, &self.document_types] {
            count(&mut out, codings.len());
            for coding in codings {
                part(&mut out, coding.system.as_bytes());
                part(&mut out, coding.code.as_bytes());
            }
        }
        count(&mut out, self.visibility.len());
        self.visibility.iter().for_each(|v| part(&mut out, v.code().as_bytes()));
        part(&mut out, &self.announced.map_or_else(Vec::new, |at| at.0.to_be_bytes().to_vec()));
        part(&mut out, self.author.as_ref().map_or(&[][..], |id| id.as_bytes()));
        if let Some(period) = self.authored {
            out.extend_from_slice(&period.from.0.to_be_bytes());
            out.extend_from_slice(&period.to.0.to_be_bytes());
        }
        out
    }

    /// Reads what [`RecordFacts::to_bytes`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_bytes(key: RecordKey, version: i64, bytes: &[u8]) -> Option<Self> {
        let mut left = bytes.strip_prefix(&[VERSION])?;
        let resource_type = text(&mut left)?.to_owned();
        let class = match text(&mut left)? {
            "medical" => RecordClass::Medical,
            "reimbursement" => RecordClass::Reimbursement,
            _ => return None,
        };
        let confidentiality = text(&mut left)?.parse::<Confidentiality>().ok()?;
        let sensitivities =
            (0..number(&mut left)?).map(|_| text(&mut left)?.parse::<Sensitivity>().ok()).collect::<Option<_>>()?;
        let categories = codings(&mut left)?;
        let document_types = codings(&mut left)?;
        let visibility =
            (0..number(&mut left)?).map(|_| text(&mut left)?.parse::<Visibility>().ok()).collect::<Option<_>>()?;
        let announced = match bytes_of(&mut left)? {
            [] => None,
            at => Some(Timestamp(i64::from_be_bytes(at.try_into().ok()?))),
        };
        let author = match bytes_of(&mut left)? {
            [] => None,
            id => Some(ProfessionalId::from_bytes(id.try_into().ok()?)),
        };
        let authored = match left.len() {
            0 => None,
            16 => {
                let (from, to) = left.split_at_checked(8)?;
                let at = |b: &[u8]| Some(Timestamp(i64::from_be_bytes(b.try_into().ok()?)));
                Some(Period { from: at(from)?, to: at(to)? })
            }
            _ => return None,
        };
        Some(Self {
            key,
            version,
            resource_type,
            class,
            confidentiality,
            sensitivities,
            categories,
            document_types,
            authored,
            visibility,
            announced,
            author,
        })
    }
}

fn count(out: &mut Vec<u8>, n: usize) {
    // A resource is far below 4 GiB; a count that did not fit would be refused when read.
    out.extend_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes());
}

fn part(out: &mut Vec<u8>, bytes: &[u8]) {
    count(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn number(left: &mut &[u8]) -> Option<usize> {
    let (head, rest) = left.split_first_chunk::<4>()?;
    *left = rest;
    usize::try_from(u32::from_be_bytes(*head)).ok()
}

fn bytes_of<'b>(left: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = number(left)?;
    let (head, rest) = left.split_at_checked(length)?;
    *left = rest;
    Some(head)
}

fn text<'b>(left: &mut &'b [u8]) -> Option<&'b str> {
    std::str::from_utf8(bytes_of(left)?).ok()
}

fn codings(left: &mut &[u8]) -> Option<Vec<Coding>> {
    (0..number(left)?).map(|_| Some(Coding { system: text(left)?.to_owned(), code: text(left)?.to_owned() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;
    use crate::id::{PatientId, RecordId};

    #[test]
    fn facts_are_read_back_whole_or_not_at_all() {
        let chance = SeededChance::new(3);
        let key =
            RecordKey { patient: PatientId::random(&chance).unwrap(), record: RecordId::random(&chance).unwrap() };
        let facts = RecordFacts {
            key,
            version: 4,
            resource_type: "Observation".into(),
            class: RecordClass::Medical,
            confidentiality: Confidentiality::R,
            sensitivities: vec!["HIV".parse().unwrap(), "SEX".parse().unwrap()],
            categories: vec![Coding { system: "http://c".into(), code: "laboratory".into() }],
            document_types: vec![],
            authored: Some(Period { from: Timestamp(-5), to: Timestamp(7) }),
            visibility: vec![Visibility::MasquePs, Visibility::InvisiblePatient],
            announced: Some(Timestamp(8)),
            author: Some(ProfessionalId::random(&chance).unwrap()),
        };
        let bytes = facts.to_bytes();
        assert_eq!(RecordFacts::from_bytes(key, 4, &bytes), Some(facts.clone()));
        let undated = RecordFacts { authored: None, ..facts };
        assert_eq!(RecordFacts::from_bytes(key, 4, &undated.to_bytes()), Some(undated));
        for cut in 0..bytes.len() {
            // Cutting exactly the two moments off leaves the well-formed undated facts.
            assert_eq!(RecordFacts::from_bytes(key, 4, &bytes[..cut]).is_some(), cut == bytes.len() - 16);
        }
    }
}
