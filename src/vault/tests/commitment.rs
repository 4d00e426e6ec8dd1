//! A ciphertext that AES-GCM opens under two keys is refused, because the header commits to one.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::super::seal::{decrypt, open};
use super::*;
use crate::chance::SeededChance;

/// 64 bytes of HKDF output.
struct Len;
impl ring::hkdf::KeyType for Len {
    fn len(&self) -> usize {
        64
    }
}

/// Multiplies in the field of GHASH (NIST SP 800-38D §6.3); bit 0 is the most significant.
fn times(a: u128, b: u128) -> u128 {
    let (mut sum, mut power) = (0, b);
    for bit in (0..128).rev() {
        if a >> bit & 1 == 1 {
            sum ^= power;
        }
        power = if power & 1 == 1 { power >> 1 ^ 0xE1 << 120 } else { power >> 1 };
    }
    sum
}

/// The inverse, by Fermat: a^(2^128 − 2).
fn inverse(a: u128) -> u128 {
    let (mut out, mut square) = (1 << 127, a);
    for _ in 1..128 {
        square = times(square, square);
        out = times(out, square);
    }
    out
}

fn blocks(bytes: &[u8]) -> impl Iterator<Item = u128> + '_ {
    bytes.chunks(16).map(|chunk| {
        let mut block = [0; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        u128::from_be_bytes(block)
    })
}

fn ghash(h: u128, aad: &[u8], body: &[u8]) -> u128 {
    let lengths = ((aad.len() as u128 * 8) << 64) | (body.len() as u128 * 8);
    blocks(aad).chain(blocks(body)).chain([lengths]).fold(0, |y, block| times(y ^ block, h))
}

/// What GCM does under one key and nonce, learned from an ordinary implementation.
struct Insight {
    cipher: LessSafeKey,
    nonce: [u8; 12],
    h: u128,
    mask: u128,
}

impl Insight {
    #[expect(clippy::disallowed_methods, reason = "the attacker brings their own cipher")]
    fn new(key: &[u8], nonce: [u8; 12]) -> Self {
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
        let tag = |aad: &[u8]| {
            let at = Nonce::assume_unique_for_key(nonce);
            let tag = cipher.seal_in_place_separate_tag(at, Aad::from(aad), &mut []).unwrap();
            u128::from_be_bytes(tag.as_ref().try_into().unwrap())
        };
        // The tag of nothing is the mask; that of one zero block of additional data is mask + length · H.
        let mask = tag(&[]);
        let h = times(tag(&[0; 16]) ^ mask, inverse(128 << 64));
        Self { cipher, nonce, h, mask }
    }

    fn keystream(&self, len: usize) -> Vec<u8> {
        let mut zeros = vec![0; len];
        let at = Nonce::assume_unique_for_key(self.nonce);
        let _tag = self.cipher.seal_in_place_separate_tag(at, Aad::empty(), &mut zeros).unwrap();
        zeros
    }

    fn opens(&self, aad: &[u8], body: &[u8]) -> bool {
        let mut body = body.to_vec();
        self.cipher.open_in_place(Nonce::assume_unique_for_key(self.nonce), Aad::from(aad), &mut body).is_ok()
    }
}

/// Solves for the block at `free` so that one tag holds under both keys, and appends that tag.
fn under_both(one: &Insight, two: &Insight, aad: &[u8], mut body: Vec<u8>, free: usize) -> Vec<u8> {
    body[free..free + 16].fill(0);
    let missing = one.mask ^ two.mask ^ ghash(one.h, aad, &body) ^ ghash(two.h, aad, &body);
    // GHASH is linear: the block at `free` is multiplied by H to the number of blocks from it to the end, and one.
    let power = |h| (0..(body.len() - free) / 16).fold(h, |p, _| times(p, h));
    let block = times(missing, inverse(power(one.h) ^ power(two.h)));
    body[free..free + 16].copy_from_slice(&block.to_be_bytes());
    let tag = one.mask ^ ghash(one.h, aad, &body);
    body.extend_from_slice(&tag.to_be_bytes());
    body
}

