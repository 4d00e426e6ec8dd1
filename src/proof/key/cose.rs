//! Keys as COSE (RFC 9053), the form in which authenticators hand them over.

use super::super::Refused;
use super::{PublicKey, point};

const MALFORMED: Refused = Refused::because("cose");

enum Item<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

/// Reads the few forms of CBOR a COSE key is made of; every length in its shortest form (CTAP2 canonical).
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Refused> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, Refused> {
        self.take(1)?.first().copied().ok_or(MALFORMED)
    }

    /// The major type and its argument; nothing here is longer than 65535.
    fn head(&mut self) -> Result<(u8, u16), Refused> {
        let first = self.byte()?;
        let argument = match first & 31 {
            small @ 0..=23 => u16::from(small),
            24 => Some(self.byte()?).filter(|n| *n >= 24).map(u16::from).ok_or(MALFORMED)?,
            25 => {
                let n = u16::from(self.byte()?) << 8 | u16::from(self.byte()?);
                Some(n).filter(|n| *n >= 256).ok_or(MALFORMED)?
            }
            _ => return Err(MALFORMED),
        };
        Ok((first >> 5, argument))
    }

    fn item(&mut self) -> Result<Item<'a>, Refused> {
        match self.head()? {
            (0, n) => Ok(Item::Int(i64::from(n))),
            (1, n) => Ok(Item::Int(-1 - i64::from(n))),
            (2, n) => Ok(Item::Bytes(self.take(usize::from(n))?)),
            _ => Err(MALFORMED),
        }
    }
}

impl PublicKey {
    /// Reads a passkey's public key to be enrolled: EC2 on P-256 with ES256, or OKP on Ed25519 with EdDSA.
    ///
    /// # Errors
    /// [`Refused`] for anything else: other parameters, a private part, points off the curve or of small order,
    /// bytes after the end.
    pub fn from_cose(bytes: &[u8]) -> Result<Self, Refused> {
        match Self::from_cose_prefix(bytes)? {
            (key, []) => Ok(key),
            (_, _) => Err(MALFORMED),
        }
    }

    /// Reads the key at the beginning of `bytes`; gives what follows it.
    pub(in crate::proof) fn from_cose_prefix(bytes: &[u8]) -> Result<(Self, &[u8]), Refused> {
        let mut reader = Reader(bytes);
        let (major, members) = reader.head()?;
        if major != 5 || members > 8 {
            return Err(MALFORMED);
        }
        let (mut kty, mut alg, mut crv, mut x, mut y) = (None, None, None, None, None);
        for _ in 0..members {
            let Item::Int(label) = reader.item()? else { return Err(MALFORMED) };
            let twice = match (label, reader.item()?) {
                (1, Item::Int(n)) => kty.replace(n).is_some(),
                (3, Item::Int(n)) => alg.replace(n).is_some(),
                (-1, Item::Int(n)) => crv.replace(n).is_some(),
                (-2, Item::Bytes(b)) => x.replace(b).is_some(),
                (-3, Item::Bytes(b)) => y.replace(b).is_some(),
                // -4 is the private part; whatever else is there we would not understand.
                _ => true,
            };
            if twice {
                return Err(MALFORMED);
            }
        }
        let exact = |b: Option<&[u8]>| b.and_then(|b| <[u8; 32]>::try_from(b).ok()).ok_or(MALFORMED);
        let key = match (kty, alg, crv, y) {
            (Some(2), Some(-7), Some(1), Some(_)) => Self::from_bytes(&point(&exact(x)?, &exact(y)?))?,
            (Some(1), Some(-8), Some(6), None) => Self::from_bytes(&exact(x)?)?,
            _ => return Err(MALFORMED),
        };
        Ok((key, reader.0))
    }
}
