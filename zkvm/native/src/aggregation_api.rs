//! Python face of the aggregation mode: tagged tree, and the guests run natively.

use aligned_core::{Hash, Software, aggregation};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::aggregation::{System, UserProof};
use crate::guard::detached;
use crate::hashing_api::{Bytes, NO_LEAVES, bytes, hashes};

/// Adds the functions of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(aggregation_leaves, module)?)?;
    module.add_function(wrap_pyfunction!(aggregation_root, module)?)?;
    module.add_function(wrap_pyfunction!(aggregation_paths, module)?)?;
    module.add_function(wrap_pyfunction!(native_user_proofs, module)?)?;
    module.add_function(wrap_pyfunction!(native_chunk, module)?)
}

#[pyfunction]
fn aggregation_leaves(py: Python<'_>, system: u8, commitments: &[u8]) -> PyResult<Bytes> {
    let leaves = detached(py, || leaves(system, commitments))?;
    Ok(bytes(py, leaves.as_flattened()))
}

#[pyfunction]
fn aggregation_root(py: Python<'_>, system: u8, commitments: &[u8]) -> PyResult<Bytes> {
    let root = detached(py, || Ok(aggregation::root::<Software>(&leaves(system, commitments)?).ok_or(NO_LEAVES)?))?;
    Ok(bytes(py, &root))
}

#[pyfunction]
fn aggregation_paths(py: Python<'_>, system: u8, commitments: &[u8]) -> PyResult<Vec<Bytes>> {
    let tree = || Ok(aggregation::Tree::<Software>::new(leaves(system, commitments)?).ok_or(NO_LEAVES)?);
    let tree = detached(py, tree)?;
    let paths = (0..commitments.len() / 32).filter_map(|index| tree.path(index));
    Ok(paths.map(|path| bytes(py, path.as_flattened())).collect())
}

/// Key, public inputs and proof, as Python gives them.
type Item<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

#[pyfunction]
fn native_user_proofs(py: Python<'_>, system: u8, items: Vec<Item<'_>>) -> PyResult<Bytes> {
    let proofs: Vec<UserProof<'_>> = items
        .iter()
        .map(|(key, public_inputs, proof)| UserProof {
            key: key.as_bytes(),
            public_inputs: public_inputs.as_bytes(),
            proof: proof.as_bytes(),
        })
        .collect();
    let public_values = detached(py, || System::from_id(system)?.user_proofs(&proofs))?;
    Ok(bytes(py, &public_values))
}

#[pyfunction]
fn native_chunk(
    py: Python<'_>,
    system: u8,
    chunk_outputs: Vec<Vec<u8>>,
    chunk_commitments: Vec<Vec<u8>>,
    versioned_hashes: Vec<Vec<u8>>,
) -> PyResult<Bytes> {
    let public_values = detached(py, || {
        let commitments = chunk_commitments.iter().map(|part| hashes("chunk_commitments", part));
        let commitments = commitments.collect::<Result<Vec<_>, _>>()?;
        if chunk_outputs.len() != commitments.len() {
            return Err(format!("{} outputs for {} chunks", chunk_outputs.len(), commitments.len()));
        }
        let versioned = versioned_hashes.iter().map(|hash| Hash::try_from(hash.as_slice()));
        let versioned = versioned.collect::<Result<Vec<_>, _>>().map_err(|_| "versioned_hashes: 32 bytes each")?;
        System::from_id(system)?.chunk(chunk_outputs, &commitments, &versioned)
    })?;
    Ok(bytes(py, &public_values))
}

fn leaves(system: u8, commitments: &[u8]) -> Result<Vec<Hash>, String> {
    let (system, commitments) = (System::from_id(system)?, hashes("commitments", commitments)?);
    if commitments.len() > aggregation::MAX_LEAVES {
        return Err(format!("{} commitments, a root has at most {}", commitments.len(), aggregation::MAX_LEAVES));
    }
    Ok(system.leaves(commitments))
}
