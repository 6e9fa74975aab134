//! What the prover workers of both systems share: the JSON-lines protocol, result folders, and the order of a job.
//!
//! A worker reads one request a line from stdin and answers on stdout; logs go to stderr. A system plugs in a
//! [`Backend`], which opens proofs and runs programs; everything that is the same for both is in here.

mod answer;
mod backend;
mod failure;
mod files;
mod input;
mod jobs;
mod level;
mod process;
mod programs;
mod request;
mod worker;

pub use answer::Progress;
pub use backend::{Backend, Claim, Inner, Output, Run};
pub use failure::{Code, Failure};
pub use level::Level;
pub use programs::{Program, Programs};
pub use worker::serve;
