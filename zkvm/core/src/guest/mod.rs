//! The whole logic of the guests. A guest's `main` reads its input, calls one of the two functions and commits what it
//! returns; where they refuse, it panics, and there is no proof.

mod chunk;
mod input;
mod user_proofs;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use chunk::chunk;
pub use user_proofs::user_proofs;

use crate::field;
use crate::keccak::Hash;
use crate::platform::Platform;

/// The zkVM that a guest runs in, or what stands for it on the host.
pub trait Host: Platform {
    /// The system in the leaves.
    const SYSTEM_ID: u8;

    /// Returns only if there is a proof that `program` ended well with exactly these public values.
    ///
    /// # Errors
    /// The reason for which there is none, where the zkVM lets a guest live on.
    fn verify(&mut self, program: &Hash, public_values: &[u8]) -> Result<(), String>;
}

/// Why an input is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestError {
    /// The input ends too early.
    Truncated,
    /// There are bytes behind the input.
    TrailingBytes(usize),
    /// A list without entries.
    Empty,
    /// More entries than one root may have leaves.
    TooMany(u32),
    /// Not the number of blobs that the commitments fill.
    WrongBlobCount {
        /// Number given.
        got: u32,
        /// Number needed.
        expected: usize,
    },
    /// A proof that does not verify.
    Unproved {
        /// Its position.
        index: u32,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for GuestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the input ends too early"),
            Self::TrailingBytes(count) => write!(f, "{count} bytes behind the input"),
            Self::Empty => f.write_str("an empty list"),
            Self::TooMany(count) => write!(f, "{count} entries are more than a root may have leaves"),
            Self::WrongBlobCount { got, expected } => write!(f, "{got} versioned hashes, expected {expected}"),
            Self::Unproved { index, reason } => write!(f, "proof {index}: {reason}"),
        }
    }
}

/// A count as the word that is hashed and committed.
fn count_word(count: usize) -> Hash {
    field::to_be_bytes(&[count as u64, 0, 0, 0])
}

/// Public values of `user_proofs`, and the start of those of `chunk`: root ‖ count.
fn root_and_count(root: &Hash, count: usize) -> Vec<u8> {
    [*root, count_word(count)].concat()
}
