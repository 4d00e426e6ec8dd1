//! The tree hash of RFC 6962 §2.1 and the few hashes that stand for a whole log.

use ring::digest::{Context, SHA256, digest};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    fixed(digest(&SHA256, bytes))
}

/// SHA-256 of `first` followed by `second`.
pub(super) fn sha256_pair(first: &[u8], second: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(first);
    context.update(second);
    fixed(context.finish())
}

fn fixed(digest: ring::digest::Digest) -> Hash {
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

/// The hash of a leaf; the 0x00 keeps a leaf from being read as an inner node (TL-01).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256_pair(&[0], entry)
}

/// The hash of an inner node; the 0x01 keeps it from being read as a leaf (TL-01).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut block = [1; 65];
    let (_, hashes) = block.split_at_mut(1);
    let (to_left, to_right) = hashes.split_at_mut(32);
    to_left.copy_from_slice(left);
    to_right.copy_from_slice(right);
    sha256(&block)
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The root over `row`, whose hashes all stand at one level except perhaps the last, which may be less full.
#[must_use]
pub fn root_of(row: &[Hash]) -> Hash {
    let mut row = row.to_vec();
    while row.len() > 1 {
        // A last hash without a partner moves up as it is: RFC 6962 splits at the largest power of two.
        row = row
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                [alone] | [alone, ..] => *alone,
                [] => empty_root(),
            })
            .collect();
    }
    row.first().copied().unwrap_or_else(empty_root)
}

/// The roots of the complete subtrees of a log, largest first: enough to append and to give the root.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash; a log of 2^64 − 1 leaves is full and stays as it is.
    pub fn append(&mut self, leaf: Hash) {
        let Some(size) = self.size.checked_add(1) else { return };
        let mut hash = leaf;
        // Each trailing one of the old size is a subtree as large as the one just completed.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size = size;
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut from_the_right = self.peaks.iter().rev();
        let Some(last) = from_the_right.next() else { return empty_root() };
        from_the_right.fold(*last, |right, left| node_hash(left, &right))
    }

    /// The bytes a publisher keeps to resume: size (8, big-endian), then the hashes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + 32 * self.peaks.len());
        out.extend_from_slice(&self.size.to_be_bytes());
        out.extend_from_slice(self.peaks.as_flattened());
        out
    }

    /// Reads what [`Frontier::to_bytes`] wrote; `None` when the length does not fit the size. The caller
    /// compares [`Frontier::root`] with a checkpoint it trusts: these bytes are not signed.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let size = u64::from_be_bytes(*size);
        let (peaks, left_over) = rest.as_chunks::<32>();
        let fits = left_over.is_empty() && peaks.len() == size.count_ones() as usize;
        fits.then(|| Self { size, peaks: peaks.to_vec() })
    }

    /// From the peaks of a log of `size` leaves, largest first; `None` when their number is wrong.
    #[must_use]
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{hash, rfc6962_leaves};
    use super::*;

    #[test]
    fn the_roots_are_those_of_rfc_6962() {
        let roots = [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
            (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ];
        let leaves: Vec<Hash> = rfc6962_leaves().iter().map(|l| leaf_hash(l)).collect();
        for (size, root) in roots {
            let mut frontier = Frontier::new();
            leaves.iter().take(size).for_each(|l| frontier.append(*l));
            assert_eq!(frontier.root(), hash(root), "size {size}");
            assert_eq!(root_of(&leaves[..size]), hash(root), "size {size}");
        }
    }

    #[test]
    fn a_frontier_resumes_from_its_bytes_and_refuses_others() {
        let mut whole = Frontier::new();
        for n in 0u64..300 {
            let bytes = whole.to_bytes();
            let mut resumed = Frontier::from_bytes(&bytes).unwrap();
            assert_eq!(resumed, whole);
            assert_eq!(Frontier::from_bytes(&bytes[1..]), None);
            assert_eq!(Frontier::from_bytes(&[&bytes[..], &[0; 32]].concat()), None);
            let leaf = leaf_hash(&n.to_be_bytes());
            whole.append(leaf);
            resumed.append(leaf);
            assert_eq!(resumed.root(), whole.root());
        }
        assert_eq!(Frontier::from_bytes(&[0; 7]), None);
    }
}
