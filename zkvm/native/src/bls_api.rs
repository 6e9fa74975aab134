//! Python face of the BLS functions.

use ark_bn254::{G1Projective, G2Projective};
use ark_ec::CurveGroup;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::guard::detached;
use crate::{bls, bn254};

type Bytes = Py<PyBytes>;

/// Adds the functions of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(bls_secret_from_seed, module)?)?;
    module.add_function(wrap_pyfunction!(bls_public_key, module)?)?;
    module.add_function(wrap_pyfunction!(bls_hash_to_g1, module)?)?;
    module.add_function(wrap_pyfunction!(bls_sign, module)?)?;
    module.add_function(wrap_pyfunction!(bls_verify, module)?)?;
    module.add_function(wrap_pyfunction!(bls_keys_match, module)?)?;
    module.add_function(wrap_pyfunction!(bls_aggregate_g1, module)?)?;
    module.add_function(wrap_pyfunction!(bls_aggregate_g2, module)?)
}

fn bytes(py: Python<'_>, data: &[u8]) -> Bytes {
    PyBytes::new(py, data).unbind()
}

fn digest_of(data: &[u8]) -> Result<&[u8; 32], String> {
    data.try_into().map_err(|_| format!("digest: got {} bytes, expected 32", data.len()))
}

fn secret_of(data: &[u8]) -> Result<ark_bn254::Fr, String> {
    // The value is a secret: it must not get into a message.
    bn254::secret(data).map_err(|_| "secret: expected 32 big-endian bytes in [1, group order)".into())
}

#[pyfunction]
fn bls_secret_from_seed(py: Python<'_>, seed: &[u8]) -> PyResult<Bytes> {
    let secret = detached(py, || match seed {
        [] => Err("seed: is empty".into()),
        _ => Ok(bn254::field_bytes(bls::secret_from_seed(seed))),
    })?;
    Ok(bytes(py, &secret))
}

#[pyfunction]
fn bls_public_key(py: Python<'_>, secret: &[u8]) -> PyResult<(Bytes, Bytes)> {
    let (g1, g2) = detached(py, || {
        let (g1, g2) = bls::public_key(&secret_of(secret)?);
        Ok((bn254::g1_bytes(&g1), bn254::g2_bytes(&g2)))
    })?;
    Ok((bytes(py, &g1), bytes(py, &g2)))
}

#[pyfunction]
fn bls_hash_to_g1(py: Python<'_>, digest: &[u8]) -> PyResult<(Bytes, Bytes, Vec<Bytes>)> {
    let hashed = detached(py, || Ok(bls::hash_to_g1(digest_of(digest)?)))?;
    let skips = hashed.skips.iter().map(|skip| bytes(py, &bn254::field_bytes(*skip))).collect();
    Ok((bytes(py, &bn254::g1_bytes(&hashed.point)), bytes(py, &bn254::field_bytes(hashed.root)), skips))
}

#[pyfunction]
fn bls_sign(py: Python<'_>, secret: &[u8], digest: &[u8]) -> PyResult<Bytes> {
    let signature = detached(py, || Ok(bls::sign(&secret_of(secret)?, digest_of(digest)?)))?;
    Ok(bytes(py, &bn254::g1_bytes(&signature)))
}

#[pyfunction]
fn bls_verify(py: Python<'_>, g2_key: &[u8], digest: &[u8], signature: &[u8]) -> PyResult<bool> {
    let inside = || {
        let digest = digest.try_into().ok()?;
        Some(bls::verify(&bn254::g2(g2_key).ok()?, digest, &bn254::g1(signature).ok()?))
    };
    detached(py, || Ok(inside().unwrap_or(false)))
}

#[pyfunction]
fn bls_keys_match(py: Python<'_>, g1: &[u8], g2: &[u8]) -> PyResult<bool> {
    let inside = || Some(bls::keys_match(&bn254::g1(g1).ok()?, &bn254::g2(g2).ok()?));
    detached(py, || Ok(inside().unwrap_or(false)))
}

#[pyfunction]
fn bls_aggregate_g1(py: Python<'_>, points: Vec<Vec<u8>>) -> PyResult<Bytes> {
    let sum = detached(py, || {
        let points = parse_all(&points, bn254::g1)?;
        Ok(bn254::g1_bytes(&points.iter().sum::<G1Projective>().into_affine()))
    })?;
    Ok(bytes(py, &sum))
}

#[pyfunction]
fn bls_aggregate_g2(py: Python<'_>, points: Vec<Vec<u8>>) -> PyResult<Bytes> {
    let sum = detached(py, || {
        let points = parse_all(&points, bn254::g2)?;
        Ok(bn254::g2_bytes(&points.iter().sum::<G2Projective>().into_affine()))
    })?;
    Ok(bytes(py, &sum))
}

fn parse_all<T>(points: &[Vec<u8>], parse: fn(&[u8]) -> Result<T, bn254::PointError>) -> Result<Vec<T>, String> {
    if points.is_empty() {
        return Err("no points to add".into());
    }
    let one = |(i, point): (usize, &Vec<u8>)| parse(point).map_err(|error| format!("point {i} {error}"));
    points.iter().enumerate().map(one).collect()
}
