//! What the library leaves open in a receipt: every byte shall be bound, so that a changed one is noticed.

use std::sync::OnceLock;

use risc0_zkp::verify::VerificationError;
use risc0_zkvm::sha::{Digest, Digestible};
use risc0_zkvm::{
    CompositeReceipt, CompositeReceiptVerifierParameters, InnerAssumptionReceipt, InnerReceipt,
    SegmentReceiptVerifierParameters,
};

use super::versions;
use crate::groth16;
use crate::verdict::{Code, Outcome, Refusal};

/// Checks the fields that no verification depends on, and the points of Groth16 seals.
pub fn check(receipt: &InnerReceipt) -> Outcome {
    match receipt {
        InnerReceipt::Composite(composite) => check_composite(composite),
        InnerReceipt::Succinct(_) => Ok(()),
        InnerReceipt::Groth16(groth16) => check_seal(&groth16.seal),
        _ => Err(Code::FakeReceipt.because("no proof is in this kind of receipt")),
    }
}

fn check_assumption(receipt: &InnerAssumptionReceipt) -> Outcome {
    match receipt {
        InnerAssumptionReceipt::Composite(composite) => check_composite(composite),
        InnerAssumptionReceipt::Succinct(_) => Ok(()),
        InnerAssumptionReceipt::Groth16(groth16) => check_seal(&groth16.seal),
        _ => Err(Code::FakeReceipt.because("an assumption has no proof in its receipt")),
    }
}

fn check_composite(receipt: &CompositeReceipt) -> Outcome {
    let (segment, composite) = parameters();
    // The segments first: more versions are known by theirs.
    let stated = receipt.segments.iter().map(|part| (&part.verifier_parameters, segment));
    let mut stated = stated.chain([(&receipt.verifier_parameters, composite)]);
    if let Some((found, _)) = stated.find(|(found, expected)| found != expected) {
        return Err(other_version(found));
    }
    if !receipt.segments.iter().enumerate().all(|(position, part)| usize::try_from(part.index) == Ok(position)) {
        return Err(Code::MalformedProof.because("the segments are not numbered in order"));
    }
    receipt.assumption_receipts.iter().try_for_each(check_assumption)
}

fn parameters() -> &'static (Digest, Digest) {
    static PARAMETERS: OnceLock<(Digest, Digest)> = OnceLock::new();
    PARAMETERS.get_or_init(|| {
        (SegmentReceiptVerifierParameters::default().digest(), CompositeReceiptVerifierParameters::default().digest())
    })
}

/// The library reduces coordinates and ignores flag bits; here they must be canonical.
fn check_seal(seal: &[u8]) -> Outcome {
    let seal = seal
        .try_into()
        .map_err(|_| Code::MalformedProof.because(format!("Groth16 seal: got {} bytes, expected 256", seal.len())))?;
    groth16::proof_from_bytes(seal).map(|_| ())
}

/// The library's error as a refusal.
pub fn explain(error: &VerificationError) -> Refusal {
    match error {
        VerificationError::VerifierParametersMismatch { received, .. } => other_version(received),
        VerificationError::ProofSystemInfoMismatch { .. } | VerificationError::CircuitInfoMismatch { .. } => {
            Code::UnsupportedVersion.because(format!("not a receipt of RISC Zero 3.0: {error}"))
        }
        _ => Code::InvalidProof.because(error.to_string()),
    }
}

fn other_version(parameters: &Digest) -> Refusal {
    let found = versions::named(parameters);
    Code::UnsupportedVersion.because(format!(
        "a receipt of {found}, expected RISC Zero 3.0: update the crate risc0-zkvm (host and guest) to 3.0, prove \
         again, and send that receipt with its own image id"
    ))
}
