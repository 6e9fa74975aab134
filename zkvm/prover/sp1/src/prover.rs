//! The prover, on this machine's CPU or on SP1's network.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;

use aligned_prover_protocol::{Code, Failure, Level, Output, Program, Programs, Progress, Run};
use sp1_sdk::blocking::{CpuProver, ProveRequest, Prover as _};
use sp1_sdk::{Elf, ProvingKey, SP1Proof, SP1ProofWithPublicValues, SP1ProvingKey, SP1Stdin};

use crate::proof::{VERSION, Verified};

/// A prover that is started when it is first needed: its start takes minutes and several GiB.
#[derive(Default)]
pub struct Prover {
    cpu: Option<CpuProver>,
    keys: HashMap<Program, SP1ProvingKey>,
}

/// The proving levels of this build on this machine.
pub fn levels() -> Vec<Level> {
    let groth16 = groth16_artifacts().exists() && docker_is_there();
    let network = cfg!(feature = "network") && env::var_os("NETWORK_PRIVATE_KEY").is_some();
    [(Level::Compressed, true), (Level::Groth16, groth16), (Level::Network, network)]
        .into_iter()
        .filter_map(|(level, there)| there.then_some(level))
        .collect()
}

/// What a level lacks.
pub fn missing(level: Level) -> String {
    match level {
        Level::Network => "the prover network needs a worker built with the feature network, and the variables \
                           NETWORK_PRIVATE_KEY and NETWORK_RPC_URL"
            .into(),
        _ => format!(
            "Groth16 needs Docker (image ghcr.io/succinctlabs/sp1-gnark) and the circuit artifacts in {}",
            groth16_artifacts().display()
        ),
    }
}

/// Where the SDK looks for the proving key of the public verifier; it would download several GB otherwise.
fn groth16_artifacts() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".sp1/circuits/groth16");
    env::var_os("SP1_GROTH16_CIRCUIT_PATH").map_or_else(home, PathBuf::from).join(VERSION)
}

fn docker_is_there() -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join("docker").exists()))
}

impl Prover {
    /// Proves one run of a guest.
    pub fn prove(
        &mut self,
        programs: &Programs,
        run: Run<Verified>,
        progress: &mut Progress,
    ) -> Result<Output, Failure> {
        let mut stdin = SP1Stdin::new();
        stdin.write_slice(&run.input);
        for proof in run.inner.into_iter().filter_map(|inner| inner.proof) {
            stdin.write_proof(*proof.proof, proof.key.vk);
        }
        let proof = match run.level {
            #[cfg(feature = "network")]
            Level::Network => network::prove(programs, run.program, stdin, progress)?,
            _ => self.prove_here(programs, run.program, run.level, stdin, progress)?,
        };
        let bytes = match proof.proof {
            SP1Proof::Groth16(_) => proof.bytes(),
            _ => bincode::serialize(&proof).map_err(internal)?,
        };
        Ok(Output { public_values: proof.public_values.to_vec(), cycles: 0, proof: Some(bytes) })
    }

    fn prove_here(
        &mut self,
        programs: &Programs,
        program: Program,
        level: Level,
        stdin: SP1Stdin,
        progress: &mut Progress,
    ) -> Result<SP1ProofWithPublicValues, Failure> {
        self.set_up(programs, program, progress)?;
        let (Some(cpu), Some(key)) = (&self.cpu, self.keys.get(&program)) else {
            return Err(internal("the prover was not set up"));
        };
        progress.step("prove");
        let request = cpu.prove(key, stdin);
        let request = if level == Level::Groth16 { request.groth16() } else { request.compressed() };
        let proof = request.run().map_err(internal)?;
        progress.step("verify the new proof");
        cpu.verify(&proof, key.verifying_key(), None).map_err(internal)?;
        Ok(proof)
    }

    fn set_up(&mut self, programs: &Programs, program: Program, progress: &mut Progress) -> Result<(), Failure> {
        if self.cpu.is_none() {
            progress.step("start the prover");
        }
        let cpu = self.cpu.get_or_insert_with(CpuProver::new);
        if self.keys.contains_key(&program) {
            return Ok(());
        }
        progress.step("set up the program");
        let binary = programs.get(program);
        let key = cpu.setup(Elf::Dynamic(binary.code.clone().into())).map_err(internal)?;
        if bincode::serialize(key.verifying_key()).map_err(internal)? != binary.key {
            return Err(internal("the saved key is not that of the program"));
        }
        self.keys.insert(program, key);
        Ok(())
    }
}

fn internal(error: impl ToString) -> Failure {
    Code::Internal.because(error.to_string())
}

#[cfg(feature = "network")]
mod network {
    use super::{Code, Elf, Failure, Program, Programs, Progress, SP1ProofWithPublicValues, SP1Stdin, internal};
    use sp1_sdk::blocking::{ProveRequest, Prover, ProverClient};

    /// Has the network make a proof: Groth16 of the chunk program, Compressed of the one that feeds it.
    pub fn prove(
        programs: &Programs,
        program: Program,
        stdin: SP1Stdin,
        progress: &mut Progress,
    ) -> Result<SP1ProofWithPublicValues, Failure> {
        progress.step("prove on the network");
        let client = ProverClient::builder().network().build();
        let key = client.setup(Elf::Dynamic(programs.get(program).code.clone().into())).map_err(internal)?;
        let request = client.prove(&key, stdin);
        let request = if program == Program::Chunk { request.groth16() } else { request.compressed() };
        request.run().map_err(|error| Code::Internal.because(format!("prover network: {error}")))
    }
}
