//! The loop of a worker.

use std::io::{self, BufRead, Read};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use crate::answer::{Answers, Event, Progress, Ready};
use crate::backend::Backend;
use crate::failure::{Code, Failure};
use crate::jobs;
use crate::process;
use crate::programs::Programs;
use crate::request::Request;

/// 23,808 proofs at three paths of some hundred bytes each.
const MAX_REQUEST_BYTES: u64 = 32 << 20;

/// Serves requests from stdin until it ends. Usage: `WORKER FOLDER`, the folder with the guests' binaries, whose names
/// end in `ending`.
pub fn serve<B: Backend>(ending: &str, start: impl FnOnce(Programs) -> Result<B, Failure>) -> ExitCode {
    process::end_with_owner();
    let Ok(answers) = process::take_stdout().map(Answers::new) else { return ExitCode::FAILURE };
    let folder = std::env::args_os().nth(1).unwrap_or_default();
    let served = match Programs::load(folder.as_ref(), B::SYSTEM, ending).and_then(start) {
        Ok(backend) => read_requests(backend, answers),
        Err(failure) => refuse_to_start(failure, answers),
    };
    served.unwrap_or(ExitCode::FAILURE)
}

fn refuse_to_start(failure: Failure, mut answers: Answers) -> io::Result<ExitCode> {
    answers.send(None, Event::Failed(failure))?;
    Ok(ExitCode::FAILURE)
}

fn read_requests<B: Backend>(mut backend: B, mut answers: Answers) -> io::Result<ExitCode> {
    let ready =
        Ready { system: B::SYSTEM, version: B::VERSION, levels: backend.levels(), programs: backend.programs().ids() };
    answers.send(None, Event::Ready(ready))?;
    let mut requests = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        if requests.by_ref().take(MAX_REQUEST_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        match serde_json::from_slice::<Request>(&line) {
            Ok(request) if !answer(&mut backend, &request, &mut answers)? => return Ok(ExitCode::FAILURE),
            Ok(_) => {}
            Err(error) => return refuse_to_start(Code::Malformed.because(format!("request: {error}")), answers),
        }
    }
}

/// Does a job; false after a panic, which leaves the proving libraries in a state that nobody knows.
fn answer<B: Backend>(backend: &mut B, request: &Request, answers: &mut Answers) -> io::Result<bool> {
    let mut progress = Progress::new(answers, &request.id);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| jobs::work(backend, &request.job, &mut progress)));
    let (event, usable) = match outcome {
        Ok(Ok(done)) => (Event::Done(done), true),
        Ok(Err(failure)) => (Event::Failed(failure), true),
        Err(_) => (Event::Failed(Code::Internal.because("the prover panicked, see its log")), false),
    };
    answers.send(Some(&request.id), event)?;
    Ok(usable)
}
