//! Groth16 over BN254, for points that were checked when they were decoded.

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective};
use ark_ec::VariableBaseMSM;
use ark_groth16::{Groth16, PreparedVerifyingKey, Proof, VerifyingKey, prepare_verifying_key};

use crate::bn254::{self, PointError};
use crate::verdict::{Code, Outcome};

/// A key ready for use.
pub type PreparedKey = PreparedVerifyingKey<Bn254>;

/// Prepares a key whose points were checked.
pub fn prepare(key: &VerifyingKey<Bn254>) -> PreparedKey {
    prepare_verifying_key(key)
}

/// A proof as the on-chain verifiers take it: A ‖ B ‖ C, 256 bytes, EIP-197 order.
pub fn proof_from_bytes(bytes: &[u8; 256]) -> Outcome<Proof<Bn254>> {
    let point = |name: &str, error: PointError| Code::MalformedProof.because(format!("point {name} {error}"));
    Ok(Proof {
        a: bn254::g1(&bytes[..64]).map_err(|error| point("A", error))?,
        b: bn254::g2(&bytes[64..192]).map_err(|error| point("B", error))?,
        c: bn254::g1(&bytes[192..]).map_err(|error| point("C", error))?,
    })
}

/// Whether the proof holds for the inputs.
pub fn verify(key: &PreparedKey, proof: &Proof<Bn254>, inputs: &[Fr]) -> Outcome<bool> {
    let sum = weigh(&key.vk.gamma_abc_g1, inputs)?;
    Groth16::<Bn254>::verify_proof_with_prepared_inputs(key, proof, &sum)
        .map_err(|error| Code::InvalidProof.because(format!("Groth16: {error}")))
}

/// The first point, and each other one times its input; the library would multiply one by one.
fn weigh(points: &[G1Affine], inputs: &[Fr]) -> Outcome<G1Projective> {
    let wrong = || Code::InvalidProof.because(format!("Groth16: {} inputs, {} points", inputs.len(), points.len()));
    let (first, rest) = points.split_first().ok_or_else(wrong)?;
    let sum = G1Projective::msm(rest, inputs).map_err(|_| wrong())?;
    Ok(sum + first)
}
