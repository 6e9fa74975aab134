//! What only SP1's guests need: its program ids, and the digest of the proofs that a guest has verified.

use crate::keccak::Hash;

/// The field's modulus, KoalaBear.
const P: u32 = 0x7f00_0001;
/// Field elements of a digest; also the rate of the sponge.
const DIGEST_WORDS: usize = 8;

/// The eight field elements of a program id in bytes32 form: 248 bits, first element highest. None if the bytes are no
/// such form; an element and its sum with the modulus would otherwise name one program.
#[must_use]
pub fn key_words(program_id: &Hash) -> Option<[u32; DIGEST_WORDS]> {
    let mut words = [0; DIGEST_WORDS];
    for (position, word) in words.iter_mut().enumerate() {
        *word = word_at(program_id, 8 + 31 * position);
    }
    (program_id[0] == 0 && words.iter().all(|word| *word < P)).then_some(words)
}

/// 31 bits, highest first, from the bit at `start`.
fn word_at(bytes: &Hash, start: usize) -> u32 {
    let mut window = [0; 8];
    let first = start / 8;
    let length = window.len().min(bytes.len() - first);
    window[..length].copy_from_slice(&bytes[first..first + length]);
    let value = u64::from_be_bytes(window) << (start % 8) >> 33;
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The digest in which SP1 keeps the proofs that a guest has verified, in order.
///
/// digest' = Poseidon2(digest ‖ key ‖ the 32 bytes of sha256(public values), one element each): a sponge that takes
/// eight elements before each permutation. The prover recomputes it over the proofs, the proof states it.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifiedProofs {
    digest: [u32; DIGEST_WORDS],
}

impl VerifiedProofs {
    /// Adds a proof; `permute` is Poseidon2 over 16 elements.
    pub fn add(&mut self, key: &[u32; 8], values_sha256: &Hash, mut permute: impl FnMut(&mut [u32; 16])) {
        let mut state = [0; 2 * DIGEST_WORDS];
        let mut absorb = |block: [u32; DIGEST_WORDS]| {
            state[..DIGEST_WORDS].copy_from_slice(&block);
            permute(&mut state);
        };
        absorb(self.digest);
        absorb(*key);
        for bytes in values_sha256.as_chunks::<DIGEST_WORDS>().0 {
            absorb(bytes.map(u32::from));
        }
        self.digest.copy_from_slice(&state[..DIGEST_WORDS]);
    }

    /// The digest over all proofs added, zero for none.
    #[must_use]
    pub fn digest(&self) -> &[u32; DIGEST_WORDS] {
        &self.digest
    }
}
