//! What a proving system has to give.

use crate::answer::Progress;
use crate::failure::Failure;
use crate::level::Level;
use crate::programs::{Program, Programs};

/// "This program ended well and said this."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// SP1: the bytes32 form of the key's hash. RISC Zero: the image id.
    pub program_id: [u8; 32],
    /// SP1: public values. RISC Zero: the journal.
    pub public_values: Vec<u8>,
}

/// A claim that a guest verifies, with its proof, or without one at the execute level.
pub struct Inner<P> {
    /// What is claimed.
    pub claim: Claim,
    /// The checked proof.
    pub proof: Option<P>,
}

/// One run of a guest.
pub struct Run<P> {
    /// The guest.
    pub program: Program,
    /// What shall come out.
    pub level: Level,
    /// The byte string that the guest reads.
    pub input: Vec<u8>,
    /// What it verifies, in its order.
    pub inner: Vec<Inner<P>>,
}

/// What a run gave.
pub struct Output {
    /// What the guest said.
    pub public_values: Vec<u8>,
    /// Cycles of the guest, without padding.
    pub cycles: u64,
    /// The proof as a file, `None` at the execute level.
    pub proof: Option<Vec<u8>>,
}

/// A proving system.
pub trait Backend {
    /// A checked proof.
    type Proof;
    /// Name in requests and file names.
    const SYSTEM: &'static str;
    /// Version of the proving system.
    const VERSION: &'static str;
    /// Its byte in a leaf.
    const SYSTEM_ID: u8;

    /// The guests.
    fn programs(&self) -> &Programs;

    /// What this build can do on this machine.
    fn levels(&self) -> Vec<Level>;

    /// Why a level is not among them.
    fn missing(&self, level: Level) -> String;

    /// Verifies a proof of a level below Groth16 for exactly this key and these public values.
    ///
    /// # Errors
    /// `BadProof`, `Malformed`.
    fn open(&self, proof: &[u8], key: &[u8], public_values: &[u8]) -> Result<(Claim, Self::Proof), Failure>;

    /// Runs a guest.
    ///
    /// # Errors
    /// `Malformed` where the guest refuses its input, `Internal`.
    fn run(&mut self, run: Run<Self::Proof>, progress: &mut Progress) -> Result<Output, Failure>;
}
