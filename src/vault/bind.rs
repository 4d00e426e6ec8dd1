//! What a ciphertext is bound to, as bytes with one reading only.

use super::VaultError;

/// Room for the largest binding: a sealed header, three names of 64 bytes and the fixed fields.
const ROOM: usize = 448;
/// The longest name (deployment, table, column) that is bound.
pub(super) const LONGEST_NAME: usize = 64;

/// Fields with their lengths before them, built on the stack.
///
/// Lengths come first because joined text can be split in two ways, which would let one place pass for another
/// (security K4).
pub(super) struct Binding {
    bytes: [u8; ROOM],
    len: usize,
}

impl Binding {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; ROOM], len: 0 }
    }

    /// Leaves `len` zero bytes at the start, for a header that is written once it is known.
    pub(super) const fn after(len: usize) -> Self {
        Self { bytes: [0; ROOM], len }
    }

    /// Adds one field.
    pub(super) fn field(mut self, field: &[u8]) -> Result<Self, VaultError> {
        let length = u16::try_from(field.len()).map_err(|_| VaultError::Refused)?;
        self.put(&length.to_be_bytes())?;
        self.put(field)?;
        Ok(self)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        let end = self.len.checked_add(bytes.len()).ok_or(VaultError::Refused)?;
        self.bytes.get_mut(self.len..end).ok_or(VaultError::Refused)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Writes the header into the space left by [`Binding::after`].
    pub(super) fn head(&mut self, header: &[u8]) -> Result<(), VaultError> {
        self.bytes.get_mut(..header.len()).ok_or(VaultError::Refused)?.copy_from_slice(header);
        Ok(())
    }

    /// All bytes.
    pub(super) fn all(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// The bytes after the first `len`.
    pub(super) fn from(&self, len: usize) -> &[u8] {
        self.bytes.get(len..self.len).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_to_split_the_same_text_bind_differently() {
        let bind = |a: &str, b: &str| {
            let built = Binding::new().field(a.as_bytes()).and_then(|x| x.field(b.as_bytes())).unwrap();
            built.all().to_vec()
        };
        assert_ne!(bind("ab", "c"), bind("a", "bc"));
        assert_ne!(bind("", "abc"), bind("abc", ""));
    }

    #[test]
    fn a_binding_that_does_not_fit_is_refused_and_not_cut() {
        assert!(Binding::new().field(&[0; ROOM]).is_err());
        assert!(Binding::new().field(&[0; ROOM - 2]).is_ok());
    }
}
