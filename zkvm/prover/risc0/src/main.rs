//! Worker that executes and proves the RISC0 guests. Usage: `aligned-prover-risc0 FOLDER`, the folder with the guests.

mod backend;
#[cfg(feature = "prove")]
mod prover;
mod receipt;

use std::process::ExitCode;

fn main() -> ExitCode {
    aligned_prover_protocol::serve("bin", backend::Risc0::new)
}
