//! The order of a job, the same for both systems.

use aligned_core::{Software, aggregation};

use crate::answer::{Done, Progress};
use crate::backend::{Backend, Claim, Inner, Output, Run};
use crate::failure::{Code, Failure};
use crate::files::{self, Stored, Summary};
use crate::input;
use crate::level::Level;
use crate::process;
use crate::programs::Program;
use crate::request::{Chunk, ChunkFiles, Example, Job, ProofFiles, UserProofs, Verify};

const HASH_BYTES: usize = 32;

/// Does one job.
pub fn work<B: Backend>(backend: &mut B, job: &Job, progress: &mut Progress) -> Result<Done, Failure> {
    match job {
        Job::UserProofs(job) => user_proofs(backend, job, progress),
        Job::Chunk(job) => chunk(backend, job, progress),
        Job::ProveExample(job) => prove_example(backend, job, progress),
        Job::Verify(job) => verify(backend, job, progress),
    }
}

fn user_proofs<B: Backend>(backend: &mut B, job: &UserProofs, progress: &mut Progress) -> Result<Done, Failure> {
    expect_level(backend, job.level)?;
    progress.step("verify user proofs");
    let open = |(index, files)| open_user_proof(backend, files).map_err(|failure: Failure| failure.at(index));
    let inner: Vec<Inner<B::Proof>> = job.proofs.iter().enumerate().map(open).collect::<Result<_, _>>()?;
    let run = Run { program: Program::UserProofs, level: job.level, input: input::user_proofs(&inner)?, inner };
    let checked = format!("{} user proofs, by the verifier of the proving system", job.proofs.len());
    let report = Report { checked: vec![checked], not_checked: vec![] };
    finish(backend, run, report, &job.out, progress)
}

fn open_user_proof<B: Backend>(backend: &B, files: &ProofFiles) -> Result<Inner<B::Proof>, Failure> {
    let [proof, key, values] = [&files.proof, &files.key, &files.public_inputs].map(|path| files::read(path));
    let (claim, proof) = backend.open(&proof?, &key?, &values?)?;
    Ok(Inner { claim, proof: Some(proof) })
}

fn chunk<B: Backend>(backend: &mut B, job: &Chunk, progress: &mut Progress) -> Result<Done, Failure> {
    expect_level(backend, job.level)?;
    progress.step("verify chunk proofs");
    let commitments = job.chunks.iter().map(|chunk| files::read(&chunk.commitments)).collect::<Result<Vec<_>, _>>()?;
    let open = |(index, (files, commitments)): (usize, (&ChunkFiles, &Vec<u8>))| {
        open_chunk(backend, job.level, files, commitments).map_err(|failure| failure.at(index))
    };
    let inner: Vec<_> = job.chunks.iter().zip(&commitments).enumerate().map(open).collect::<Result<_, _>>()?;
    let hashes = job.versioned_hashes.iter().map(|hash| files::parse_hash(hash)).collect::<Result<Vec<_>, _>>()?;
    let input = input::chunk(&commitments, &hashes)?;
    let report = chunk_report(&inner);
    finish(backend, Run { program: Program::Chunk, level: job.level, input, inner }, report, &job.out, progress)
}

/// A chunk's claim follows from its commitments; its proof must be of the pinned program and say exactly that.
fn open_chunk<B: Backend>(
    backend: &B,
    level: Level,
    files: &ChunkFiles,
    commitments: &[u8],
) -> Result<Inner<B::Proof>, Failure> {
    let Stored { public_values, proof, .. } = files::load(&files.result)?;
    if public_values != chunk_public_values::<B>(commitments)? {
        return Err(Code::BadProof.because("the chunk's result has another root or count than its commitments"));
    }
    let program = backend.programs().get(Program::UserProofs);
    let claim = Claim { program_id: program.id, public_values };
    match proof {
        Some(proof) => {
            let (_, proof) = backend.open(&proof, &program.key, &claim.public_values)?;
            Ok(Inner { claim, proof: Some(proof) })
        }
        None if level.proves() => Err(Code::Malformed.because("the chunk was executed only, it has no proof")),
        None => Ok(Inner { claim, proof: None }),
    }
}

