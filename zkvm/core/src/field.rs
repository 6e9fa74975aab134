//! The scalar field of BLS12-381, in which blobs are polynomials.

use crate::keccak::Hash;
use crate::platform::Platform;

/// A 256-bit integer as four 64-bit limbs, lowest first.
pub type U256 = [u64; 4];

/// The order r of the field.
pub const R: U256 = [0xffff_ffff_0000_0001, 0x53bd_a402_fffe_5bfe, 0x3339_d808_09a1_d805, 0x73ed_a753_299d_7d48];
/// Zero.
pub const ZERO: U256 = [0; 4];
/// One.
pub const ONE: U256 = [1, 0, 0, 0];
const R_MINUS_TWO: U256 = [R[0] - 2, R[1], R[2], R[3]];
/// −1/r modulo 2^64.
const MONTGOMERY_FACTOR: u64 = 0xffff_fffe_ffff_ffff;
/// 2^512 modulo r.
const MONTGOMERY_SQUARE: U256 =
    [0xc999_e990_f3f2_9c6d, 0x2b6c_edcb_8792_5c23, 0x05d3_1496_7254_398f, 0x0748_d9d9_9f59_ff11];

/// The integer that 32 bytes encode, highest byte first.
#[must_use]
pub fn from_be_bytes(bytes: &Hash) -> U256 {
    let mut value = ZERO;
    for (limb, chunk) in value.iter_mut().rev().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_be_bytes(*chunk);
    }
    value
}

/// 32 bytes, highest first.
#[must_use]
pub fn to_be_bytes(value: &U256) -> Hash {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(value.iter().rev()) {
        *chunk = limb.to_be_bytes();
    }
    bytes
}

/// Any 256-bit integer modulo r. 2^256 < 3r, so that two subtractions are enough.
#[must_use]
pub fn reduce(value: &U256) -> U256 {
    let once = subtract_r(value, 0);
    subtract_r(&once, 0)
}

/// a + b for elements.
#[must_use]
pub fn add(a: &U256, b: &U256) -> U256 {
    subtract_r(&wide_add(a, b).0, 0) // 2r < 2^256: no carry
}

/// a − b for elements.
#[must_use]
pub fn sub(a: &U256, b: &U256) -> U256 {
    let (difference, borrow) = wide_sub(a, b);
    if borrow { wide_add(&difference, &R).0 } else { difference }
}

/// The inverse of an element that is not zero, by Fermat's little theorem.
#[must_use]
pub fn inverse<P: Platform>(value: &U256) -> U256 {
    let bits = (0..255).rev().map(|bit| R_MINUS_TWO[bit / 64] >> (bit % 64) & 1 == 1);
    bits.fold(ONE, |power, set| {
        let square = P::mul_mod_r(&power, &power);
        if set { P::mul_mod_r(&square, value) } else { square }
    })
}

/// a · b for elements, as software.
#[must_use]
pub fn mul_mod_r(a: &U256, b: &U256) -> U256 {
    montgomery(&montgomery(a, b), &MONTGOMERY_SQUARE)
}

/// a · b / 2^256.
fn montgomery(a: &U256, b: &U256) -> U256 {
    let (mut sum, mut top) = (ZERO, 0_u64);
    for digit in b {
        let carry = multiply_add(&mut sum, a, *digit);
        let (mut high, over) = top.overflowing_add(carry);
        let factor = sum[0].wrapping_mul(MONTGOMERY_FACTOR);
        let (next, wrapped) = high.overflowing_add(multiply_add(&mut sum, &R, factor));
        high = next;
        sum = [sum[1], sum[2], sum[3], high];
        top = u64::from(over) + u64::from(wrapped);
    }
    subtract_r(&sum, top)
}

/// sum + a · digit; returns what is above 256 bits.
fn multiply_add(sum: &mut U256, a: &U256, digit: u64) -> u64 {
    let mut carry = 0;
    for (limb, part) in sum.iter_mut().zip(a) {
        let product = u128::from(*part) * u128::from(digit) + u128::from(*limb) + u128::from(carry);
        *limb = low(product);
        carry = low(product >> 64);
    }
    carry
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low(value: u128) -> u64 {
    value as u64
}

/// value + top · 2^256, less r if it is not below it.
fn subtract_r(value: &U256, top: u64) -> U256 {
    let (difference, borrow) = wide_sub(value, &R);
    if borrow && top == 0 { *value } else { difference }
}

fn wide_add(a: &U256, b: &U256) -> (U256, bool) {
    carried(a, b, u64::overflowing_add)
}

fn wide_sub(a: &U256, b: &U256) -> (U256, bool) {
    carried(a, b, u64::overflowing_sub)
}

/// `step` limb by limb; the carry or borrow of one goes through the same `step` in the next.
fn carried(a: &U256, b: &U256, step: impl Fn(u64, u64) -> (u64, bool)) -> (U256, bool) {
    let (mut result, mut carry) = (ZERO, false);
    for (limb, (x, y)) in result.iter_mut().zip(a.iter().zip(b)) {
        let (partial, first) = step(*x, *y);
        let (total, second) = step(partial, u64::from(carry));
        (*limb, carry) = (total, first || second);
    }
    (result, carry)
}
