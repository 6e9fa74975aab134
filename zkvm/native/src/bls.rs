//! BN254 BLS with signatures in G1 and keys in G2 (and G1, for the contract's sums).
//!
//! The hash to the curve is try-and-increment, which is not constant time: digests are public. Multiplication with the
//! secret is not constant time either; a signer must not share its machine with someone who can measure it.

use aligned_core::keccak256_parts;
use ark_bn254::{Bn254, Fq, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{BigInt, Field, MontFp, PrimeField, Zero};

/// (p + 1) / 4. For a square b, b to this power is its root that is a square itself; for a non-square b it is a root
/// of −b, because p mod 4 = 3.
const ROOT_EXPONENT: BigInt<4> =
    BigInt::new([0x4f08_2305_b61f_3f52, 0x65e0_5aa4_5a1c_72a3, 0x6e14_116d_a060_5617, 0x0c19_139c_b84c_680a]);
const THREE: Fq = MontFp!("3");
const SEED_TAG: &[u8] = b"aligned/bls-secret/v1";

/// A message on the curve, with the witnesses that let a contract check it without exponentiation.
#[derive(Debug)]
pub struct HashedPoint {
    /// First x ≥ digest mod p on the curve, with the y that is a square.
    pub point: G1Affine,
    /// w with w² = y.
    pub root: Fq,
    /// For each skipped x, z with z² = −(x³ + 3).
    pub skips: Vec<Fq>,
}

/// Hashes a digest to G1.
pub fn hash_to_g1(digest: &[u8; 32]) -> HashedPoint {
    let mut x = Fq::from_be_bytes_mod_order(digest);
    let mut skips = Vec::new();
    loop {
        let beta = x.square() * x + THREE;
        let candidate = beta.pow(ROOT_EXPONENT);
        if candidate.square() == beta {
            let point = G1Affine::new_unchecked(x, candidate);
            return HashedPoint { point, root: candidate.pow(ROOT_EXPONENT), skips };
        }
        skips.push(candidate);
        x += Fq::ONE;
    }
}

/// A secret in [1, r) from a seed of any length: keccak over tag, counter and seed, 512 bits reduced.
pub fn secret_from_seed(seed: &[u8]) -> Fr {
    let wide = |counter: u8| {
        let low = keccak256_parts(&[SEED_TAG, &[counter, 0], seed]);
        let high = keccak256_parts(&[SEED_TAG, &[counter, 1], seed]);
        Fr::from_be_bytes_mod_order(&[low, high].concat())
    };
    (0..=u8::MAX).map(wide).find(|secret| !secret.is_zero()).unwrap_or(Fr::ONE)
}

/// The public key in both groups.
pub fn public_key(secret: &Fr) -> (G1Affine, G2Affine) {
    ((G1Projective::generator() * secret).into_affine(), (G2Projective::generator() * secret).into_affine())
}

/// Signature over a digest.
pub fn sign(secret: &Fr, digest: &[u8; 32]) -> G1Affine {
    (hash_to_g1(digest).point * secret).into_affine()
}

/// Whether e(signature, G2) = e(H(digest), key). The points must have been checked.
pub fn verify(key: &G2Affine, digest: &[u8; 32], signature: &G1Affine) -> bool {
    pairings_agree(signature, &G2Affine::generator(), &hash_to_g1(digest).point, key)
}

/// Whether both keys have the same secret: e(g1, G2) = e(G1, g2).
pub fn keys_match(g1: &G1Affine, g2: &G2Affine) -> bool {
    pairings_agree(g1, &G2Affine::generator(), &G1Affine::generator(), g2)
}

fn pairings_agree(a1: &G1Affine, a2: &G2Affine, b1: &G1Affine, b2: &G2Affine) -> bool {
    Bn254::multi_pairing([*a1, -*b1], [*a2, *b2]).is_zero()
}
