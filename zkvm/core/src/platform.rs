//! What a zkVM does faster than with its instructions.

use crate::field::{self, U256};

/// Operations that have a circuit of their own in a zkVM. Left alone, they run as software.
pub trait Platform {
    /// The permutation keccak-f\[1600\].
    fn keccak_f(state: &mut [u64; 25]) {
        keccak::f1600(state);
    }

    /// a · b modulo r, the order of BLS12-381's group, for a and b below r.
    fn mul_mod_r(a: &U256, b: &U256) -> U256 {
        field::mul_mod_r(a, b)
    }
}

/// Everything as software.
#[derive(Debug, Clone, Copy)]
pub struct Software;

impl Platform for Software {}
