//! The identity of an SP1 program: the hash of its verifying key.
//!
//! The hash is eight field elements below p < 2^31. Its bytes32 form packs them into 248 bits, first element highest;
//! that is what contracts use, and the only 32-byte form that is taken as a key.

use aligned_core::sp1::key_words;
use sp1_hypercube::{HashableKey, SP1VerifyingKey};

use crate::bounded::decode_exactly;
use crate::foreign;
use crate::verdict::{Code, Outcome, Refusal};

/// Bytes of a saved verifying key.
const SAVED_KEY_BYTES: usize = 104;
const ELF_MAGIC: &[u8] = b"\x7fELF";

fn missing() -> Refusal {
    Code::MissingKey
        .because("send the verifying key: `bincode::serialize(&vk)` (104 bytes), or the 32 of `vk.bytes32()`")
}

/// Hash of a program's verifying key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramKey {
    words: [u32; 8],
}

impl ProgramKey {
    /// The program that a submission is about. The leaf commits to `vm_program_code` where both are given, so that is
    /// what is verified, and the other may not say anything else.
    pub fn of_submission(verification_key: Option<&[u8]>, vm_program_code: Option<&[u8]>) -> Outcome<Self> {
        match (verification_key, vm_program_code) {
            (None, None) => Err(missing()),
            (Some(bytes), None) | (None, Some(bytes)) => Self::parse(bytes),
            (Some(key), Some(program)) => {
                let (key, program) = (Self::parse(key)?, Self::parse(program)?);
                let differ = || Code::KeyMismatch.because("verification key and program are of different programs");
                if key == program { Ok(program) } else { Err(differ()) }
            }
        }
    }

    /// Reads a saved key or a hash.
    pub fn parse(bytes: &[u8]) -> Outcome<Self> {
        if bytes.is_empty() {
            return Err(missing());
        }
        if bytes.starts_with(ELF_MAGIC) {
            return Err(Code::KeyIsElf.because(
                "this is the program's ELF file; send its verifying key instead: `bincode::serialize(&vk)` (104 bytes) \
                 or the 32 bytes of `vk.bytes32()`",
            ));
        }
        if let Ok(hash) = bytes.try_into() {
            return Self::from_bytes32(hash);
        }
        if bytes.len() != SAVED_KEY_BYTES {
            let problem = format!("got {} bytes", bytes.len());
            let wanted = "expected 104 bytes (`bincode::serialize(&vk)` of sp1-sdk 6) or the 32 of `vk.bytes32()`";
            return Err(Code::MalformedKey.because(foreign::explain(bytes, &problem, wanted)));
        }
        let key: SP1VerifyingKey =
            decode_exactly(bytes).map_err(|error| Code::MalformedKey.because(format!("verifying key {error}")))?;
        Ok(Self { words: key.hash_u32() })
    }

    fn from_bytes32(hash: &[u8; 32]) -> Outcome<Self> {
        let malformed = || Code::MalformedKey.because("these 32 bytes are no key hash in bytes32 form (0x00...)");
        key_words(hash).map(|words| Self { words }).ok_or_else(malformed)
    }

    /// The form that contracts use.
    pub fn bytes32(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        for bit in 0..248 {
            let value = self.words[bit / 31] >> (30 - bit % 31) & 1;
            hash[1 + bit / 8] |= u8::from(value == 1) << (7 - bit % 8);
        }
        hash
    }

    /// The form that the recursion verifier uses: eight little-endian words.
    pub fn words_le(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(self.words) {
            *chunk = word.to_le_bytes();
        }
        bytes
    }
}
