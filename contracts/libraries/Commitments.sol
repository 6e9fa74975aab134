// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Identifiers and leaves of the fast mode, byte for byte as the off-chain code computes them.
library Commitments {
    /// @notice Identifier of a batch: keccak256(root ‖ sender), 52 bytes.
    function batchId(bytes32 root, address sender) internal pure returns (bytes32 id) {
        assembly ("memory-safe") {
            mstore(0, root)
            mstore(32, shl(96, sender))
            id := keccak256(0, 52)
        }
    }

    /// @notice Leaf of a proof: keccak256(proof ‖ public input ‖ auxiliary data ‖ generator), 116 bytes.
    /// @param proofCommitment keccak256 of the proof.
    /// @param pubInputCommitment keccak256 of the public input, zero if there is none.
    /// @param auxCommitment See `program`, zero if there is neither program nor key.
    /// @param generator Address that made the proof.
    function leaf(bytes32 proofCommitment, bytes32 pubInputCommitment, bytes32 auxCommitment, bytes20 generator)
        internal
        pure
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let data := mload(0x40) // beyond the free memory pointer: not allocated, only used here
            mstore(data, proofCommitment)
            mstore(add(data, 32), pubInputCommitment)
            mstore(add(data, 64), auxCommitment)
            mstore(add(data, 96), generator)
            hash := keccak256(data, 116)
        }
    }

    /// @notice Commitment to what was verified: keccak256(program code or verification key ‖ proving system id byte).
    function program(bytes memory codeOrKey, uint8 provingSystemId) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(codeOrKey, provingSystemId));
    }
}