/// The attacker knows both keys, and derives what the vault will derive.
fn derived(key: [u8; 32], salt: &[u8], info: &Binding) -> [u8; 64] {
    let mut both = [0; 64];
    let prk = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA512, salt).extract(&key);
    prk.expand(&[info.all()], Len).unwrap().fill(&mut both).unwrap();
    both
}

#[test]
fn a_ciphertext_valid_under_two_keys_opens_under_the_committed_one_only() {
    const HEADER: usize = 69;
    let (seed, n) = (25, if full() { 100 } else { 20 });
    let chance = SeededChance::new(seed);
    for _ in 0..n {
        let raw = [crate::chance::bytes::<32>(&chance).unwrap(), crate::chance::bytes::<32>(&chance).unwrap()];
        let [keys_1, keys_2] = raw.map(|key| PatientKeys::forge(PatientId::from_bytes([9; 16]), key));
        let at = place(keys_1.patient());
        let salt = crate::chance::bytes::<32>(&chance).unwrap();

        let info = at.bind(Binding::new(), "test").unwrap();
        let [both_1, both_2] = raw.map(|key| derived(key, &salt, &info));
        let mut header = vec![1, 0, 0, 0, 1];
        header.extend_from_slice(&salt);
        header.extend_from_slice(&both_1[32..]);
        let aad = [header.as_slice(), info.all()].concat();

        let mut nonce = [0; 12];
        nonce[11] = 1;
        let [one, two] = [both_1, both_2].map(|both| Insight::new(&both[..32], nonce));
        let mut text = vec![0; 256];
        text[..9].copy_from_slice(b"harmless!");
        text[248..].copy_from_slice(&9u64.to_be_bytes());
        let body: Vec<u8> = text.iter().zip(one.keystream(256)).map(|(t, k)| t ^ k).collect();
        let body = under_both(&one, &two, &aad, body, 128);
        assert!(one.opens(&aad, &body) && two.opens(&aad, &body), "plain AES-GCM accepts it under both keys");

        let sealed = Sealed([header.as_slice(), &body].concat());
        assert_eq!(sealed.0.len(), HEADER + 256 + 16);
        assert_eq!(&*open(&keys_1, &at, "test", &sealed).unwrap(), b"harmless!");
        // Not `open`: the length at the end would refuse it too, and hide whether the commitment does.
        assert!(decrypt(&keys_1, &at, "test", &sealed).is_ok());
        assert!(matches!(decrypt(&keys_2, &at, "test", &sealed), Err(VaultError::Refused)));
    }
    println!("seed {seed}, {n} ciphertexts");
}

#[test]
fn a_wrapped_key_valid_under_two_keys_unwraps_under_the_committed_one_only() {
    let chance = SeededChance::new(7);
    let raw = [crate::chance::bytes::<32>(&chance).unwrap(), crate::chance::bytes::<32>(&chance).unwrap()];
    let salt = crate::chance::bytes::<32>(&chance).unwrap();
    let place = Binding::new().field(b"a patient's key").unwrap();
    let [both_1, both_2] = raw.map(|key| derived(key, &salt, &place));
    let header = [&[1], salt.as_slice(), &both_1[32..]].concat();
    let aad = [header.as_slice(), place.all()].concat();
    let [one, two] = [both_1, both_2].map(|both| Insight::new(&both[..32], [0; 12]));
    let body = under_both(&one, &two, &aad, vec![7; 32], 0);
    assert!(one.opens(&aad, &body) && two.opens(&aad, &body), "plain AES-GCM accepts it under both keys");
    let wrapped = [header.as_slice(), &body].concat();
    assert!(wrap::unwrap(&Key(raw[0]), &place, &wrapped).is_ok());
    assert!(wrap::unwrap(&Key(raw[1]), &place, &wrapped).is_err());
}
