//! Python face of keccak, leaf and Merkle tree (`aligned-core`).

use std::sync::{Mutex, PoisonError};

use aligned_core::{Hash, Submission, keccak256 as keccak, merkle};
use keccak_asm::{Digest, Keccak256 as Sponge};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::guard::detached;

/// Adds the functions of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Keccak256>()?;
    module.add_function(wrap_pyfunction!(keccak256, module)?)?;
    module.add_function(wrap_pyfunction!(leaf_commitment, module)?)?;
    module.add_function(wrap_pyfunction!(merkle_root, module)?)?;
    module.add_function(wrap_pyfunction!(merkle_path, module)?)?;
    module.add_function(wrap_pyfunction!(merkle_paths, module)?)?;
    module.add_function(wrap_pyfunction!(merkle_verify, module)?)
}

/// Bytes handed to Python.
pub type Bytes = Py<PyBytes>;

/// Copies bytes to Python.
pub fn bytes(py: Python<'_>, data: &[u8]) -> Bytes {
    PyBytes::new(py, data).unbind()
}

#[pyfunction]
fn keccak256(py: Python<'_>, data: &[u8]) -> PyResult<Bytes> {
    let hash = detached(py, || Ok(keccak(data)))?;
    Ok(bytes(py, &hash))
}

/// keccak-256 of data that comes in pieces, with assembly (4/5 of the time of `keccak256`, which guests share).
#[pyclass(frozen, module = "aligned_native")]
struct Keccak256(Mutex<Sponge>);

#[pymethods]
impl Keccak256 {
    #[new]
    fn new() -> Self {
        Self(Mutex::new(Sponge::new()))
    }

    fn update(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        detached(py, || {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).update(data);
            Ok(())
        })
    }

    fn digest(&self, py: Python<'_>) -> Bytes {
        let sponge = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        bytes(py, &sponge.finalize())
    }
}

#[pyfunction]
#[pyo3(signature = (system_id, proof, pub_input, verification_key, vm_program_code, generator))]
fn leaf_commitment(
    py: Python<'_>,
    system_id: u8,
    proof: &[u8],
    pub_input: Option<&[u8]>,
    verification_key: Option<&[u8]>,
    vm_program_code: Option<&[u8]>,
    generator: &[u8],
) -> PyResult<(Bytes, Bytes, Bytes, Bytes)> {
    let parts = detached(py, || {
        let generator =
            generator.try_into().map_err(|_| format!("generator: got {} bytes, expected 20", generator.len()))?;
        let submission = Submission { system_id, proof, pub_input, verification_key, vm_program_code, generator };
        Ok(submission.commitments())
    })?;
    Ok((bytes(py, &parts.proof), bytes(py, &parts.pub_input), bytes(py, &parts.aux), bytes(py, &parts.leaf)))
}

#[pyfunction]
fn merkle_root(py: Python<'_>, leaves: &[u8]) -> PyResult<Bytes> {
    let root = detached(py, || Ok(merkle::root(hashes("leaves", leaves)?).ok_or(NO_LEAVES)?))?;
    Ok(bytes(py, &root))
}

#[pyfunction]
fn merkle_path(py: Python<'_>, leaves: &[u8], index: usize) -> PyResult<Bytes> {
    let path = detached(py, || {
        let tree = tree(leaves)?;
        tree.path(index).ok_or_else(|| format!("leaf index {index}, the tree has {} leaves", leaves.len() / 32))
    })?;
    Ok(bytes(py, path.as_flattened()))
}

#[pyfunction]
fn merkle_paths(py: Python<'_>, leaves: &[u8]) -> PyResult<Vec<Bytes>> {
    let tree = detached(py, || tree(leaves))?;
    let paths = (0..leaves.len() / 32).filter_map(|index| tree.path(index));
    Ok(paths.map(|path| bytes(py, path.as_flattened())).collect())
}

#[pyfunction]
fn merkle_verify(py: Python<'_>, leaf: &[u8], index: &Bound<'_, PyAny>, path: &[u8], root: &[u8]) -> PyResult<bool> {
    // An index beyond 64 bits is beyond every tree; it must be refused like any other, not raise.
    let Ok(index) = index.extract::<u64>() else { return Ok(false) };
    let inside = || {
        let (leaf, root) = (leaf.try_into().ok()?, root.try_into().ok()?);
        Some(merkle::verify(leaf, index, hashes("path", path).ok()?, root))
    };
    detached(py, || Ok(inside().unwrap_or(false)))
}

/// Why there is no root.
pub const NO_LEAVES: &str = "a tree needs at least one leaf";

fn tree(leaves: &[u8]) -> Result<merkle::Tree, String> {
    Ok(merkle::Tree::new(hashes("leaves", leaves)?.to_vec()).ok_or(NO_LEAVES)?)
}

/// `data` as hashes; `name` is for the error.
pub fn hashes<'a>(name: &str, data: &'a [u8]) -> Result<&'a [Hash], String> {
    match data.as_chunks::<32>() {
        (hashes, []) => Ok(hashes),
        _ => Err(format!("{name}: got {} bytes, expected a multiple of 32", data.len())),
    }
}