fn chunk_public_values<B: Backend>(commitments: &[u8]) -> Result<Vec<u8>, Failure> {
    let (commitments, rest) = commitments.as_chunks::<HASH_BYTES>();
    if commitments.is_empty() || commitments.len() > aggregation::MAX_LEAVES || !rest.is_empty() {
        return Err(Code::Malformed.because("a chunk's commitments are 32 bytes each, at least one"));
    }
    let leaves = aggregation::leaves::<Software>(B::SYSTEM_ID, commitments);
    let mut count = [0; HASH_BYTES];
    count[HASH_BYTES - 8..].copy_from_slice(&(leaves.len() as u64).to_be_bytes());
    Ok([aggregation::root::<Software>(&leaves).unwrap_or_default(), count].concat())
}

fn chunk_report<P>(inner: &[Inner<P>]) -> Report {
    let (proven, claimed): (Vec<_>, Vec<_>) = inner.iter().partition(|inner| inner.proof.is_some());
    let say = |count: usize, text: &str| (count > 0).then(|| format!("{count} chunk{text}"));
    Report {
        checked: say(proven.len(), " proofs, by the verifier of the proving system").into_iter().collect(),
        not_checked: say(
            claimed.len(),
            "s were executed only: the claim that their user proofs are valid has no proof",
        )
        .into_iter()
        .collect(),
    }
}

fn prove_example<B: Backend>(backend: &mut B, job: &Example, progress: &mut Progress) -> Result<Done, Failure> {
    let stark = |level: &Level| matches!(level, Level::Compressed | Level::Composite);
    let level = backend
        .levels()
        .into_iter()
        .find(stark)
        .ok_or_else(|| Code::Unsupported.because(backend.missing(Level::Compressed)))?;
    let input = job.n.to_le_bytes().to_vec();
    let run = Run { program: Program::Fibonacci, level, input, inner: vec![] };
    finish(backend, run, Report::default(), &job.out, progress)
}

fn verify<B: Backend>(backend: &B, job: &Verify, progress: &mut Progress) -> Result<Done, Failure> {
    progress.step("verify");
    let Stored { summary, public_values, proof } = files::load(&job.result)?;
    let is_named = |program: &Program| program.name() == summary.program;
    let program = Program::ALL.into_iter().find(is_named).ok_or_else(|| Code::Malformed.because("unknown program"))?;
    let proof = proof.ok_or_else(|| Code::Unsupported.because("there is no proof at the execute level"))?;
    backend.open(&proof, &backend.programs().get(program).key, &public_values)?;
    let report = Report { checked: vec!["the proof".into()], not_checked: vec![] };
    let output = Output { public_values, cycles: summary.cycles, proof: None };
    Ok(report.done(summary.level, &output, progress.seconds()))
}

fn expect_level<B: Backend>(backend: &B, level: Level) -> Result<(), Failure> {
    let known = backend.levels().contains(&level);
    if known { Ok(()) } else { Err(Code::Unsupported.because(backend.missing(level))) }
}

/// What a result says about itself.
#[derive(Default)]
struct Report {
    checked: Vec<String>,
    not_checked: Vec<String>,
}

impl Report {
    fn done(self, level: Level, output: &Output, seconds: f64) -> Done {
        Done {
            level,
            public_values: files::hex(&output.public_values),
            cycles: output.cycles,
            proof: None,
            checked: self.checked,
            not_checked: self.not_checked,
            seconds,
            peak_rss_bytes: process::peak_rss_bytes(),
        }
    }
}

fn finish<B: Backend>(
    backend: &mut B,
    run: Run<B::Proof>,
    mut report: Report,
    out: &std::path::Path,
    progress: &mut Progress,
) -> Result<Done, Failure> {
    let (program, level) = (run.program, run.level);
    let output = backend.run(run, progress)?;
    match level {
        Level::Execute => report.not_checked.push(format!("the run of {} was executed, not proven", program.name())),
        _ => report.checked.push(format!("the run of {}, proven as {level:?}", program.name())),
    }
    let done = report.done(level, &output, progress.seconds());
    let summary = Summary {
        system: B::SYSTEM.into(),
        level,
        program: program.name().into(),
        program_id: files::hex(&backend.programs().get(program).id),
        public_values: done.public_values.clone(),
        cycles: done.cycles,
        seconds: done.seconds,
        peak_rss_bytes: done.peak_rss_bytes,
        checked: done.checked.clone(),
        not_checked: done.not_checked.clone(),
    };
    let proof = files::store(out, &summary, &output.public_values, output.proof.as_deref())?;
    Ok(Done { proof, ..done })
}
