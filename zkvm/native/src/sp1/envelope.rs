//! The two forms in which an SP1 proof is sent: the file that the SDK saves, and the bytes for the on-chain verifier.

use sp1_verifier::{ProofFromNetwork, SP1Proof};

use crate::bounded::{decode, decode_canonical};
use crate::foreign;
use crate::verdict::{Code, Outcome, Refusal};

/// Circuit version that is verified here. v6.0.0 and all before v6 are refused: v6.0.0 is unsound (CVE-2026-40323).
const VERSION: &str = "v6.1.0";
const WANTED: &str = "expected the file that `proof.save(path)` of sp1-sdk 6.1 to 6.10 writes";
const MAX_VERSION_CHARS: usize = 24;
/// First bytes of a saved file: the tag of the proof's kind (Core, Compressed, Plonk, Groth16).
const KINDS: u32 = 4;
const CORE: u32 = 0;

/// First four bytes of proofs for the on-chain verifiers of other versions.
const OTHER_SELECTORS: [([u8; 4], &str); 14] = [
    ([0xfe, 0xdc, 0x1f, 0xcc], "v1.0.1 PLONK"),
    ([0xc4, 0x30, 0xff, 0x7f], "v1.1.0 PLONK"),
    ([0x83, 0x76, 0x29, 0xd3], "v1.2.0 Groth16"),
    ([0xc8, 0x65, 0xc1, 0xb6], "v1.2.0 PLONK"),
    ([0x6a, 0x29, 0x06, 0xac], "v2.0.0 Groth16"),
    ([0x4a, 0xca, 0x24, 0x0a], "v2.0.0 PLONK"),
    ([0x09, 0x06, 0x90, 0x90], "v3.0.0 Groth16"),
    ([0x54, 0xbd, 0xca, 0xe3], "v3.0.0 PLONK"),
    ([0x11, 0xb6, 0xa0, 0x9d], "v4.0.0 Groth16"),
    ([0x1b, 0x34, 0xfe, 0x11], "v4.0.0 PLONK"),
    ([0xa4, 0x59, 0x4c, 0x59], "v5.0.0 Groth16"),
    ([0xd4, 0xe8, 0xec, 0xd2], "v5.0.0 PLONK"),
    ([0x0e, 0x78, 0xf4, 0xdb], "v6.0.0 Groth16 (unsound)"),
    ([0xbb, 0x1a, 0x6f, 0x29], "v6.0.0 PLONK (unsound)"),
];

/// A proof as it was sent.
pub enum Envelope<'a> {
    /// The file that `proof.save()` writes.
    Saved(Box<ProofFromNetwork>),
    /// selector ‖ exit code ‖ root of recursion keys ‖ nonce ‖ proof.
    OnChain(&'a [u8]),
}

impl<'a> Envelope<'a> {
    /// Tells the forms apart and checks the version, before anything large is decoded.
    pub fn open(proof: &'a [u8]) -> Outcome<Self> {
        let Some((head, _)) = proof.split_first_chunk::<4>() else {
            let problem = format!("{} bytes are no SP1 proof", proof.len());
            return Err(Code::MalformedProof.because(foreign::explain(proof, &problem, WANTED)));
        };
        match u32::from_le_bytes(*head) {
            kind if kind < KINDS => open_saved(proof, kind),
            _ => open_on_chain(proof, *head),
        }
    }
}

/// Core proofs grow with the execution and are an intermediate product.
pub fn core_is_not_supported() -> Refusal {
    Code::UnsupportedVersion.because(
        "a Core proof, expected a Compressed one (Groth16 and PLONK in fast mode only): prove with `.compressed()`",
    )
}

fn open_on_chain(proof: &[u8], selector: [u8; 4]) -> Outcome<Envelope<'_>> {
    if super::wrapped::knows(selector) {
        return Ok(Envelope::OnChain(proof));
    }
    let on_chain = OTHER_SELECTORS.iter().find(|(other, _)| *other == selector).map(|(_, version)| *version);
    // The oldest saved files begin with no kind.
    match on_chain.or_else(|| version_at_end(proof)) {
        Some(version) => Err(other_version(version)),
        None => {
            let problem = "neither a saved proof nor a known on-chain selector";
            Err(Code::MalformedProof.because(foreign::explain(proof, problem, WANTED)))
        }
    }
}

fn other_version(found: &str) -> Refusal {
    Code::UnsupportedVersion.because(format!(
        "SP1 {found}, expected {VERSION} (sp1-sdk and sp1-zkvm 6.1 to 6.10): update both, build the program and prove \
         again, and send that proof with the program's new key"
    ))
}

fn open_saved(proof: &[u8], kind: u32) -> Outcome<Envelope<'_>> {
    match version_at_end(proof) {
        Some(VERSION) => {}
        Some(other) => return Err(other_version(other)),
        None => return Err(without_version(proof)),
    }
    if kind == CORE {
        return Err(core_is_not_supported());
    }
    let malformed = |error| Code::MalformedProof.because(format!("saved proof {error}"));
    match decode_canonical::<ProofFromNetwork>(proof).map_err(malformed)? {
        (file, rest) if file.sp1_version != VERSION => {
            Err(malformed(format!("holds version {:?} and {} bytes more", file.sp1_version, rest.len())))
        }
        // The SDK ends the file with the absent attestation of a TEE, a zero byte.
        (file, [0]) => Ok(Envelope::Saved(Box::new(file))),
        (_, []) => Err(malformed("is truncated: its last byte is missing".into())),
        (_, rest) => Err(malformed(format!("has {} bytes behind its version, expected one zero", rest.len()))),
    }
}

/// Says why a file of a known kind does not end with its version.
fn without_version(proof: &[u8]) -> Refusal {
    if let Ok(file) = decode::<ProofFromNetwork>(proof) {
        if file.sp1_version == VERSION {
            return Code::MalformedProof.because(
                "holds an attestation of a TEE (or other bytes behind its version), which is not taken: \
                 set `proof.tee_proof = None` and save it again",
            );
        }
        if file.sp1_version.starts_with('v') && file.sp1_version.len() <= MAX_VERSION_CHARS {
            return other_version(&file.sp1_version);
        }
    }
    if decode::<SP1Proof>(proof).is_ok() {
        return Code::MalformedProof.because(format!("this is the field `proof` alone, or cut off; {WANTED}"));
    }
    Code::MalformedProof.because(format!("a saved proof ends with its version, this does not; {WANTED}"))
}

/// The version string that ends a saved proof of any version (with or without the byte for the TEE attestation).
fn version_at_end(proof: &[u8]) -> Option<&str> {
    let ends_with_version = |data: &'_ [u8]| -> Option<usize> {
        (2..=MAX_VERSION_CHARS).find(|length| {
            let text = data.len().checked_sub(*length).map(|start| data.split_at(start));
            text.is_some_and(|(before, text)| {
                before.ends_with(&(*length as u64).to_le_bytes()) && text[0] == b'v' && text[1].is_ascii_digit()
            })
        })
    };
    let without_tee = proof.strip_suffix(&[0]).unwrap_or(proof);
    [proof, without_tee].into_iter().find_map(|data| {
        let length = ends_with_version(data)?;
        std::str::from_utf8(&data[data.len() - length..]).ok()
    })
}
