//! What a blob holds, and the point at which a root is bound to it (`docs/spec/aggregation.md`).

use alloc::vec::Vec;

use crate::field::{self, ONE, U256, ZERO};
use crate::keccak::{Hash, keccak256_on};
use crate::platform::Platform;

/// Commitments in a full blob: 4096 elements of 31 bytes.
pub const COMMITMENTS_PER_BLOB: usize = 3_968;

/// Bytes of data in a field element; the highest byte stays zero, so that every element is below r.
const ELEMENT_DATA_BYTES: usize = 31;
/// Binary logarithm of a blob's 4096 elements.
const LOG_ELEMENTS: usize = 12;
/// keccak("aligned.blob-binding.v1").
const TAG: Hash = [
    0x91, 0xbc, 0x14, 0x92, 0xf0, 0x40, 0x15, 0x87, 0x57, 0xa8, 0xcc, 0x5a, 0xb2, 0xb3, 0x37, 0xb3, 0xa9, 0x08, 0x16,
    0xb6, 0xc5, 0xcd, 0xbb, 0x24, 0xa2, 0xab, 0x1a, 0x13, 0x0e, 0xc4, 0xbd, 0x09,
];
/// A primitive 4096th root of unity: 7^((r−1)/4096), as EIP-4844 has it.
const ROOT_OF_UNITY: U256 =
    [0xe206_da11_a5d3_6306, 0x0ad1_347b_378f_bf96, 0xfc3e_8acf_e0f8_245f, 0x564c_0a11_a0f7_04f4];
/// 1/4096.
const INVERSE_OF_ELEMENTS: U256 =
    [0x400f_ffff_0010_0001, 0xd368_6828_bfce_5c19, 0x5eb6_a46a_8921_3de7, 0x73e6_6878_b46a_e370];

/// Number of blobs for `count` commitments.
#[must_use]
pub fn blob_count(count: usize) -> usize {
    count.div_ceil(COMMITMENTS_PER_BLOB)
}

/// The point at which the polynomial of a blob is evaluated: bound to the tree and to the blob.
#[must_use]
pub fn challenge<P: Platform>(root: &Hash, count: &Hash, versioned_hash: &Hash) -> U256 {
    field::reduce(&field::from_be_bytes(&keccak256_on::<P>(&[&TAG, root, count, versioned_hash])))
}

/// The field elements of a blob, without the zeros behind the last commitment.
#[must_use]
pub fn elements(commitments: &[Hash]) -> Vec<U256> {
    commitments.as_flattened().chunks(ELEMENT_DATA_BYTES).map(element).collect()
}

fn element(piece: &[u8]) -> U256 {
    let mut bytes = [0; 32];
    bytes[1..=piece.len()].copy_from_slice(piece);
    field::from_be_bytes(&bytes)
}

/// The value at `z` of the polynomial through a blob's elements at the 4096th roots of unity in bit-reversed order;
/// elements beyond the given ones are zero.
///
/// y = (z^4096 − 1)/4096 · Σ f·w/(z − w). The sum is kept as one fraction, so that a single inversion is enough; zero
/// elements add nothing to it.
#[must_use]
pub fn evaluate<P: Platform>(elements: &[U256], z: &U256) -> U256 {
    let roots = roots_of_unity::<P>(elements.len());
    let power = (0..LOG_ELEMENTS).fold(*z, |power, _| P::mul_mod_r(&power, &power));
    if power == ONE {
        return roots.iter().position(|root| root == z).map_or(ZERO, |index| elements[index]);
    }
    let (mut numerator, mut denominator) = (ZERO, ONE);
    for (element, root) in elements.iter().zip(&roots) {
        let distance = field::sub(z, root);
        let term = P::mul_mod_r(&P::mul_mod_r(element, root), &denominator);
        numerator = field::add(&P::mul_mod_r(&numerator, &distance), &term);
        denominator = P::mul_mod_r(&denominator, &distance);
    }
    let scale = P::mul_mod_r(&field::sub(&power, &ONE), &INVERSE_OF_ELEMENTS);
    P::mul_mod_r(&P::mul_mod_r(&numerator, &scale), &field::inverse::<P>(&denominator))
}

/// The first `count` 4096th roots of unity in bit-reversed order. Position 2^m + j has the exponent of position j plus
/// 2^(11−m), for j < 2^m.
fn roots_of_unity<P: Platform>(count: usize) -> Vec<U256> {
    let mut factors = [ROOT_OF_UNITY; LOG_ELEMENTS];
    for level in (0..LOG_ELEMENTS - 1).rev() {
        factors[level] = P::mul_mod_r(&factors[level + 1], &factors[level + 1]);
    }
    let mut roots = Vec::with_capacity(count);
    roots.push(ONE);
    for factor in &factors {
        for j in 0..roots.len().min(count.saturating_sub(roots.len())) {
            roots.push(P::mul_mod_r(&roots[j], factor));
        }
    }
    roots
}
