//! SP1 v6.1.0: Compressed, Groth16 and PLONK.

mod envelope;
mod key;
mod wrapped;

use std::borrow::Borrow;
use std::sync::OnceLock;

use slop_algebra::PrimeField32;
use sp1_primitives::SP1Field;
use sp1_recursion_executor::{RECURSIVE_PROOF_NUM_PV_ELTS, RecursionPublicValues};
use sp1_verifier::compressed::{CompressedError, SP1CompressedVerifier};
use sp1_verifier::{ProofFromNetwork, SP1Proof, blake3_hash};

use crate::verdict::{Code, Outcome, Refusal};
use envelope::Envelope;
pub use key::ProgramKey;

/// Verifies a proof for exactly this program and these public values.
pub fn verify(
    proof: &[u8],
    public_values: Option<&[u8]>,
    verification_key: Option<&[u8]>,
    vm_program_code: Option<&[u8]>,
) -> Outcome {
    // The version first: who has an old one shall not be sent to make a key for it.
    let proof = Envelope::open(proof)?;
    let key = ProgramKey::of_submission(verification_key, vm_program_code)?;
    match proof {
        Envelope::Saved(file) => verify_saved(*file, &key, public_values),
        Envelope::OnChain(bytes) => {
            wrapped::verify(bytes, public_values.unwrap_or_default(), &key).map_err(|refusal| {
                // These bytes hold no public values, so an absent input cannot be told from a wrong one.
                let missing = public_values.is_none() && refusal.code == Code::InvalidProof;
                let wanted = "bytes for the on-chain verifier hold no public values: send them, or that is no proof";
                if missing { Code::MissingPublicInput.because(wanted) } else { refusal }
            })
        }
    }
}

/// Verifies a proof that a guest can verify as well, Compressed with SHA-256; returns the program id.
pub fn verify_aggregatable(proof: &[u8], public_values: &[u8], key: &[u8]) -> Outcome<[u8; 32]> {
    let Envelope::Saved(file) = Envelope::open(proof)? else { return Err(not_aggregatable()) };
    let key = ProgramKey::parse(key)?;
    let SP1Proof::Compressed(inner) = &file.proof else { return Err(not_aggregatable()) };
    // Before the proof itself, which takes a thousand times longer.
    check_commitment(&inner.proof.public_values, file.public_values.as_slice())?;
    verify_saved(*file, &key, Some(public_values))?;
    Ok(key.bytes32())
}

/// Refuses a proof that commits to its public values by BLAKE3, as programs with that feature of sp1-zkvm do: the
/// system call by which a guest verifies a proof hashes them with SHA-256. Anything else is left to the verifier.
fn check_commitment(recursion_values: &[SP1Field], public_values: &[u8]) -> Outcome {
    let values: &RecursionPublicValues<SP1Field> = recursion_values
        .get(..RECURSIVE_PROOF_NUM_PV_ELTS)
        .ok_or_else(|| Code::MalformedProof.because("too few public values"))?
        .borrow();
    let digest = values.committed_value_digest.as_flattened().iter().map(PrimeField32::as_canonical_u32);
    if digest.eq(blake3_hash(public_values).into_iter().map(u32::from)) {
        return Err(Code::UnsupportedVersion.because(
            "the program commits to its public values by BLAKE3, expected SHA-256, the one that can be aggregated: \
             build it without the feature `blake3` of sp1-zkvm and prove it again",
        ));
    }
    Ok(())
}

fn not_aggregatable() -> Refusal {
    Code::UnsupportedVersion.because("only Compressed proofs are aggregated, prove with `.compressed()`")
}

fn verify_saved(file: ProofFromNetwork, key: &ProgramKey, public_values: Option<&[u8]>) -> Outcome {
    let values = file.public_values.as_slice();
    // Where none are given the leaf commits to none: the proof holds for the values in it, which the leaf says nothing of.
    if let Some(given) = public_values.filter(|given| *given != values) {
        return Err(other_values(given, values));
    }
    match file.proof {
        SP1Proof::Compressed(proof) => {
            static VERIFIER: OnceLock<SP1CompressedVerifier> = OnceLock::new();
            let verifier = VERIFIER.get_or_init(SP1CompressedVerifier::new);
            let hash = crate::bounded::decode_exactly(&key.words_le()).map_err(|e| Code::InternalError.because(e))?;
            verifier.verify_compressed_with_public_values(&proof, values, &hash).map_err(|error| explain(&error))
        }
        SP1Proof::Groth16(proof) => wrapped::verify_groth16_file(&proof, values, key),
        SP1Proof::Plonk(proof) => wrapped::verify_plonk_file(&proof, values, key),
        SP1Proof::Core(_) => Err(envelope::core_is_not_supported()),
    }
}

/// The public values that a saved proof holds; none where it is no such file.
pub fn held_public_values(proof: &[u8]) -> Option<Vec<u8>> {
    match Envelope::open(proof).ok()? {
        Envelope::Saved(file) => Some(file.public_values.as_slice().to_vec()),
        Envelope::OnChain(_) => None,
    }
}

fn other_values(given: &[u8], held: &[u8]) -> Refusal {
    let sizes = format!("the proof holds {} bytes of public values, {} others were given", held.len(), given.len());
    Code::PublicInputMismatch.because(crate::foreign::with_hex_hint(given, &sizes))
}

fn explain(error: &CompressedError) -> Refusal {
    let text = error.to_string();
    let code = match error {
        CompressedError::PublicValuesMismatch => Code::PublicInputMismatch,
        // The library has no variant of its own for this.
        CompressedError::ProofRejected(_) if text.contains("sp1 vk hash mismatch") => Code::KeyMismatch,
        _ => Code::InvalidProof,
    };
    code.because(text)
}
