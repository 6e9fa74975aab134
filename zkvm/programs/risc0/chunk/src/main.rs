//! RISC0 guest: joins the chunks that `user_proofs` has proved under one root and binds their blobs.

mod child;

use risc0_zkvm::guest::env;

fn main() {
    let input = aligned_risc0::read_input();
    match aligned_core::guest::chunk(&mut aligned_risc0::Risc0, &child::PROGRAM_ID, &input) {
        Ok(public_values) => env::commit_slice(&public_values),
        Err(error) => panic!("{error}"),
    }
}
