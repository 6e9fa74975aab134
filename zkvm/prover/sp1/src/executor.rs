//! The zkVM's executor, without a prover around it.
//!
//! It does not look at the proofs that a guest verifies (in a proof, recursion does): they are verified before, and the
//! guest's input is made from the very statements that were verified.

use std::sync::Arc;

use aligned_prover_protocol::{Code, Failure, Output};
use sp1_core_executor::{MinimalExecutorEnum, OutputConsumers, Program, with_output_consumers};
use tokio::sync::watch;

/// Runs a program to its end.
pub fn execute(elf: &[u8], input: &[u8]) -> Result<Output, Failure> {
    let program = Program::from(elf).map_err(|error| Code::Internal.because(format!("the guest's ELF: {error}")))?;
    let mut executor = MinimalExecutorEnum::new(Arc::new(program), false, None);
    executor.with_input(input);
    let (stderr, said) = watch::channel(String::new());
    let consumers = OutputConsumers { stdout: None, stderr: Some(stderr) };
    let run = with_output_consumers(&consumers, || {
        while !executor.is_done() {
            executor.try_execute_chunk()?;
        }
        Ok(())
    });
    run.map_err(|error: sp1_core_executor::ExecutionError| Code::Internal.because(error.to_string()))?;
    match executor.exit_code() {
        0 => {
            let cycles = executor.global_clk();
            Ok(Output { public_values: executor.into_public_values_stream(), cycles, proof: None })
        }
        code => Err(Code::Malformed.because(format!("the guest ended with {code}: {}", said.borrow().trim()))),
    }
}
