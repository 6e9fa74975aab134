//! The guests' logic run natively: what a zkVM would prove is checked here and then only stated.

use std::collections::VecDeque;

use aligned_core::guest::{Host, chunk, user_proofs};
use aligned_core::{Hash, Platform, Software, aggregation};

use crate::verdict::{Code, Outcome};
use crate::{risc0, sp1};

/// A system whose proofs are aggregated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// SP1.
    Sp1,
    /// RISC Zero.
    Risc0,
}

/// One user proof, by reference.
pub struct UserProof<'a> {
    /// SP1: saved key or its hash; RISC0: image id.
    pub key: &'a [u8],
    /// Public values or journal.
    pub public_inputs: &'a [u8],
    /// Saved proof or receipt.
    pub proof: &'a [u8],
}

impl System {
    /// The system with this id in leaves.
    pub fn from_id(id: u8) -> Result<Self, String> {
        match id {
            aggregation::SP1 => Ok(Self::Sp1),
            aggregation::RISC0 => Ok(Self::Risc0),
            _ => {
                Err(format!("system: got {id}, expected {} (SP1) or {} (RISC0)", aggregation::SP1, aggregation::RISC0))
            }
        }
    }

    /// The leaves of commitments.
    pub fn leaves(self, commitments: &[Hash]) -> Vec<Hash> {
        let id = if self == Self::Sp1 { aggregation::SP1 } else { aggregation::RISC0 };
        aggregation::leaves::<Software>(id, commitments)
    }

    /// Verifies a proof of a kind that this system's guest can verify; returns the program id.
    pub fn verify(self, proof: &UserProof<'_>) -> Outcome<Hash> {
        match self {
            Self::Sp1 => sp1::verify_aggregatable(proof.proof, proof.public_inputs, proof.key),
            Self::Risc0 => {
                risc0::verify_aggregatable(proof.proof, proof.public_inputs, proof.key)?;
                proof.key.try_into().map_err(|_| Code::MalformedKey.because("image id: expected 32 bytes"))
            }
        }
    }

    /// Verifies every proof, then runs `user_proofs`; returns its public values.
    pub fn user_proofs(self, proofs: &[UserProof<'_>]) -> Result<Vec<u8>, String> {
        let mut input = length(proofs.len())?.to_vec();
        let mut statements = VecDeque::new();
        for (index, proof) in proofs.iter().enumerate() {
            let program = self.verify(proof);
            let program =
                program.map_err(|refusal| format!("proof {index}: {}: {}", refusal.code.name(), refusal.reason))?;
            input.extend(program);
            input.extend(length(proof.public_inputs.len())?);
            input.extend(proof.public_inputs);
            statements.push_back((program, proof.public_inputs.to_vec()));
        }
        self.run(statements, |guest| guest.user_proofs(&input))
    }

    /// Runs `chunk` over chunks whose public values are `outputs`; returns its public values.
    pub fn chunk(self, outputs: Vec<Vec<u8>>, commitments: &[&[Hash]], hashes: &[Hash]) -> Result<Vec<u8>, String> {
        let mut input = length(commitments.len())?.to_vec();
        for part in commitments {
            input.extend(length(part.len())?);
            input.extend(part.as_flattened());
        }
        input.extend(length(hashes.len())?);
        input.extend(hashes.as_flattened());
        let statements = outputs.into_iter().map(|output| (CHILD, output)).collect();
        self.run(statements, |guest| guest.chunk(&input))
    }

    fn run(
        self,
        statements: Statements,
        run: impl Fn(&mut dyn Guest) -> Result<Vec<u8>, String>,
    ) -> Result<Vec<u8>, String> {
        match self {
            Self::Sp1 => run(&mut Native::<{ aggregation::SP1 }>(statements)),
            Self::Risc0 => run(&mut Native::<{ aggregation::RISC0 }>(statements)),
        }
    }
}

/// Stands for the child of `chunk`: natively there is no program to pin.
const CHILD: Hash = [0; 32];

/// Program and public values of the proofs to come, in order.
type Statements = VecDeque<(Hash, Vec<u8>)>;

/// A host that takes exactly the given statements, each once and in order, as a zkVM takes the proofs of its input.
struct Native<const SYSTEM: u8>(Statements);

impl<const SYSTEM: u8> Platform for Native<SYSTEM> {}

impl<const SYSTEM: u8> Host for Native<SYSTEM> {
    const SYSTEM_ID: u8 = SYSTEM;

    fn verify(&mut self, program: &Hash, public_values: &[u8]) -> Result<(), String> {
        match self.0.pop_front() {
            Some((proved, values)) if proved == *program && values == public_values => Ok(()),
            Some(_) => Err("its root and count are not those of its commitments".into()),
            None => Err("there is no proof for it".into()),
        }
    }
}

/// Both guests of a system.
trait Guest {
    fn user_proofs(&mut self, input: &[u8]) -> Result<Vec<u8>, String>;
    fn chunk(&mut self, input: &[u8]) -> Result<Vec<u8>, String>;
}

impl<const SYSTEM: u8> Guest for Native<SYSTEM> {
    fn user_proofs(&mut self, input: &[u8]) -> Result<Vec<u8>, String> {
        user_proofs(self, input).map_err(|error| error.to_string())
    }

    fn chunk(&mut self, input: &[u8]) -> Result<Vec<u8>, String> {
        chunk(self, &CHILD, input).map_err(|error| error.to_string())
    }
}

fn length(count: usize) -> Result<[u8; 4], String> {
    Ok(u32::try_from(count).map_err(|_| format!("{count} are too many"))?.to_le_bytes())
}
