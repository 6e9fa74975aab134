//! RISC Zero as a backend of the worker.

use aligned_prover_protocol::{Backend, Claim, Code, Failure, Inner, Level, Output, Program, Programs, Progress, Run};
use risc0_zkvm::sha::Digest;
use risc0_zkvm::{
    AssumptionReceipt, ExecutorEnv, ExecutorImpl, ExitCode, Receipt, ReceiptClaim, Session, compute_image_id,
};

#[cfg(feature = "prove")]
use crate::prover::levels as proving_levels;

#[cfg(not(feature = "prove"))]
fn proving_levels() -> Vec<Level> {
    vec![]
}

#[cfg(test)]
#[path = "refusals.rs"]
mod refusals;

/// Segments of 2^17 cycles: a proof takes 1.2 GiB, and little is padded where a run is short.
const SEGMENT_PO2: u32 = 17;

/// RISC Zero's executor and, where it is built in, its prover.
pub struct Risc0 {
    programs: Programs,
}

impl Risc0 {
    /// Takes the guests, whose image ids must be those of `program_ids.json`.
    pub fn new(programs: Programs) -> Result<Self, Failure> {
        for program in Program::ALL {
            let binary = programs.get(program);
            let image_id = compute_image_id(&binary.code).map_err(internal)?;
            if image_id.as_bytes() != binary.id {
                return Err(Code::Malformed.because(format!("the image of {} is not that of its id", program.name())));
            }
        }
        Ok(Self { programs })
    }

    fn execute(&self, run: Run<Receipt>) -> Result<Session, Failure> {
        let mut builder = ExecutorEnv::builder();
        builder.write_slice(&run.input).segment_limit_po2(SEGMENT_PO2);
        for inner in run.inner {
            builder.add_assumption(assumption(inner));
        }
        let code = &self.programs.get(run.program).code;
        let executor = builder.build().and_then(|env| ExecutorImpl::from_elf(env, code)).map_err(internal)?;
        let session = { executor }.run().map_err(|error| Code::Malformed.because(format!("the guest: {error:#}")))?;
        match session.exit_code {
            ExitCode::Halted(0) => Ok(session),
            other => Err(Code::Malformed.because(format!("the guest ended with {other:?}"))),
        }
    }
}

/// A proven claim, or one that the executor takes as it is and a proof could not.
fn assumption(inner: Inner<Receipt>) -> AssumptionReceipt {
    let Claim { program_id, public_values } = inner.claim;
    match inner.proof {
        Some(receipt) => receipt.into(),
        None => ReceiptClaim::ok(Digest::from(program_id), public_values).into(),
    }
}

impl Backend for Risc0 {
    type Proof = Receipt;
    const SYSTEM: &'static str = "risc0";
    const VERSION: &'static str = risc0_zkvm::VERSION;
    const SYSTEM_ID: u8 = 2;

    fn programs(&self) -> &Programs {
        &self.programs
    }

    fn levels(&self) -> Vec<Level> {
        [vec![Level::Execute], proving_levels()].concat()
    }

    fn missing(&self, level: Level) -> String {
        match level {
            Level::Compressed | Level::Network => format!("RISC Zero has no level {level:?} here"),
            Level::Composite => "this worker was built without the prover: tools/build_prover.sh prove risc0".into(),
            _ => "Succinct and Groth16 need a worker built with RISC Zero's recursion programs (RECURSION_SRC_PATH, \
                  tools/build_prover.sh), and Groth16 also Docker for its image risc0-groth16-prover"
                .into(),
        }
    }

    fn open(&self, proof: &[u8], key: &[u8], public_values: &[u8]) -> Result<(Claim, Receipt), Failure> {
        crate::receipt::open(proof, key, public_values)
    }

    fn run(&mut self, run: Run<Receipt>, progress: &mut Progress) -> Result<Output, Failure> {
        progress.step("execute");
        let (level, program) = (run.level, run.program);
        let session = self.execute(run)?;
        let public_values = session.journal.clone().map(|journal| journal.bytes).unwrap_or_default();
        let proof = if level.proves() { Some(self.prove(program, level, &session, progress)?) } else { None };
        Ok(Output { public_values, cycles: session.user_cycles, proof })
    }
}

impl Risc0 {
    #[cfg(feature = "prove")]
    fn prove(
        &self,
        program: Program,
        level: Level,
        session: &Session,
        progress: &mut Progress,
    ) -> Result<Vec<u8>, Failure> {
        progress.step(&format!("prove {} segments", session.segments.len()));
        crate::prover::prove(level, Digest::from(self.programs.get(program).id), session)
    }

    #[cfg(not(feature = "prove"))]
    fn prove(&self, _: Program, level: Level, _: &Session, _: &mut Progress) -> Result<Vec<u8>, Failure> {
        Err(Code::Unsupported.because(self.missing(level)))
    }
}

/// A fault of this side.
pub fn internal(error: impl std::fmt::Display) -> Failure {
    Code::Internal.because(format!("{error:#}"))
}
