//! Saved proofs and keys: decoded within limits, verified by the verifier that needs no prover.

use std::borrow::Borrow;
use std::sync::OnceLock;

use aligned_prover_protocol::{Claim, Code, Failure};
use bincode::Options;
use slop_algebra::PrimeField32;
use sp1_hypercube::{HashableKey, SP1PcsProofInner, SP1RecursionProof, SP1VerifyingKey};
use sp1_primitives::SP1GlobalContext;
use sp1_primitives::io::sha256_hash;
use sp1_recursion_executor::RecursionPublicValues;
use sp1_verifier::compressed::SP1CompressedVerifier;
use sp1_verifier::{ProofFromNetwork, SP1Proof};

/// Circuit version of the proofs; v6.0.0 is unsound (CVE-2026-40323).
pub const VERSION: &str = "v6.1.0";

/// A recursive proof.
pub type Recursive = SP1RecursionProof<SP1GlobalContext, SP1PcsProofInner>;

/// A verified proof with the key that the recursion needs beside it.
#[cfg_attr(not(feature = "prove"), allow(dead_code, reason = "only a prover takes the proof on"))]
pub struct Verified {
    pub proof: Box<Recursive>,
    pub key: SP1VerifyingKey,
}

/// Verifies a saved Compressed proof for exactly this key and these public values.
pub fn open(proof: &[u8], key: &[u8], public_values: &[u8]) -> Result<(Claim, Verified), Failure> {
    let key: SP1VerifyingKey = decode(key, "verifying key")?;
    let file: ProofFromNetwork = decode(proof, "proof")?;
    if file.sp1_version != VERSION {
        return Err(Code::BadProof.because(format!("SP1 {:?}, expected {VERSION}", file.sp1_version)));
    }
    let SP1Proof::Compressed(proof) = file.proof else {
        return Err(Code::BadProof.because("only Compressed proofs can be aggregated"));
    };
    verify(&proof, public_values, &key)?;
    let claim = Claim { program_id: key.bytes32_raw(), public_values: public_values.to_vec() };
    Ok((claim, Verified { proof, key }))
}

fn verify(proof: &Recursive, public_values: &[u8], key: &SP1VerifyingKey) -> Result<(), Failure> {
    static VERIFIER: OnceLock<SP1CompressedVerifier> = OnceLock::new();
    let verifier = VERIFIER.get_or_init(SP1CompressedVerifier::new);
    let verdict = verifier.verify_compressed_with_public_values(proof, public_values, &key.hash_koalabear());
    verdict.map_err(|error| Code::BadProof.because(error.to_string()))?;
    // The verifier also takes programs that commit to their public values by BLAKE3; a guest cannot verify those.
    let values: &RecursionPublicValues<_> = proof.proof.public_values.as_slice().borrow();
    let digest = values.committed_value_digest.as_flattened().iter().map(PrimeField32::as_canonical_u32);
    if digest.eq(sha256_hash(public_values).into_iter().map(u32::from)) {
        Ok(())
    } else {
        Err(Code::BadProof
            .because("the program commits to its public values by BLAKE3, only SHA-256 can be aggregated"))
    }
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Failure> {
    // A length inside the bytes is checked against the limit before anything is allocated for it.
    let options = bincode::DefaultOptions::new().with_fixint_encoding().allow_trailing_bytes();
    let value = options.with_limit(bytes.len() as u64).deserialize(bytes);
    value.map_err(|error| Code::BadProof.because(format!("{what}: {error}")))
}

/// The bytes32 form of a saved key.
pub fn program_id(saved_key: &[u8]) -> Result<[u8; 32], Failure> {
    decode::<SP1VerifyingKey>(saved_key, "verifying key").map(|key| key.bytes32_raw())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use aligned_core::sp1::{VerifiedProofs, key_words};
    use slop_algebra::{AbstractField, PrimeField32};
    use slop_symmetric::Permutation;
    use sp1_primitives::{SP1Field, hash_deferred_proof, poseidon2_init};

    use super::*;

    fn vector(name: &str) -> Vec<u8> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/sp1");
        std::fs::read(folder.join(name)).expect(name)
    }

    fn fib_a_values() -> Vec<u8> {
        [20_u32, 6765, 3027].iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn refusal(proof: &[u8], key: &[u8], values: &[u8]) -> Code {
        open(proof, key, values).map(|_| ()).expect_err("the proof must be refused").code
    }

    #[test]
    fn open_real_proof_is_verified_and_named() {
        let (claim, _) = open(&vector("fib_a.compressed.proof"), &vector("fib.vk"), &fib_a_values()).expect("valid");
        assert_eq!(claim.program_id[..4], [0x00, 0xa7, 0x21, 0xa8]);
    }

    #[test]
    fn open_wrong_key_values_or_bytes_is_a_bad_proof() {
        let (proof, key, values) = (vector("fib_a.compressed.proof"), vector("fib.vk"), fib_a_values());
        assert_eq!(refusal(&proof, &vector("agg.vk"), &values), Code::BadProof);
        assert_eq!(refusal(&proof, &key, b"other"), Code::BadProof);
        assert_eq!(refusal(&proof[..proof.len() / 2], &key, &values), Code::BadProof);
        assert_eq!(refusal(&[0xff; 64], &key, &values), Code::BadProof);
        assert_eq!(refusal(&proof, &key[..50], &values), Code::BadProof);
        let mut flipped = proof;
        flipped[600_000] ^= 1;
        assert_eq!(refusal(&flipped, &key, &values), Code::BadProof);
    }

    #[test]
    fn digest_of_verified_proofs_is_that_of_the_prover() {
        let (key, digest) = (key_words(&program_id(&vector("fib.vk")).expect("key")).expect("id"), [7; 32]);
        let mut ours = VerifiedProofs::default();
        let mut theirs = [SP1Field::zero(); 8];
        for _ in 0..3 {
            ours.add(&key, &digest, |state| {
                let permuted = poseidon2_init().permute(state.map(SP1Field::from_canonical_u32));
                *state = permuted.map(|element| element.as_canonical_u32());
            });
            let elements = digest.map(SP1Field::from_canonical_u8);
            theirs = hash_deferred_proof(&theirs, &key.map(SP1Field::from_canonical_u32), &elements);
        }
        assert_eq!(*ours.digest(), theirs.map(|element| element.as_canonical_u32()));
    }
}
