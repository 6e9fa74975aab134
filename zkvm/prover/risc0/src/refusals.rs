//! What the chunk program itself refuses, in the executor: it asks the zkVM for the proof of what it computed from the
//! commitments, and there is none. The worker would refuse all of this before; here the program is on its own.

use std::path::Path;

use aligned_core::aggregation::{RISC0, leaves, root};
use aligned_core::{Hash, Software};
use aligned_prover_protocol::{Claim, Code, Failure, Inner, Level, Program, Programs, Run};

use super::{Backend as _, Risc0};

fn backend() -> Risc0 {
    let elf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../elf");
    Risc0::new(Programs::load(&elf, Risc0::SYSTEM, "bin").expect("the guests")).expect("their ids")
}

fn commitments(first: u8, count: usize) -> Vec<Hash> {
    (0..count).map(|i| [first + u8::try_from(i).expect("few"); 32]).collect()
}

/// Journal of the run over these user proofs.
fn journal(commitments: &[Hash]) -> Vec<u8> {
    let root = root::<Software>(&leaves::<Software>(RISC0, commitments)).expect("leaves");
    let mut count = [0; 32];
    count[31] = u8::try_from(commitments.len()).expect("few");
    [root, count].concat()
}

fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).expect("small").to_le_bytes()
}

/// Runs the chunk program over two chunks, each with a statement that is taken for proved.
fn run(chunks: &[Vec<Hash>; 2], proved: [([u8; 32], Vec<u8>); 2]) -> Result<Vec<u8>, Failure> {
    let mut input = number(chunks.len()).to_vec();
    for chunk in chunks {
        input.extend(number(chunk.len()));
        input.extend(chunk.as_flattened());
    }
    input.extend(number(1));
    input.extend([1; 32]);
    let inner = proved
        .into_iter()
        .map(|(program_id, public_values)| Inner { claim: Claim { program_id, public_values }, proof: None })
        .collect();
    let run = Run { program: Program::Chunk, level: Level::Execute, input, inner };
    let session = backend().execute(run)?;
    Ok(session.journal.expect("a journal").bytes)
}

fn assert_refused(outcome: Result<Vec<u8>, Failure>) {
    let failure = outcome.expect_err("there is no such proof");
    assert_eq!(failure.code, Code::Malformed, "{}", failure.message);
    assert!(failure.message.starts_with("the guest"), "{}", failure.message);
}

fn child() -> [u8; 32] {
    backend().programs().get(Program::UserProofs).id
}

#[test]
fn chunk_takes_what_is_proved() {
    let chunks = [commitments(1, 3), commitments(4, 2)];
    let proved = [(child(), journal(&chunks[0])), (child(), journal(&chunks[1]))];
    let all = chunks.concat();
    assert_eq!(run(&chunks, proved).expect("all is proved")[..64], journal(&all));
}

#[test]
fn chunk_refuses_the_proof_of_another_program() {
    let chunks = [commitments(1, 3), commitments(4, 2)];
    let other = backend().programs().get(Program::Fibonacci).id;
    assert_refused(run(&chunks, [(child(), journal(&chunks[0])), (other, journal(&chunks[1]))]));
}

#[test]
fn chunk_refuses_a_root_that_is_not_that_of_the_commitments() {
    let chunks = [commitments(1, 3), commitments(4, 2)];
    let foreign = journal(&commitments(5, 2));
    assert_refused(run(&chunks, [(child(), journal(&chunks[0])), (child(), foreign)]));
}

#[test]
fn chunk_refuses_another_count() {
    let chunks = [commitments(1, 3), commitments(4, 2)];
    let mut counted = journal(&chunks[1]);
    counted[63] = 3;
    assert_refused(run(&chunks, [(child(), journal(&chunks[0])), (child(), counted)]));
}
