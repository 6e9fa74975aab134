//! SP1 proofs wrapped for Ethereum: selector ‖ exit code ‖ root of recursion keys ‖ nonce ‖ proof.
//!
//! Public inputs of the circuit: program key, hash of the public values, exit code, root, nonce. The hash is SHA-256
//! or BLAKE3 with the top three bits cleared; nobody can find values that match under the one and not the other.

use std::sync::OnceLock;

use ark_bn254::Fr;
use sp1_verifier::{
    GROTH16_VK_BYTES, Groth16Bn254Proof, PLONK_VK_BYTES, PlonkBn254Proof, PlonkVerifier, VK_ROOT_BYTES, blake3_hash,
    hash_public_inputs, hash_public_inputs_with_fn, load_ark_groth16_verifying_key_from_bytes, sha256_hash,
};

use super::key::ProgramKey;
use crate::bn254;
use crate::groth16::{self, PreparedKey};
use crate::verdict::{Code, Outcome};

const GROTH16_SELECTOR: [u8; 4] = [0x43, 0x88, 0xa2, 0x1c];
const PLONK_SELECTOR: [u8; 4] = [0x5a, 0x09, 0x3a, 0x2f];
/// selector, exit code, root, nonce
const HEADER_BYTES: usize = 4 + 3 * 32;
const GROTH16_BYTES: usize = HEADER_BYTES + 256;

/// Whether proofs that begin with this selector are verified here.
pub fn knows(selector: [u8; 4]) -> bool {
    selector == GROTH16_SELECTOR || selector == PLONK_SELECTOR
}

/// Verifies the bytes that the on-chain verifier takes.
pub fn verify(bytes: &[u8], public_values: &[u8], key: &ProgramKey) -> Outcome {
    if bytes.starts_with(&PLONK_SELECTOR) {
        verify_plonk(bytes, public_values, key)
    } else {
        verify_groth16(bytes, public_values, key)
    }
}

/// Verifies the Groth16 part of a saved file.
pub fn verify_groth16_file(file: &Groth16Bn254Proof, public_values: &[u8], key: &ProgramKey) -> Outcome {
    let bytes = on_chain_bytes(&file.encoded_proof, &file.groth16_vkey_hash, &GROTH16_VK_BYTES)?;
    check_stated_inputs(&file.public_inputs, &bytes, public_values, key)?;
    verify_groth16(&bytes, public_values, key)
}

/// Verifies the PLONK part of a saved file.
pub fn verify_plonk_file(file: &PlonkBn254Proof, public_values: &[u8], key: &ProgramKey) -> Outcome {
    let bytes = on_chain_bytes(&file.encoded_proof, &file.plonk_vkey_hash, &PLONK_VK_BYTES)?;
    check_stated_inputs(&file.public_inputs, &bytes, public_values, key)?;
    verify_plonk(&bytes, public_values, key)
}

fn on_chain_bytes(encoded_hex: &str, vk_hash: &[u8; 32], vk: &[u8]) -> Outcome<Vec<u8>> {
    if encoded_hex.is_empty() {
        return Err(Code::InvalidProof.because("a mock proof: it holds no proof bytes"));
    }
    if *vk_hash != sha256_hash(vk) {
        return Err(Code::UnsupportedVersion.because("the proof was made with other wrapper keys than those of v6.1.0"));
    }
    let encoded = hex::decode(encoded_hex)
        .map_err(|error| Code::MalformedProof.because(format!("encoded proof is no hexadecimal: {error}")))?;
    if hex::encode(&encoded) != encoded_hex {
        return Err(Code::MalformedProof.because("encoded proof: hexadecimal digits must be lower case"));
    }
    Ok([&vk_hash[..4], encoded.as_slice()].concat())
}

