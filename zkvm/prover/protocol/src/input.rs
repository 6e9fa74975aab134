//! The one byte string that a guest reads, as `aligned_core::guest` decodes it.

use crate::backend::{Claim, Inner};
use crate::failure::{Code, Failure};

const HASH_BYTES: usize = 32;

/// Input of `user_proofs`: count, then for each program id, length and public values.
pub fn user_proofs<P>(inner: &[Inner<P>]) -> Result<Vec<u8>, Failure> {
    let mut input = length(inner.len())?.to_vec();
    for Inner { claim: Claim { program_id, public_values }, .. } in inner {
        input.extend_from_slice(program_id);
        input.extend(length(public_values.len())?);
        input.extend_from_slice(public_values);
    }
    Ok(input)
}

/// Input of `chunk`: the commitments of each chunk, then the versioned hashes.
pub fn chunk(commitments: &[Vec<u8>], versioned_hashes: &[[u8; HASH_BYTES]]) -> Result<Vec<u8>, Failure> {
    let mut input = length(commitments.len())?.to_vec();
    for chunk in commitments {
        input.extend(length(chunk.len() / HASH_BYTES)?);
        input.extend_from_slice(chunk);
    }
    input.extend(length(versioned_hashes.len())?);
    input.extend(versioned_hashes.as_flattened());
    Ok(input)
}

fn length(value: usize) -> Result<[u8; 4], Failure> {
    let value = u32::try_from(value).map_err(|_| Code::Malformed.because("more than 2^32 of something"))?;
    Ok(value.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_proofs_input_is_framed_as_the_guest_reads_it() {
        let claim = Claim { program_id: [7; 32], public_values: b"abc".to_vec() };
        let inner = [Inner::<()> { claim, proof: None }];
        let expected = [&[1, 0, 0, 0][..], &[7; 32], &[3, 0, 0, 0], b"abc"].concat();
        assert_eq!(user_proofs(&inner), Ok(expected));
    }

    #[test]
    fn chunk_input_holds_commitments_then_versioned_hashes() {
        let expected = [&[1, 0, 0, 0][..], &[2, 0, 0, 0], &[5; 64], &[1, 0, 0, 0], &[1; 32]].concat();
        assert_eq!(chunk(&[vec![5; 64]], &[[1; 32]]), Ok(expected));
    }
}
