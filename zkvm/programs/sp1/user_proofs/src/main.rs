//! SP1 guest: verifies the proofs of one chunk and commits the root of their leaves.
#![no_main]

sp1_zkvm::entrypoint!(main);

fn main() {
    let mut host = aligned_sp1::Sp1::default();
    match aligned_core::guest::user_proofs(&mut host, &aligned_sp1::read_input()) {
        Ok(public_values) => host.commit(&public_values),
        Err(error) => panic!("{error}"),
    }
}
