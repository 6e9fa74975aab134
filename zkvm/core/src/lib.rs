//! Commitments, trees and guests: the one Rust implementation.
//!
//! No `std`, so that guests, hosts and the Python extension run the same code. The exact bytes are described in
//! `docs/spec/commitments.md` (fast mode) and `docs/spec/aggregation.md`; Python and Solidity have their own
//! implementation and tests hold all three equal.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod aggregation;
pub mod blob;
mod commitment;
pub mod field;
pub mod guest;
mod keccak;
pub mod merkle;
mod platform;
pub mod sp1;
pub mod tree;

pub use commitment::{Commitments, Submission};
pub use keccak::{Hash, keccak256, keccak256_on, keccak256_parts};
pub use platform::{Platform, Software};
