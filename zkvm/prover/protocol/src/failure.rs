//! Why a job failed.

use serde::Serialize;

/// Stable identifiers of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A proof does not verify, or is for another program or other public values.
    BadProof,
    /// The request, a file or a guest's input is not what it has to be.
    Malformed,
    /// This build, or what lies on this machine, cannot do it.
    Unsupported,
    /// A fault of the worker.
    Internal,
}

/// A job's end without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Identifier of the reason.
    pub code: Code,
    /// The reason in words.
    pub message: String,
    /// Which user proof or chunk it is about.
    pub index: Option<usize>,
}

impl Code {
    /// A failure with this code.
    pub fn because(self, message: impl Into<String>) -> Failure {
        Failure { code: self, message: message.into(), index: None }
    }
}

impl Failure {
    /// The same failure, blamed on one input.
    #[must_use]
    pub fn at(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}
