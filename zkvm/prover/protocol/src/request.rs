//! Requests, as they come in.

use std::path::PathBuf;

use serde::Deserialize;

use crate::level::Level;

#[derive(Debug, Deserialize)]
pub struct Request {
    pub id: String,
    #[serde(flatten)]
    pub job: Job,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Job {
    UserProofs(UserProofs),
    Chunk(Chunk),
    ProveExample(Example),
    Verify(Verify),
}

/// Verifies the user proofs of one chunk in the `user_proofs` guest.
#[derive(Debug, Deserialize)]
pub struct UserProofs {
    pub level: Level,
    pub proofs: Vec<ProofFiles>,
    pub out: PathBuf,
}

#[derive(Debug, Deserialize)]
pub struct ProofFiles {
    pub proof: PathBuf,
    /// SP1: the saved verifying key. RISC Zero: the image id.
    pub key: PathBuf,
    pub public_inputs: PathBuf,
}

/// Joins chunks in the `chunk` guest.
#[derive(Debug, Deserialize)]
pub struct Chunk {
    pub level: Level,
    pub chunks: Vec<ChunkFiles>,
    pub versioned_hashes: Vec<String>,
    pub out: PathBuf,
}

#[derive(Debug, Deserialize)]
pub struct ChunkFiles {
    /// Folder that a `user_proofs` job wrote.
    pub result: PathBuf,
    /// The chunk's commitments, 32 bytes each.
    pub commitments: PathBuf,
}

/// Proves the Fibonacci guest: a user proof for tests and measurements.
#[derive(Debug, Deserialize)]
pub struct Example {
    pub n: u32,
    pub out: PathBuf,
}

/// Checks the proof of a result folder again.
#[derive(Debug, Deserialize)]
pub struct Verify {
    pub result: PathBuf,
}
