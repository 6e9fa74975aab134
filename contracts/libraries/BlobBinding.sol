// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Ties a root to the blobs that carry its commitments (docs/spec/aggregation.md).
/// @notice The guest evaluates the polynomial of the very commitments that it aggregated at a point derived from root, count and
/// versioned hash. The contract opens the transaction's blob at that point: if both values agree, the polynomials do
/// (for a blob fixed before the point is known, they differ at all but 4,095 of 2^255 points otherwise).
library BlobBinding {
    /// @notice Commitments in a blob: 4,096 field elements of 31 bytes.
    uint256 internal constant COMMITMENTS_PER_BLOB = 3968;

    /// @notice Bytes of an opening: commitment to the polynomial (48), proof (48).
    uint256 internal constant OPENING_BYTES = 96;

    bytes32 private constant TAG = keccak256("aligned.blob-binding.v1");

    /// @dev Order of BLS12-381's groups.
    uint256 private constant R = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;

    /// @dev EIP-4844's point evaluation: its price (50,000), with a little room; a failing call burns what it was given.
    uint256 private constant POINT_EVALUATION = 10;
    uint256 private constant POINT_EVALUATION_GAS = 55_000;
    /// @dev The precompile's answer is this and R.
    uint256 private constant FIELD_ELEMENTS_PER_BLOB = 4096;

    /// @notice Point at which a blob is opened.
    function challenge(bytes32 root, uint256 count, bytes32 versionedHash) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(TAG, root, count, versionedHash))) % R;
    }

    /// @notice Whether the blob with that versioned hash has the value `y` at `z`. Never reverts.
    /// @dev Assembly because a failing call burns all the gas it was given, and for the price. The answer is compared too: where
    /// the precompile does not exist the call would succeed with no answer.
    /// @param openings Bytes that hold the opening, OPENING_BYTES from `offset` on.
    function isOpening(bytes32 versionedHash, uint256 z, uint256 y, bytes calldata openings, uint256 offset)
        internal
        view
        returns (bool ok)
    {
        assembly ("memory-safe") {
            let m := mload(0x40) // scratch beyond the free memory pointer, not allocated
            mstore(m, versionedHash)
            mstore(add(m, 32), z)
            mstore(add(m, 64), y)
            calldatacopy(add(m, 96), add(openings.offset, offset), OPENING_BYTES)
            mstore(0, 0)
            ok := staticcall(POINT_EVALUATION_GAS, POINT_EVALUATION, m, 192, 0, 64)
            ok := and(ok, and(eq(mload(0), FIELD_ELEMENTS_PER_BLOB), eq(mload(32), R)))
        }
    }
}
