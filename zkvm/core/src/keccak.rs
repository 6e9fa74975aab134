//! keccak-256 as Ethereum uses it: the sponge, over the permutation of a platform.

use crate::platform::{Platform, Software};

/// A 32-byte hash.
pub type Hash = [u8; 32];

/// Bytes that go in between two permutations.
const RATE: usize = 136;

/// keccak-256 of `data`.
#[must_use]
pub fn keccak256(data: &[u8]) -> Hash {
    keccak256_parts(&[data])
}

/// keccak-256 of the concatenation of `parts`.
#[must_use]
pub fn keccak256_parts(parts: &[&[u8]]) -> Hash {
    keccak256_on::<Software>(parts)
}

/// keccak-256 of the concatenation of `parts`, with the permutation of `P`.
#[must_use]
pub fn keccak256_on<P: Platform>(parts: &[&[u8]]) -> Hash {
    let mut sponge = Sponge { state: [0; 25], block: Block([0; RATE]), filled: 0 };
    for part in parts {
        sponge.absorb::<P>(part);
    }
    sponge.finish::<P>()
}

/// Aligned, so that eight bytes of it are read as one word.
#[repr(align(8))]
struct Block([u8; RATE]);

struct Sponge {
    state: [u64; 25],
    block: Block,
    filled: usize,
}

impl Sponge {
    fn absorb<P: Platform>(&mut self, mut data: &[u8]) {
        while self.filled + data.len() >= RATE {
            let (head, rest) = data.split_at(RATE - self.filled);
            self.block.0[self.filled..].copy_from_slice(head);
            self.permute::<P>();
            self.filled = 0;
            data = rest;
        }
        self.block.0[self.filled..self.filled + data.len()].copy_from_slice(data);
        self.filled += data.len();
    }

    fn finish<P: Platform>(mut self) -> Hash {
        self.block.0[self.filled..].fill(0);
        self.block.0[self.filled] = 0x01;
        self.block.0[RATE - 1] |= 0x80;
        self.permute::<P>();
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut::<8>().0.iter_mut().zip(self.state) {
            *bytes = word.to_le_bytes();
        }
        hash
    }

    fn permute<P: Platform>(&mut self) {
        for (word, bytes) in self.state.iter_mut().zip(self.block.0.as_chunks::<8>().0) {
            *word ^= u64::from_le_bytes(*bytes);
        }
        P::keccak_f(&mut self.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keccak_of_nothing_is_the_known_constant() {
        let expected = [
            0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0, 0xe5, 0x00,
            0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70,
        ];
        assert_eq!(keccak256(b""), expected);
    }

    #[test]
    fn parts_hash_as_their_concatenation() {
        assert_eq!(keccak256_parts(&[b"al", b"", b"igned"]), keccak256(b"aligned"));
    }

    #[test]
    fn every_length_around_a_block_equals_another_implementation() {
        use sha3::Digest as _;
        let message: [u8; 3 * RATE + 2] = core::array::from_fn(|i| u8::try_from(i % 251).unwrap_or(0));
        for length in 0..=message.len() {
            let expected: Hash = sha3::Keccak256::digest(&message[..length]).into();
            assert_eq!(keccak256(&message[..length]), expected, "{length} bytes");
            let (head, tail) = message[..length].split_at(length / 3);
            assert_eq!(keccak256_parts(&[head, tail]), expected, "{length} bytes in two parts");
        }
    }
}
