//! Commitments and Merkle tree of the fast mode: the one Rust implementation.
//!
//! No `std`, so that guests, hosts and the Python extension run the same code. The exact bytes are described in
//! `docs/spec/commitments.md`; Python and Solidity have their own implementation and tests hold all three equal.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod commitment;
mod keccak;
pub mod merkle;

pub use commitment::{Commitments, Submission};
pub use keccak::{Hash, keccak256, keccak256_parts};
