//! keccak-256 as Ethereum uses it.

use sha3::{Digest, Keccak256};

/// A 32-byte hash.
pub type Hash = [u8; 32];

/// keccak-256 of `data`.
#[must_use]
pub fn keccak256(data: &[u8]) -> Hash {
    keccak256_parts(&[data])
}

/// keccak-256 of the concatenation of `parts`.
#[must_use]
pub fn keccak256_parts(parts: &[&[u8]]) -> Hash {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
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
}
