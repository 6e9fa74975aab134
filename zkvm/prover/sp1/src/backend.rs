//! SP1 as a backend of the worker.

use aligned_prover_protocol::{Backend, Claim, Code, Failure, Level, Output, Program, Programs, Progress, Run};

use crate::executor;
use crate::proof::{self, Verified};

#[cfg(feature = "prove")]
use crate::prover::levels as proving_levels;

#[cfg(not(feature = "prove"))]
fn proving_levels() -> Vec<Level> {
    vec![]
}

/// SP1's executor and, where it is built in, its prover.
pub struct Sp1 {
    programs: Programs,
    #[cfg(feature = "prove")]
    prover: crate::prover::Prover,
}

impl Sp1 {
    /// Takes the guests, whose saved keys must be those of their ids.
    pub fn new(programs: Programs) -> Result<Self, Failure> {
        for program in Program::ALL {
            let binary = programs.get(program);
            if proof::program_id(&binary.key)? != binary.id {
                return Err(Code::Malformed.because(format!("the key of {} is not that of its id", program.name())));
            }
        }
        Ok(Self {
            programs,
            #[cfg(feature = "prove")]
            prover: crate::prover::Prover::default(),
        })
    }

    #[cfg(feature = "prove")]
    fn prove(&mut self, run: Run<Verified>, progress: &mut Progress) -> Result<Output, Failure> {
        self.prover.prove(&self.programs, run, progress)
    }

    #[cfg(not(feature = "prove"))]
    #[allow(clippy::needless_pass_by_value, reason = "the same signature as with a prover")]
    fn prove(&mut self, run: Run<Verified>, _: &mut Progress) -> Result<Output, Failure> {
        Err(Code::Unsupported.because(self.missing(run.level)))
    }
}

impl Backend for Sp1 {
    type Proof = Verified;
    const SYSTEM: &'static str = "sp1";
    const VERSION: &'static str = "6.10.0";
    const SYSTEM_ID: u8 = 1;

    fn programs(&self) -> &Programs {
        &self.programs
    }

    fn levels(&self) -> Vec<Level> {
        [vec![Level::Execute], proving_levels()].concat()
    }

    fn missing(&self, level: Level) -> String {
        match level {
            Level::Execute => unreachable!("every build executes"),
            Level::Composite | Level::Succinct => format!("SP1 has no level {level:?}"),
            #[cfg(feature = "prove")]
            Level::Groth16 | Level::Network => crate::prover::missing(level),
            _ => "this worker was built without the prover: tools/build_prover.sh prove sp1".into(),
        }
    }

    fn open(&self, proof: &[u8], key: &[u8], public_values: &[u8]) -> Result<(Claim, Verified), Failure> {
        proof::open(proof, key, public_values)
    }

    fn run(&mut self, run: Run<Verified>, progress: &mut Progress) -> Result<Output, Failure> {
        progress.step("execute");
        let executed = executor::execute(&self.programs.get(run.program).code, &run.input)?;
        if !run.level.proves() {
            return Ok(executed);
        }
        let proven = self.prove(run, progress)?;
        if proven.public_values == executed.public_values {
            Ok(Output { cycles: executed.cycles, ..proven })
        } else {
            Err(Code::Internal.because("the proof says something else than the executor"))
        }
    }
}
