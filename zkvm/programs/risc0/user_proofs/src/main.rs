//! RISC0 guest: verifies the proofs of one chunk and commits the root of their leaves.

use risc0_zkvm::guest::env;

fn main() {
    match aligned_core::guest::user_proofs(&mut aligned_risc0::Risc0, &aligned_risc0::read_input()) {
        Ok(public_values) => env::commit_slice(&public_values),
        Err(error) => panic!("{error}"),
    }
}
