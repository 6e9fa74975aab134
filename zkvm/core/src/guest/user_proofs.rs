//! The first guest: verifies the proofs of one chunk and commits the root of their leaves.

use alloc::vec::Vec;

use super::input::Reader;
use super::{GuestError, Host, root_and_count};
use crate::aggregation::{commitment, leaf, root};

/// Verifies every proof of the input; returns the public values, root ‖ count.
///
/// Input: number of proofs, then for each its program id and its public values behind their length.
///
/// # Errors
/// For an input that is not exactly that, and for a proof that `host` refuses.
pub fn user_proofs<H: Host>(host: &mut H, input: &[u8]) -> Result<Vec<u8>, GuestError> {
    let mut reader = Reader::new(input);
    let count = reader.count()?;
    let mut leaves = Vec::new();
    for index in 0..count {
        let (program, public_values) = (reader.hash()?, reader.bytes()?);
        host.verify(program, public_values).map_err(|reason| GuestError::Unproved { index, reason })?;
        leaves.push(leaf::<H>(H::SYSTEM_ID, &commitment::<H>(public_values, program)));
    }
    reader.end()?;
    let root = root::<H>(&leaves).ok_or(GuestError::Empty)?;
    Ok(root_and_count(&root, leaves.len()))
}
