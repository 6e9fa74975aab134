//! What SP1 does for the guests.
//!
//! A guest must end with `Sp1::commit`, not by returning: the digest of the verified proofs is made here, with SP1's
//! Poseidon2 precompile. sp1-zkvm would make it with instructions, some 10,000 for each of six permutations a proof.

mod ecall;

use aligned_core::field::{R, U256};
use aligned_core::guest::Host;
use aligned_core::sp1::{VerifiedProofs, key_words};
use aligned_core::{Hash, Platform, aggregation};
use sha2::{Digest, Sha256};

/// The zkVM, with the digest of the proofs verified so far.
#[derive(Default)]
pub struct Sp1 {
    verified: VerifiedProofs,
}

impl Platform for Sp1 {
    fn keccak_f(state: &mut [u64; 25]) {
        ecall::keccak_permute(state);
    }

    fn mul_mod_r(a: &U256, b: &U256) -> U256 {
        let mut product = *a;
        ecall::uint256_mul(&mut product, &[*b, R]);
        product
    }
}

impl Host for Sp1 {
    const SYSTEM_ID: u8 = aggregation::SP1;

    fn verify(&mut self, program: &Hash, public_values: &[u8]) -> Result<(), String> {
        let key = key_words(program).ok_or("no program id in bytes32 form")?;
        let values = Sha256::digest(public_values).into();
        ecall::verify_proof(&key, &values);
        self.verified.add(&key, &values, ecall::poseidon2);
        Ok(())
    }
}

impl Sp1 {
    /// Makes `public_values` those of this run and ends it.
    pub fn commit(&self, public_values: &[u8]) -> ! {
        ecall::write_public_values(public_values);
        ecall::halt(&Sha256::digest(public_values).into(), self.verified.digest())
    }
}

/// The byte string that the host has written.
#[must_use]
pub fn read_input() -> Vec<u8> {
    sp1_zkvm::io::read_vec()
}
