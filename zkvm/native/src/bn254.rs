//! BN254 points in EIP-197 form, decoded strictly: canonical coordinates, on the curve, in the subgroup, finite.
//!
//! G1: X ‖ Y (64 bytes). G2: X.im ‖ X.re ‖ Y.im ‖ Y.re (128 bytes). Integers are big-endian.

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{BigInt, BigInteger, PrimeField};

/// Why bytes are not a point (or scalar) that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointError {
    /// Wrong number of bytes.
    Length,
    /// A coordinate is not below the field's modulus.
    NotCanonical,
    /// The point at infinity.
    Infinity,
    /// Off the curve.
    OffCurve,
    /// On the curve, outside the subgroup of prime order.
    OutsideSubgroup,
}

impl std::fmt::Display for PointError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Length => "has the wrong length",
            Self::NotCanonical => "is not canonical (not below the field's modulus)",
            Self::Infinity => "is the point at infinity",
            Self::OffCurve => "is not on the curve",
            Self::OutsideSubgroup => "is not in the prime-order subgroup",
        })
    }
}

/// A field element from 32 big-endian bytes; none if not canonical.
pub fn field<F: PrimeField<BigInt = BigInt<4>>>(bytes: &[u8; 32]) -> Option<F> {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0.iter().rev()) {
        *limb = u64::from_be_bytes(*chunk);
    }
    F::from_bigint(BigInt::new(limbs))
}

/// 32 big-endian bytes of a field element.
pub fn field_bytes<F: PrimeField<BigInt = BigInt<4>>>(element: F) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().rev().zip(element.into_bigint().0) {
        *chunk = limb.to_be_bytes();
    }
    bytes
}

/// A scalar in [1, r).
pub fn secret(bytes: &[u8]) -> Result<Fr, PointError> {
    let bytes = bytes.try_into().map_err(|_| PointError::Length)?;
    let scalar: Fr = field(bytes).ok_or(PointError::NotCanonical)?;
    if scalar.into_bigint().is_zero() { Err(PointError::NotCanonical) } else { Ok(scalar) }
}

/// A G1 point from 64 bytes.
pub fn g1(bytes: &[u8]) -> Result<G1Affine, PointError> {
    let [x, y] = coordinates(bytes)?;
    checked(x, y)
}

/// A G2 point from 128 bytes.
pub fn g2(bytes: &[u8]) -> Result<G2Affine, PointError> {
    let [x_im, x_re, y_im, y_re] = coordinates(bytes)?;
    checked(Fq2::new(x_re, x_im), Fq2::new(y_re, y_im))
}

fn coordinates<const N: usize>(bytes: &[u8]) -> Result<[Fq; N], PointError> {
    let (words, rest) = bytes.as_chunks::<32>();
    let words: &[[u8; 32]; N] = words.try_into().map_err(|_| PointError::Length)?;
    if !rest.is_empty() {
        return Err(PointError::Length);
    }
    let mut elements = [Fq::default(); N];
    for (element, word) in elements.iter_mut().zip(words) {
        *element = field(word).ok_or(PointError::NotCanonical)?;
    }
    Ok(elements)
}

/// The affine point (x, y) after all checks; (0, 0) is how infinity is written.
pub fn checked<C: SWCurveConfig>(x: C::BaseField, y: C::BaseField) -> Result<Affine<C>, PointError> {
    use ark_ff::Zero;
    if x.is_zero() && y.is_zero() {
        return Err(PointError::Infinity);
    }
    let point = Affine::<C>::new_unchecked(x, y);
    if !point.is_on_curve() {
        Err(PointError::OffCurve)
    } else if !point.is_in_correct_subgroup_assuming_on_curve() {
        Err(PointError::OutsideSubgroup)
    } else {
        Ok(point)
    }
}

/// 64 bytes of a G1 point; infinity is all zero.
pub fn g1_bytes(point: &G1Affine) -> [u8; 64] {
    let mut bytes = [0; 64];
    if let Some((x, y)) = point.xy() {
        bytes[..32].copy_from_slice(&field_bytes(x));
        bytes[32..].copy_from_slice(&field_bytes(y));
    }
    bytes
}

/// 128 bytes of a G2 point; infinity is all zero.
pub fn g2_bytes(point: &G2Affine) -> [u8; 128] {
    let mut bytes = [0; 128];
    if let Some((x, y)) = point.xy() {
        for (chunk, element) in bytes.as_chunks_mut::<32>().0.iter_mut().zip([x.c1, x.c0, y.c1, y.c0]) {
            *chunk = field_bytes(element);
        }
    }
    bytes
}
