//! Verifier keys: a name, what the key signs, the key (C2SP signed-note, tlog-cosignature).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::entry::unhex;
use super::merkle::sha256;
use super::note::{BadNote, cosigned};

/// What a key signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// The text of the note.
    Ed25519,
    /// The text of the note after a line with the time (cosignature/v1).
    Cosigner,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosigner => 4,
        }
    }
}

/// A public key and the name it signs under.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verifier {
    name: String,
    kind: KeyKind,
    key: [u8; 32],
    id: [u8; 4],
}

/// A name that can stand in a signature line and in a key.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// The y coordinates of the eight points of small order and the spellings of two of them above the prime. Under
/// the neutral point a signature of zeros holds for any message, under the others for one message in a few;
/// ring takes them all.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn is_of_small_order(key: &[u8; 32]) -> bool {
    let mut y = *key;
    // The highest bit is the sign of x; y is the rest.
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    SMALL_ORDER.iter().any(|hex| unhex(hex) == Some(y))
}

impl Verifier {
    /// A key with its name.
    ///
    /// # Errors
    /// [`BadNote::Key`] when the name is empty or has a blank, a control character or a plus, or when signatures
    /// under the key prove nothing.
    pub fn new(name: &str, kind: KeyKind, key: [u8; 32]) -> Result<Self, BadNote> {
        if !is_name(name) {
            return Err(BadNote::Key("the name"));
        }
        if is_of_small_order(&key) {
            return Err(BadNote::Key("a point of small order, under which anyone can sign"));
        }
        // The id covers the kind byte and the raw key, not its DER form (TL-05).
        let digest = sha256(&[name.as_bytes(), b"\n", &[kind.byte()], &key].concat());
        let [a, b, c, d, ..] = digest;
        Ok(Self { name: name.to_owned(), kind, key, id: [a, b, c, d] })
    }

    /// Reads `name+id+base64(kind ‖ key)`.
    ///
    /// # Errors
    /// [`BadNote::Key`] when it is spelled otherwise, of another kind, or the id is not the key's.
    pub fn parse(vkey: &str) -> Result<Self, BadNote> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadNote::Key("not name+id+key"));
        };
        if key.len() != 44 {
            return Err(BadNote::Key("the key's length"));
        }
        let raw = STANDARD.decode(key).map_err(|_| BadNote::Key("not base64"))?;
        let (kind, key) = raw.split_first().ok_or(BadNote::Key("empty"))?;
        let kind = match kind {
            1 => KeyKind::Ed25519,
            4 => KeyKind::Cosigner,
            _ => return Err(BadNote::Key("an algorithm not known here")),
        };
        let verifier = Self::new(name, kind, key.try_into().map_err(|_| BadNote::Key("the key's length"))?)?;
        if verifier.to_vkey() == vkey && verifier.id_text() == id {
            Ok(verifier)
        } else {
            Err(BadNote::Key("the id is not the key's"))
        }
    }

    fn id_text(&self) -> String {
        self.id.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The text that [`Verifier::parse`] reads.
    #[must_use]
    pub fn to_vkey(&self) -> String {
        let key = [&[self.kind.byte()], &self.key[..]].concat();
        format!("{}+{}+{}", self.name, self.id_text(), STANDARD.encode(key))
    }

    /// The name it signs under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The four bytes that stand for it in a signature line.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether `signature`, as it stands after the key id, was made over `text`; the time when it bears one.
    pub(super) fn check(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, BadNote> {
        let wrong = || BadNote::Signature(self.name.clone());
        let key = UnparsedPublicKey::new(&ED25519, self.key);
        match self.kind {
            KeyKind::Ed25519 => key.verify(text.as_bytes(), signature).map(|()| None).map_err(|_| wrong()),
            KeyKind::Cosigner => {
                let (time, signature) = signature.split_first_chunk::<8>().ok_or_else(wrong)?;
                let time = u64::from_be_bytes(*time);
                key.verify(cosigned(text, time).as_bytes(), signature).map_err(|_| wrong())?;
                Ok(Some(time))
            }
        }
    }

    pub(super) fn line(&self, signature: &[u8]) -> String {
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode([&self.id, signature].concat()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness() -> Verifier {
        Verifier::parse("witness.example/w1+37f67c1f+BJxF7rN7ExpCLpUYVh30imeBF9M06ROxDmj66mUeHdTR").unwrap()
    }

    #[test]
    fn a_verifier_key_has_one_spelling() {
        let vkey = witness().to_vkey();
        assert_eq!(Verifier::parse(&vkey).unwrap(), witness());
        for bad in [
            vkey.replace("37f67c1f", "37f67c1e"),
            vkey.replace("37f67c1f", "37F67C1F"),
            vkey.replace("w1+", "w 1+"),
            vkey.replace("w1+", "+"),
            vkey.replace("+BJx", "+AJx"),
            vkey.replace("HdTR", "HdT"),
            vkey.replace('+', "-"),
            format!("{vkey}="),
        ] {
            assert!(Verifier::parse(&bad).is_err(), "{bad}");
        }
        for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b"] {
            assert!(Verifier::new(name, KeyKind::Ed25519, [1; 32]).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_key_under_which_anyone_can_sign_is_refused() {
        let mut zeros = [0; 64];
        zeros[0] = 1;
        let mut forged = 0;
        for (hex, sign) in SMALL_ORDER.iter().flat_map(|hex| [(hex, 0), (hex, 0x80)]) {
            let mut key = unhex(hex).unwrap();
            key[31] |= sign;
            let holds = |n: u32| UnparsedPublicKey::new(&ED25519, key).verify(&n.to_be_bytes(), &zeros).is_ok();
            forged += usize::from((0..500).any(holds));
            assert!(Verifier::new("w", KeyKind::Ed25519, key).is_err(), "{hex}");
        }
        // The five canonical spellings must show the attack, or the table names the wrong points.
        assert!(forged >= 5, "{forged}");
        println!("{forged} of 14 spellings let anyone sign");
    }
}
