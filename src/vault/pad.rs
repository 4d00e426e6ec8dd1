//! Size classes: what the length of a ciphertext tells.

/// The smallest class; a label, a search value and a short record all look alike.
const SMALLEST: usize = 256;

/// The padded length for `length` bytes (PADMÉ, Nikitin et al. 2019): at most 12 % longer, and only about
/// log log n bits of the length remain visible.
pub(super) fn bucket(length: usize) -> Option<usize> {
    if length <= SMALLEST {
        return Some(SMALLEST);
    }
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1usize << exponent.checked_sub(kept)?) - 1;
    Some(length.checked_add(mask)? & !mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_class_holds_its_content_and_wastes_little() {
        let mut last = 0;
        for length in (0..70_000).chain([1 << 20, (1 << 20) + 1, 50_000_000]) {
            let padded = bucket(length).unwrap();
            assert!(padded >= length && padded >= last);
            assert!(padded == SMALLEST || padded * 100 <= length * 112, "{length} -> {padded}");
            assert_eq!(bucket(padded), Some(padded), "a class is its own class");
            last = padded;
        }
        assert_eq!(bucket(usize::MAX), None);
    }
}
