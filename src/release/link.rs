//! Links to further pages: sealed for whom they were given, and worth nothing once a consent has changed (P46).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Door, Wanted, Withheld};
use crate::clock::Timestamp;
use crate::id::{PatientId, RecordId};
use crate::model::Bearer;
use crate::store::gather::Gathered;

/// How long a link can be followed, in seconds.
const LIFE: i64 = 600;
/// The longest link that is looked at.
const LONGEST: usize = 16_384;
const VERSION: u8 = 1;

/// The place after which the next page begins.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Position {
    pub(super) order: Vec<u8>,
    pub(super) record: RecordId,
}

/// What a link says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    pub(super) patient: PatientId,
    /// The type searched; `None` is everything.
    pub(super) kind: Option<String>,
    pub(super) pairs: Vec<(String, String)>,
    pub(super) after: Position,
    /// Digest of the consents that were in force.
    pub(super) consents: [u8; 32],
    pub(super) until: Timestamp,
}

impl Door {
    /// The digest of the consents gathered and of the policies: any change makes older links worthless.
    pub(super) fn consents(&self, gathered: &Gathered) -> [u8; 32] {
        let mut all: Vec<_> = gathered.consents.iter().map(|c| (*c.consent.as_bytes(), c.revision)).collect();
        all.sort_unstable();
        let mut bytes = self.engine.digest().to_vec();
        for (consent, revision) in all {
            bytes.extend_from_slice(&consent);
            bytes.extend_from_slice(&revision.to_be_bytes());
        }
        self.indexer.tag("page consents", &[&bytes])
    }

    /// The text of a link that only `bearer` can follow.
    pub(super) fn write_link(&self, bearer: &Bearer, link: &Link) -> Result<String, Withheld> {
        let sealed = self.pages.seal(&self.holder(bearer), &link.to_bytes()).map_err(Withheld::unavailable)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// What a link of `bearer` says; foreign, changed and expired are all the same nothing.
    pub(super) fn read_link(&self, bearer: &Bearer, text: &str) -> Option<Link> {
        let sealed = Some(text).filter(|t| t.len() <= LONGEST).and_then(|t| URL_SAFE_NO_PAD.decode(t).ok())?;
        let opened = self.pages.open(&self.holder(bearer), &sealed).ok()?;
        Link::from_bytes(opened.expose()).filter(|link| self.clock.now() < link.until)
    }

    /// When a link made now can no longer be followed.
    pub(super) fn link_ends(&self) -> Timestamp {
        self.clock.now().plus_secs(LIFE)
    }

    fn holder(&self, bearer: &Bearer) -> [u8; 32] {
        // Everything a token says of who asks, what for and how far: another token of the same words may turn the page.
        self.indexer.tag("page holder", &[format!("{bearer:?}").as_bytes()])
    }
}

impl Link {
    /// What the link asks for, read again as if it came today; `base` is our own address.
    ///
    /// # Errors
    /// [`Withheld::Hidden`] when that is not understood any more.
    pub fn wanted(&self, base: &str, now: Timestamp) -> Result<Wanted, Withheld> {
        Wanted::again(self.kind.as_deref(), self.pairs.clone(), base, now)
    }

    /// The one form in which a link is sealed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(self.patient.as_bytes());
        out.extend_from_slice(self.after.record.as_bytes());
        out.extend_from_slice(&self.consents);
        out.extend_from_slice(&self.until.0.to_be_bytes());
        let mut texts: Vec<&[u8]> = vec![&self.after.order, self.kind.as_deref().unwrap_or_default().as_bytes()];
        texts.extend(self.pairs.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
        for text in texts {
            // What was read is bounded far below 4 GiB.
            out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(text);
        }
        out
    }

    /// Reads that form and no other.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut left = bytes.strip_prefix(&[VERSION])?;
        let patient = PatientId::from_bytes(take(&mut left)?);
        let record = RecordId::from_bytes(take(&mut left)?);
        let consents = take(&mut left)?;
        let until = Timestamp(i64::from_be_bytes(take(&mut left)?));
        let order = part(&mut left)?.to_vec();
        let kind = Some(text(&mut left)?).filter(|kind| !kind.is_empty());
        let mut pairs = Vec::new();
        while !left.is_empty() {
            pairs.push((text(&mut left)?, text(&mut left)?));
        }
        Some(Self { patient, kind, pairs, after: Position { order, record }, consents, until })
    }
}

fn take<const N: usize>(left: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = left.split_first_chunk::<N>()?;
    *left = rest;
    Some(*head)
}

fn part<'b>(left: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(u32::from_be_bytes(take(left)?)).ok()?;
    let (head, rest) = left.split_at_checked(length)?;
    *left = rest;
    Some(head)
}

fn text(left: &mut &[u8]) -> Option<String> {
    std::str::from_utf8(part(left)?).map(str::to_owned).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_back_as_it_was_written_and_no_part_of_it_is() {
        let link = Link {
            patient: PatientId::from_bytes([1; 16]),
            kind: Some("Observation".to_owned()),
            pairs: vec![("code".to_owned(), "é|x".to_owned()), ("_sort".to_owned(), String::new())],
            after: Position { order: vec![0, 255], record: RecordId::from_bytes([2; 16]) },
            consents: [3; 32],
            until: Timestamp(-4),
        };
        let bytes = link.to_bytes();
        assert_eq!(Link::from_bytes(&bytes), Some(link.clone()));
        for cut in 0..bytes.len() {
            assert_ne!(Link::from_bytes(&bytes[..cut]), Some(link.clone()), "{cut}");
        }
    }
}
