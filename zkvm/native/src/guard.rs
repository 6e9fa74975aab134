//! Nothing that goes wrong in here may unwind into Python or write to the process's standard error.

use std::any::Any;
use std::panic::{self, UnwindSafe};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// Longest part of a message that is handed on: it may quote what an attacker wrote.
const MAX_MESSAGE_CHARS: usize = 300;

/// Keeps panics of this library from being printed: each is caught and becomes a verdict or an exception.
pub fn silence_panics() {
    panic::set_hook(Box::new(|_| {}));
}

/// Runs `work`; a panic is returned as its message.
pub fn catch<T>(work: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    panic::catch_unwind(work).map_err(|payload| clip(panic_message(payload.as_ref())))
}

/// Runs `work` without the GIL; its error becomes a `ValueError`, a panic a `RuntimeError`.
pub fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, String> + Send + UnwindSafe) -> PyResult<T> {
    match py.detach(|| catch(work)) {
        Ok(result) => result.map_err(PyValueError::new_err),
        Err(message) => Err(PyRuntimeError::new_err(format!("aligned_native failed: {message}"))),
    }
}

/// At most `MAX_MESSAGE_CHARS` characters of `text`.
pub fn clip(text: &str) -> String {
    text.chars().take(MAX_MESSAGE_CHARS).collect()
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
