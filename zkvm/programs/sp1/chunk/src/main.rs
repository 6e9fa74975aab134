//! SP1 guest: joins the chunks that `user_proofs` has proved under one root and binds their blobs.
#![no_main]

mod child;

sp1_zkvm::entrypoint!(main);

fn main() {
    let mut host = aligned_sp1::Sp1::default();
    match aligned_core::guest::chunk(&mut host, &child::PROGRAM_ID, &aligned_sp1::read_input()) {
        Ok(public_values) => host.commit(&public_values),
        Err(error) => panic!("{error}"),
    }
}
