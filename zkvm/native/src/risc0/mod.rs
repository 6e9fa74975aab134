//! RISC Zero 3.0: Composite, Succinct and Groth16 receipts.

mod shape;
mod strict;
mod versions;

use risc0_zkvm::sha::{Digest, Digestible};
use risc0_zkvm::{ExitCode, InnerReceipt, Journal, MaybePruned, ReceiptClaim, ReceiptMetadata, VerifierContext};

use crate::bounded::{decode_canonical, decode_exactly};
use crate::foreign;
use crate::verdict::{Code, Outcome, Refusal};

const DEV_MODE_VARIABLE: &str = "RISC0_DEV_MODE";

/// Whether the environment asks for RISC Zero's development mode, in which receipts without any proof pass.
pub fn dev_mode_is_set() -> bool {
    let off = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "" | "0" | "false" | "no");
    std::env::var_os(DEV_MODE_VARIABLE).is_some_and(|value| !value.to_str().is_some_and(off))
}

/// Verifies a receipt for exactly this image and this journal, ended with exit code 0.
pub fn verify(receipt: &[u8], journal: Option<&[u8]>, image_id: &[u8]) -> Outcome {
    if dev_mode_is_set() {
        return Err(Code::DevModeSet.because("unset RISC0_DEV_MODE: it makes receipts without proof pass"));
    }
    let image_id = parse_image_id(image_id)?;
    let (inner, held_journal) = open(receipt)?;
    match (journal, &held_journal) {
        (None, Some(held)) if !held.is_empty() => return Err(missing_journal()),
        (given, Some(held)) if given.unwrap_or_default() != held => {
            return Err(other_journal(given.unwrap_or_default(), held));
        }
        _ => {}
    }
    strict::check(&inner)?;
    inner.verify_integrity_with_context(&VerifierContext::default()).map_err(|error| strict::explain(&error))?;
    let claim = inner.claim().map_err(|error| strict::explain(&error))?;
    let expected = ReceiptClaim::ok(image_id, journal.unwrap_or_default().to_vec());
    if claim.digest() == expected.digest() { Ok(()) } else { Err(difference(&claim, image_id, journal)) }
}

/// Verifies a receipt of a kind that a guest's proof can rest on: Composite or Succinct.
pub fn verify_aggregatable(receipt: &[u8], journal: &[u8], image_id: &[u8]) -> Outcome {
    match open(receipt)? {
        (InnerReceipt::Composite(_) | InnerReceipt::Succinct(_), _) => verify(receipt, Some(journal), image_id),
        _ => Err(Code::UnsupportedVersion
            .because("only Composite and Succinct receipts are aggregated, prove with ProverOpts::succinct()")),
    }
}

/// The journal that a receipt holds; none where it holds none, or is no receipt.
pub fn held_journal(receipt: &[u8]) -> Option<Vec<u8>> {
    open(receipt).ok()?.1
}

fn parse_image_id(bytes: &[u8]) -> Outcome<Digest> {
    if bytes.is_empty() {
        return Err(Code::MissingKey.because("send the image id (32 bytes) as the program"));
    }
    if bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"R0BF") {
        return Err(Code::KeyIsElf.because("this is the program itself; send its image id instead (32 bytes)"));
    }
    Digest::try_from(bytes).map_err(|_| {
        let problem = format!("got {} bytes", bytes.len());
        let wanted = "expected 32 bytes (`Digest::from(YOUR_ID).as_bytes()`)";
        Code::MalformedKey.because(format!("image id: {}", foreign::explain(bytes, &problem, wanted)))
    })
}

/// Decodes an `InnerReceipt`, or a `Receipt` (which has journal and metadata behind it).
fn open(receipt: &[u8]) -> Outcome<(InnerReceipt, Option<Vec<u8>>)> {
    shape::check(receipt)?;
    let malformed = |error: String| Code::MalformedProof.because(format!("receipt {error}"));
    let (inner, rest) = decode_canonical::<InnerReceipt>(receipt).map_err(malformed)?;
    if rest.is_empty() {
        return Ok((inner, None));
    }
    let (journal, rest) = decode_canonical::<Journal>(rest).map_err(malformed)?;
    let metadata: ReceiptMetadata = decode_exactly(rest).map_err(malformed)?;
    if metadata.verifier_parameters != inner.verifier_parameters() {
        return Err(malformed("states other verifier parameters than the proof inside".into()));
    }
    Ok((inner, Some(journal.bytes)))
}

fn missing_journal() -> Refusal {
    Code::MissingPublicInput.because("the proof has a journal, none was given: send `receipt.journal.bytes`")
}

fn other_journal(given: &[u8], held: &[u8]) -> Refusal {
    let sizes = format!("the receipt holds a journal of {} bytes, {} others were given", held.len(), given.len());
    Code::PublicInputMismatch.because(foreign::with_hex_hint(given, &sizes))
}

/// Says in what a proven claim differs from the one that was asked for.
fn difference(claim: &MaybePruned<ReceiptClaim>, image_id: Digest, journal: Option<&[u8]>) -> Refusal {
    match claim.as_value() {
        Err(_) => Code::InvalidProof.because("proves another image id, journal or exit code (the claim is pruned)"),
        Ok(claim) if claim.pre.digest() != image_id => {
            Code::KeyMismatch.because(format!("proves image id {}", claim.pre.digest()))
        }
        Ok(claim) if claim.exit_code != ExitCode::Halted(0) => {
            Code::InvalidProof.because(format!("the program ended with {:?}, expected Halted(0)", claim.exit_code))
        }
        Ok(_) if journal.is_none() => missing_journal(),
        Ok(_) => {
            let problem = format!("proves another journal than the {} bytes given", journal.unwrap_or_default().len());
            Code::PublicInputMismatch.because(foreign::with_hex_hint(journal.unwrap_or_default(), &problem))
        }
    }
}
