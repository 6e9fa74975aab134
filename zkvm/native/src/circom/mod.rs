//! Groth16 over BN254 as snarkjs writes it: `proof.json`, `verification_key.json`, `public.json`.

mod inputs;
mod json;
mod kinds;

pub use kinds::describe;

use crate::groth16;
use crate::verdict::{Code, Outcome};

/// Verifies a proof for exactly this key and these inputs.
pub fn verify(proof_json: &[u8], public_inputs: &[u8], verification_key_json: &[u8]) -> Outcome {
    if verification_key_json.is_empty() {
        return Err(Code::MissingKey.because("send snarkjs' verification_key.json as the verification key"));
    }
    let key = json::key(verification_key_json)?;
    let proof = json::proof(proof_json)?;
    let expected = key.gamma_abc_g1.len() - 1;
    if public_inputs.is_empty() && expected > 0 {
        let problem = format!("the key is for {expected} public inputs; send snarkjs' public.json");
        return Err(Code::MissingPublicInput.because(problem));
    }
    let inputs = inputs::parse(public_inputs)?;
    if inputs.len() != expected {
        let problem = format!("got {} public inputs, the key is for {expected}", inputs.len());
        return Err(Code::MalformedPublicInput.because(problem));
    }
    if groth16::verify(&groth16::prepare(&key), &proof, &inputs)? {
        Ok(())
    } else {
        Err(Code::InvalidProof.because("Groth16: does not hold for this key and these public inputs"))
    }
}
