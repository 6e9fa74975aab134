//! The prover on this machine's CPU.

use aligned_prover_protocol::{Code, Failure, Level};
use risc0_zkvm::sha::Digest;
use risc0_zkvm::{InnerReceipt, ProverOpts, Session, VerifierContext, get_prover_server};

use crate::backend::internal;

/// The proving levels of this build on this machine.
pub fn levels() -> Vec<Level> {
    let recursion = cfg!(feature = "recursion");
    [(Level::Composite, true), (Level::Succinct, recursion), (Level::Groth16, recursion && docker_is_there())]
        .into_iter()
        .filter_map(|(level, there)| there.then_some(level))
        .collect()
}

fn docker_is_there() -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("docker").exists()))
}

/// Proves a session and verifies what came out. Composite and Succinct: a bincode `InnerReceipt`; Groth16: the seal
/// that the on-chain verifier takes.
pub fn prove(level: Level, image_id: Digest, session: &Session) -> Result<Vec<u8>, Failure> {
    let options = match level {
        Level::Succinct => ProverOpts::succinct(),
        Level::Groth16 => ProverOpts::groth16(),
        _ => ProverOpts::composite(),
    };
    let prover = get_prover_server(&options).map_err(internal)?;
    let receipt = prover.prove_session(&VerifierContext::default(), session).map_err(internal)?.receipt;
    receipt.verify(image_id).map_err(internal)?;
    match receipt.inner {
        InnerReceipt::Groth16(groth16) => {
            let selector = &groth16.verifier_parameters.as_bytes()[..4];
            Ok([selector, &groth16.seal].concat())
        }
        inner if level != Level::Groth16 => bincode::serialize(&inner).map_err(internal),
        _ => Err(Code::Internal.because("the prover gave no Groth16 receipt")),
    }
}
