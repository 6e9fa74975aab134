//! The second guest: joins chunks under one root and binds the blobs that hold their commitments.

use alloc::vec::Vec;

use super::input::Reader;
use super::{GuestError, Host, count_word, root_and_count};
use crate::aggregation::{MAX_LEAVES, leaves, root};
use crate::blob::{COMMITMENTS_PER_BLOB, blob_count, challenge, elements, evaluate};
use crate::field;
use crate::keccak::Hash;

/// Verifies a proof of `child` (the `user_proofs` guest) for every chunk; returns the public values: root ‖ count, then
/// versioned hash ‖ y for each blob.
///
/// Input: number of chunks, for each the number of its commitments and these; number of blobs, their versioned hashes.
/// The commitments are not taken on trust: a chunk's root is made from them and it is this root that the chunk's proof
/// must be of.
///
/// # Errors
/// For an input that is not exactly that, more leaves than a root may have, another number of blobs than the
/// commitments fill, and a chunk without a proof.
pub fn chunk<H: Host>(host: &mut H, child: &Hash, input: &[u8]) -> Result<Vec<u8>, GuestError> {
    let mut reader = Reader::new(input);
    let (mut all_commitments, mut all_leaves) = (Vec::new(), Vec::new());
    for index in 0..reader.count()? {
        let count = reader.count()?;
        let commitments = reader.hashes(count)?;
        if all_leaves.len() + commitments.len() > MAX_LEAVES {
            return Err(GuestError::TooMany(count));
        }
        let leaves = leaves::<H>(H::SYSTEM_ID, commitments);
        let root = root::<H>(&leaves).ok_or(GuestError::Empty)?;
        let proved = host.verify(child, &root_and_count(&root, leaves.len()));
        proved.map_err(|reason| GuestError::Unproved { index, reason })?;
        all_commitments.extend_from_slice(commitments);
        all_leaves.extend(leaves);
    }
    let root = root::<H>(&all_leaves).ok_or(GuestError::Empty)?;
    let versioned_hashes = versioned_hashes(reader, all_leaves.len())?;
    let mut public_values = root_and_count(&root, all_leaves.len());
    for (part, versioned_hash) in all_commitments.chunks(COMMITMENTS_PER_BLOB).zip(versioned_hashes) {
        let z = challenge::<H>(&root, &count_word(all_leaves.len()), versioned_hash);
        public_values.extend_from_slice(versioned_hash);
        public_values.extend_from_slice(&field::to_be_bytes(&evaluate::<H>(&elements(part), &z)));
    }
    Ok(public_values)
}

/// The rest of the input: one versioned hash for each blob.
fn versioned_hashes(mut reader: Reader<'_>, leaf_count: usize) -> Result<&[Hash], GuestError> {
    let (got, expected) = (reader.count()?, blob_count(leaf_count));
    if got as usize != expected {
        return Err(GuestError::WrongBlobCount { got, expected });
    }
    let hashes = reader.hashes(got)?;
    reader.end()?;
    Ok(hashes)
}
