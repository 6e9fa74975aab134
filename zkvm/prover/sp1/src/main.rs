//! Worker that executes and proves the SP1 guests. Usage: `aligned-prover-sp1 FOLDER`, the folder with the guests.

mod backend;
mod executor;
mod proof;
#[cfg(feature = "prove")]
mod prover;

use std::process::ExitCode;

fn main() -> ExitCode {
    aligned_prover_protocol::serve("elf", backend::Sp1::new)
}
