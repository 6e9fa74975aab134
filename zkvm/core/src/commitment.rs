//! The leaf of the fast mode: 116 bytes hashed.

use crate::keccak::{Hash, keccak256, keccak256_parts};

/// What a proof is submitted with, by reference.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// Id of the proving system.
    pub system_id: u8,
    /// Proof as submitted.
    pub proof: &'a [u8],
    /// Public input; absent is not the same as empty.
    pub pub_input: Option<&'a [u8]>,
    /// Verification key.
    pub verification_key: Option<&'a [u8]>,
    /// Program; stands for the key where both are given.
    pub vm_program_code: Option<&'a [u8]>,
    /// Address that the submitter chose to commit to.
    pub generator: [u8; 20],
}

/// The parts of a leaf and the leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitments {
    /// keccak(proof).
    pub proof: Hash,
    /// keccak(public input), zero if absent.
    pub pub_input: Hash,
    /// keccak(program or key ‖ system id), zero if there is neither.
    pub aux: Hash,
    /// keccak(proof ‖ `pub_input` ‖ aux ‖ generator).
    pub leaf: Hash,
}

impl Submission<'_> {
    /// Commitments to all of the submission.
    #[must_use]
    pub fn commitments(&self) -> Commitments {
        let proof = keccak256(self.proof);
        let pub_input = self.pub_input.map_or([0; 32], keccak256);
        let identity = self.vm_program_code.or(self.verification_key);
        let aux = identity.map_or([0; 32], |bytes| keccak256_parts(&[bytes, &[self.system_id]]));
        let leaf = keccak256_parts(&[&proof, &pub_input, &aux, &self.generator]);
        Commitments { proof, pub_input, aux, leaf }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBMISSION: Submission<'static> = Submission {
        system_id: 3,
        proof: b"proof",
        pub_input: Some(b"input"),
        verification_key: Some(b"key"),
        vm_program_code: Some(b"program"),
        generator: [7; 20],
    };

    #[test]
    fn program_stands_for_the_key() {
        let with_both = SUBMISSION.commitments();
        let program_only = Submission { verification_key: None, ..SUBMISSION }.commitments();
        assert_eq!(with_both, program_only);
        assert_eq!(with_both.aux, keccak256(b"program\x03"));
    }

    #[test]
    fn absent_and_empty_inputs_differ() {
        let absent = Submission { pub_input: None, ..SUBMISSION }.commitments();
        let empty = Submission { pub_input: Some(b""), ..SUBMISSION }.commitments();
        assert_eq!(absent.pub_input, [0; 32]);
        assert_eq!(empty.pub_input, keccak256(b""));
    }

    #[test]
    fn neither_program_nor_key_is_zero() {
        let bare = Submission { verification_key: None, vm_program_code: None, ..SUBMISSION };
        assert_eq!(bare.commitments().aux, [0; 32]);
    }

    #[test]
    fn leaf_hashes_116_bytes() {
        let parts = SUBMISSION.commitments();
        let mut bytes = [0; 116];
        bytes[..32].copy_from_slice(&parts.proof);
        bytes[32..64].copy_from_slice(&parts.pub_input);
        bytes[64..96].copy_from_slice(&parts.aux);
        bytes[96..].copy_from_slice(&SUBMISSION.generator);
        assert_eq!(parts.leaf, keccak256(&bytes));
    }
}