/// A saved file repeats the circuit's inputs as decimal text; what it says must be what is verified.
fn check_stated_inputs(stated: &[String; 5], bytes: &[u8], public_values: &[u8], key: &ProgramKey) -> Outcome {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(Code::MalformedProof.because("encoded proof is too short"));
    };
    let is = |text: &str, word: &[u8; 32]| bn254::field::<Fr>(word).is_some_and(|value| value.to_string() == text);
    if !is(&stated[0], &key.bytes32()) {
        return Err(Code::KeyMismatch.because("the proof is for another program"));
    }
    if !value_hashes(public_values).iter().any(|hash| is(&stated[1], hash)) {
        return Err(Code::PublicInputMismatch.because("the stated hash is not that of the public values"));
    }
    let (words, _) = header[4..].as_chunks::<32>();
    if !words.iter().zip(&stated[2..]).all(|(word, text)| is(text, word)) {
        return Err(Code::MalformedProof.because("the stated inputs differ from those in the encoded proof"));
    }
    Ok(())
}

fn value_hashes(public_values: &[u8]) -> [[u8; 32]; 2] {
    [hash_public_inputs(public_values), hash_public_inputs_with_fn(public_values, blake3_hash)]
}

fn verify_groth16(bytes: &[u8], public_values: &[u8], key: &ProgramKey) -> Outcome {
    let bytes: &[u8; GROTH16_BYTES] = bytes.try_into().map_err(|_| {
        Code::MalformedProof.because(format!("Groth16 proof: got {} bytes, expected {GROTH16_BYTES}", bytes.len()))
    })?;
    let (words, points) = bytes[4..].as_chunks::<32>().0.split_at(3);
    let [exit_code, vk_root, nonce] = words else { return Err(Code::InternalError.because("header layout")) };
    check_header(exit_code, vk_root)?;
    let points = points.as_flattened().try_into().map_err(|_| Code::InternalError.because("proof layout"))?;
    let proof = groth16::proof_from_bytes(points)?;
    for hash in value_hashes(public_values) {
        let inputs = [&key.bytes32(), &hash, exit_code, vk_root, nonce].map(bn254::field::<Fr>);
        let inputs = inputs.into_iter().collect::<Option<Vec<_>>>();
        let inputs = inputs.ok_or_else(|| Code::MalformedProof.because("the nonce is no field element"))?;
        if groth16::verify(groth16_key()?, &proof, &inputs)? {
            return Ok(());
        }
    }
    Err(Code::InvalidProof.because("Groth16: does not hold for this program and these public values"))
}

fn check_header(exit_code: &[u8; 32], vk_root: &[u8; 32]) -> Outcome {
    if exit_code != &[0; 32] {
        return Err(Code::InvalidProof.because("the program did not end with exit code 0"));
    }
    if *vk_root != *VK_ROOT_BYTES {
        return Err(Code::UnsupportedVersion.because("other recursion keys than those of v6.1.0"));
    }
    Ok(())
}

fn groth16_key() -> Outcome<&'static PreparedKey> {
    static KEY: OnceLock<Option<PreparedKey>> = OnceLock::new();
    let load = || Some(groth16::prepare(&load_ark_groth16_verifying_key_from_bytes(&GROTH16_VK_BYTES).ok()?));
    KEY.get_or_init(load).as_ref().ok_or_else(|| Code::InternalError.because("embedded Groth16 key"))
}

fn verify_plonk(bytes: &[u8], public_values: &[u8], key: &ProgramKey) -> Outcome {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(Code::MalformedProof.because(format!("PLONK proof: {} bytes are too few", bytes.len())));
    };
    if let [exit_code, vk_root, _] = header[4..].as_chunks::<32>().0 {
        check_header(exit_code, vk_root)?;
    }
    let program = format!("0x{}", hex::encode(key.bytes32()));
    PlonkVerifier::verify(bytes, public_values, &program, &PLONK_VK_BYTES)
        .map_err(|error| Code::InvalidProof.because(format!("PLONK: {error}")))
}
