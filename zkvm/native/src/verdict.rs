//! What verifiers answer.

use std::panic::UnwindSafe;

use pyo3::prelude::*;

use crate::guard::{catch, clip};

/// Stable identifiers of an answer (docs/spec/proving-systems.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The proof cannot be decoded.
    MalformedProof,
    /// The key cannot be decoded.
    MalformedKey,
    /// The public input cannot be decoded.
    MalformedPublicInput,
    /// No key was given.
    MissingKey,
    /// A program was given where its key is wanted.
    KeyIsElf,
    /// The proof has a public input, none was given.
    MissingPublicInput,
    /// More public inputs than a proof may have.
    TooManyPublicInputs,
    /// Another version or kind of the proving system.
    UnsupportedVersion,
    /// A receipt of the development mode.
    FakeReceipt,
    /// The proof is for another public input.
    PublicInputMismatch,
    /// The proof is for another program.
    KeyMismatch,
    /// The proof does not verify.
    InvalidProof,
    /// `RISC0_DEV_MODE` is set in this process.
    DevModeSet,
    /// A fault of this library, not of the proof.
    InternalError,
}

impl Code {
    /// The identifier as text.
    pub fn name(self) -> &'static str {
        match self {
            Self::MalformedProof => "malformed_proof",
            Self::MalformedKey => "malformed_key",
            Self::MalformedPublicInput => "malformed_public_input",
            Self::MissingKey => "missing_key",
            Self::KeyIsElf => "key_is_elf",
            Self::MissingPublicInput => "missing_public_input",
            Self::TooManyPublicInputs => "too_many_public_inputs",
            Self::UnsupportedVersion => "unsupported_version",
            Self::FakeReceipt => "fake_receipt",
            Self::PublicInputMismatch => "public_input_mismatch",
            Self::KeyMismatch => "key_mismatch",
            Self::InvalidProof => "invalid_proof",
            Self::DevModeSet => "dev_mode_set",
            Self::InternalError => "internal_error",
        }
    }

    /// A refusal with this code.
    pub fn because(self, reason: impl Into<String>) -> Refusal {
        Refusal { code: self, reason: reason.into() }
    }
}

/// Why a proof is refused.
#[derive(Debug)]
pub struct Refusal {
    /// Identifier of the reason.
    pub code: Code,
    /// The reason in words.
    pub reason: String,
}

/// Accepted, or refused with a reason.
pub type Outcome<T = ()> = Result<T, Refusal>;

/// What a verifier says.
#[pyclass(frozen, module = "aligned_native")]
pub struct Verdict {
    #[pyo3(get)]
    valid: bool,
    #[pyo3(get)]
    code: &'static str,
    #[pyo3(get)]
    reason: String,
}

#[pymethods]
impl Verdict {
    fn __repr__(&self) -> String {
        format!("Verdict(valid={}, code={:?}, reason={:?})", self.valid, self.code, self.reason)
    }
}

/// Runs a verifier without the GIL. A panic refuses the proof: the libraries below were given bytes from anywhere.
pub fn judge(py: Python<'_>, verify: impl FnOnce() -> Outcome + Send + UnwindSafe) -> Verdict {
    let outcome = py.detach(|| catch(verify)).unwrap_or_else(|message| {
        Err(Code::InvalidProof.because(format!("the verifier stopped at this proof: {message}")))
    });
    match outcome {
        Ok(()) => Verdict { valid: true, code: "ok", reason: String::new() },
        Err(Refusal { code, reason }) => Verdict { valid: false, code: code.name(), reason: clip(&reason) },
    }
}
