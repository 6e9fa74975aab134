//! `aligned_native`: the work that Python is too slow for.
//!
//! Every function releases the GIL while it works. Bytes go in and out; bad arguments raise `ValueError`, a bad proof
//! is a verdict, and nothing panics into Python.

mod aggregation;
mod aggregation_api;
mod bls;
mod bls_api;
mod bn254;
mod bounded;
mod circom;
mod foreign;
mod groth16;
mod guard;
mod hashing_api;
mod risc0;
mod sp1;
mod verdict;
mod verifiers_api;

use pyo3::prelude::*;

/// Native part of Aligned: proof verifiers, keccak, Merkle trees, BN254 BLS.
#[pymodule]
fn aligned_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    guard::silence_panics();
    hashing_api::register(module)?;
    bls_api::register(module)?;
    aggregation_api::register(module)?;
    verifiers_api::register(module)
}
