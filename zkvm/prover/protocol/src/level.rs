//! How much of an aggregation is proven.

use serde::{Deserialize, Serialize};

/// From "the guest ran" to "a contract can check it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The guest runs in the zkVM's executor; nothing is proven.
    Execute,
    /// SP1: a recursive STARK of constant size.
    Compressed,
    /// RISC Zero: a STARK for each segment, with the receipts of all assumptions.
    Composite,
    /// RISC Zero: one STARK of constant size.
    Succinct,
    /// A proof for the on-chain verifier, made here.
    Groth16,
    /// The same made by SP1's prover network.
    Network,
}

impl Level {
    /// Whether a proof comes out.
    pub fn proves(self) -> bool {
        self != Self::Execute
    }
}
