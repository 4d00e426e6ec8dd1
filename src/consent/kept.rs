//! The evidence of one consent revision, as it is sealed.
//!
//! Version byte 1, then five parts, each as length (u32, big-endian) and bytes: the statement as it was signed,
//! how it was signed, the enrolment of the key with the registry's signature, and the guarantor's token. It can be
//! checked years later by anyone with the registry's and the guarantor's public keys (WA-14).

/// Evidence of a consent revision.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// The exact statement bytes.
    pub statement: Vec<u8>,
    /// How they were signed (`proof::statement::Evidence`); empty for a revocation, which needs no signature.
    pub evidence: Vec<u8>,
    /// The enrolment of the signing key (`model::Device`); empty for a revocation.
    pub enrolment: Vec<u8>,
    /// The registry's signature over the enrolment.
    pub enrolment_signature: Vec<u8>,
    /// The consent token, for a statement that gives access; else empty.
    pub token: Vec<u8>,
}

impl Kept {
    /// Writes the parts.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts = [&self.statement, &self.evidence, &self.enrolment, &self.enrolment_signature, &self.token];
        let mut out = Vec::with_capacity(1 + parts.iter().map(|p| p.len() + 4).sum::<usize>());
        out.push(1);
        for part in parts {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Reads the parts; `None` unless they fill `bytes` exactly.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut left = bytes.strip_prefix(&[1])?;
        let mut part = || {
            let (length, rest) = left.split_first_chunk::<4>()?;
            let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
            left = rest;
            Some(part.to_vec())
        };
        let kept = Self {
            statement: part()?,
            evidence: part()?,
            enrolment: part()?,
            enrolment_signature: part()?,
            token: part()?,
        };
        left.is_empty().then_some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_read_back_whole_or_not_at_all() {
        let kept = Kept { statement: b"s".to_vec(), token: b"token".to_vec(), ..Kept::default() };
        let bytes = kept.to_bytes();
        assert_eq!(Kept::parse(&bytes), Some(kept));
        for cut in 0..bytes.len() {
            assert_eq!(Kept::parse(&bytes[..cut]), None);
        }
        assert_eq!(Kept::parse(&[bytes, vec![0]].concat()), None);
    }
}
