//! Python face of the verifiers.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::aggregation::{System, UserProof};
use crate::guard::detached;
use crate::verdict::{Verdict, judge};
use crate::{circom, foreign, risc0, sp1};

/// Adds the verifiers to the module; refuses to in RISC Zero's development mode.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    if risc0::dev_mode_is_set() {
        return Err(PyRuntimeError::new_err(
            "RISC0_DEV_MODE is set: with it receipts without any proof would count as valid. Unset it.",
        ));
    }
    module.add_class::<Verdict>()?;
    module.add_function(wrap_pyfunction!(verify_sp1, module)?)?;
    module.add_function(wrap_pyfunction!(verify_risc0, module)?)?;
    module.add_function(wrap_pyfunction!(verify_aggregatable, module)?)?;
    module.add_function(wrap_pyfunction!(verify_circom_groth16, module)?)?;
    module.add_function(wrap_pyfunction!(file_kind, module)?)?;
    module.add_function(wrap_pyfunction!(sp1_public_values, module)?)?;
    module.add_function(wrap_pyfunction!(risc0_journal, module)?)?;
    module.add_function(wrap_pyfunction!(sp1_vkey_hash, module)?)
}

#[pyfunction]
#[pyo3(signature = (proof, public_values, verification_key, vm_program_code))]
fn verify_sp1(
    py: Python<'_>,
    proof: &[u8],
    public_values: Option<&[u8]>,
    verification_key: Option<&[u8]>,
    vm_program_code: Option<&[u8]>,
) -> Verdict {
    judge(py, || sp1::verify(proof, public_values, verification_key, vm_program_code))
}

#[pyfunction]
#[pyo3(signature = (receipt, journal, image_id))]
fn verify_risc0(py: Python<'_>, receipt: &[u8], journal: Option<&[u8]>, image_id: &[u8]) -> Verdict {
    judge(py, || risc0::verify(receipt, journal, image_id))
}

#[pyfunction]
fn verify_circom_groth16(
    py: Python<'_>,
    proof_json: &[u8],
    public_inputs: &[u8],
    verification_key_json: &[u8],
) -> Verdict {
    judge(py, || circom::verify(proof_json, public_inputs, verification_key_json))
}

#[pyfunction]
fn verify_aggregatable(
    py: Python<'_>,
    system: u8,
    proof: &[u8],
    public_inputs: &[u8],
    key: &[u8],
) -> PyResult<Verdict> {
    let system = System::from_id(system).map_err(PyValueError::new_err)?;
    Ok(judge(py, || system.verify(&UserProof { key, public_inputs, proof }).map(drop)))
}

#[pyfunction]
fn file_kind(content: &[u8]) -> Option<&'static str> {
    circom::describe(content).or_else(|| foreign::describe(content))
}

#[pyfunction]
fn sp1_public_values(py: Python<'_>, proof: &[u8]) -> PyResult<Option<Py<PyBytes>>> {
    let values = detached(py, || Ok(sp1::held_public_values(proof)))?;
    Ok(values.map(|values| PyBytes::new(py, &values).unbind()))
}

#[pyfunction]
fn risc0_journal(py: Python<'_>, receipt: &[u8]) -> PyResult<Option<Py<PyBytes>>> {
    let journal = detached(py, || Ok(risc0::held_journal(receipt)))?;
    Ok(journal.map(|journal| PyBytes::new(py, &journal).unbind()))
}

#[pyfunction]
fn sp1_vkey_hash(py: Python<'_>, vk_or_hash: &[u8]) -> PyResult<Py<PyBytes>> {
    let key = detached(py, || Ok(sp1::ProgramKey::parse(vk_or_hash)))?;
    let key = key.map_err(|refusal| PyValueError::new_err(refusal.reason))?;
    Ok(PyBytes::new(py, &key.bytes32()).unbind())
}
