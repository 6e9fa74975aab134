//! What RISC Zero does for the guests. Its keccak circuit is not used: proofs that use it need recursion programs that
//! a composite proof does without.

use std::io::Read;

use aligned_core::field::{R, U256};
use aligned_core::guest::Host;
use aligned_core::{Hash, Platform, aggregation};
use risc0_bigint2::field::modmul_256;
use risc0_zkvm::guest::env;

/// The zkVM.
pub struct Risc0;

impl Platform for Risc0 {
    fn mul_mod_r(a: &U256, b: &U256) -> U256 {
        let mut product = [0; 8];
        modmul_256(&digits(a), &digits(b), &digits(&R), &mut product);
        std::array::from_fn(|i| u64::from(product[2 * i]) | u64::from(product[2 * i + 1]) << 32)
    }
}

impl Host for Risc0 {
    const SYSTEM_ID: u8 = aggregation::RISC0;

    fn verify(&mut self, program: &Hash, public_values: &[u8]) -> Result<(), String> {
        env::verify(*program, public_values).map_err(|never| match never {})
    }
}

/// The byte string that the host has written.
#[must_use]
pub fn read_input() -> Vec<u8> {
    let mut input = Vec::new();
    match env::stdin().read_to_end(&mut input) {
        Ok(_) => input,
        Err(error) => panic!("input: {error}"),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn digits(value: &U256) -> [u32; 8] {
    std::array::from_fn(|i| (value[i / 2] >> (32 * (i % 2))) as u32)
}
