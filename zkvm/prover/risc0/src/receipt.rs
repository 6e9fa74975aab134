//! Receipts of user programs and of our own: decoded within limits, verified without a prover.

use aligned_prover_protocol::{Claim, Code, Failure};
use bincode::Options;
use risc0_zkvm::sha::Digest;
use risc0_zkvm::{InnerReceipt, Receipt};

/// Verifies a bincode `InnerReceipt` for exactly this image and journal, ended with exit code 0.
///
/// Groth16 receipts are refused: another proof can take one in only after a conversion that needs recursion programs.
pub fn open(proof: &[u8], image_id: &[u8], journal: &[u8]) -> Result<(Claim, Receipt), Failure> {
    let program_id: [u8; 32] =
        image_id.try_into().map_err(|_| Code::BadProof.because(format!("image id of {} bytes", image_id.len())))?;
    let inner = decode(proof)?;
    let receipt = Receipt::new(inner, journal.to_vec());
    receipt.verify(Digest::from(program_id)).map_err(|error| Code::BadProof.because(error.to_string()))?;
    Ok((Claim { program_id, public_values: journal.to_vec() }, receipt))
}

fn decode(proof: &[u8]) -> Result<InnerReceipt, Failure> {
    // A length inside the bytes is checked against the limit before anything is allocated for it. A whole `Receipt`
    // begins with its inner one, and states the journal a second time behind it.
    let options = bincode::DefaultOptions::new().with_fixint_encoding().allow_trailing_bytes();
    let inner: InnerReceipt = options
        .with_limit(proof.len() as u64)
        .deserialize(proof)
        .map_err(|error| Code::BadProof.because(format!("receipt: {error}")))?;
    match inner {
        InnerReceipt::Composite(_) | InnerReceipt::Succinct(_) => Ok(inner),
        InnerReceipt::Groth16(_) => Err(Code::BadProof.because("a Groth16 receipt cannot be aggregated")),
        _ => Err(Code::BadProof.because("no proof is in this kind of receipt")),
    }
}
