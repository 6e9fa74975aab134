// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice An aggregated root's record in one word, written by one SSTORE. From the lowest bit:
/// uint32 leaf count · uint8 system · bool revoked (8 bits) · uint8 blobs · uint32 program index · uint40 block · uint40 timestamp.
/// 0 means that there is none.
type PackedRoot is uint256;

using PackedRoots for PackedRoot global;

/// @title Fields of a PackedRoot.
library PackedRoots {
    uint256 private constant SYSTEM_SHIFT = 32;
    uint256 private constant REVOKED_SHIFT = 40;
    uint256 private constant BLOBS_SHIFT = 48;
    uint256 private constant PROGRAM_SHIFT = 56;
    uint256 private constant BLOCK_SHIFT = 88;
    uint256 private constant TIMESTAMP_SHIFT = 128;

    /// @notice A record of this block, not revoked; every argument must fit its field.
    function pack(uint256 leafCount_, uint256 systemId_, uint256 blobs_, uint256 programIndex_)
        internal
        view
        returns (PackedRoot)
    {
        return PackedRoot.wrap(
            leafCount_ | systemId_ << SYSTEM_SHIFT | blobs_ << BLOBS_SHIFT | programIndex_ << PROGRAM_SHIFT
                | block.number << BLOCK_SHIFT | block.timestamp << TIMESTAMP_SHIFT
        );
    }

    /// @notice The record, revoked.
    function revoke(PackedRoot root) internal pure returns (PackedRoot) {
        return PackedRoot.wrap(PackedRoot.unwrap(root) | 1 << REVOKED_SHIFT);
    }

    /// @notice Whether there is a record.
    function exists(PackedRoot root) internal pure returns (bool) {
        return PackedRoot.unwrap(root) != 0;
    }

    /// @notice Whether this is a record of that system and not revoked. `systemId_` may be any word.
    function isValidFor(PackedRoot root, uint256 systemId_) internal pure returns (bool) {
        // System and revocation are neighbours: both are right if the 16 bits together are the system's id. The bound keeps out
        // 0, the system of no record, and words that look like a revoked record's 16 bits.
        unchecked {
            return uint16(PackedRoot.unwrap(root) >> SYSTEM_SHIFT) == systemId_ && systemId_ - 1 < type(uint8).max;
        }
    }

    /// @notice Leaves under the root, at least 1.
    function leafCount(PackedRoot root) internal pure returns (uint32) {
        return uint32(PackedRoot.unwrap(root));
    }

    /// @notice Proving system of all its leaves.
    function systemId(PackedRoot root) internal pure returns (uint8) {
        return uint8(PackedRoot.unwrap(root) >> SYSTEM_SHIFT);
    }

    /// @notice Whether it was revoked.
    function isRevoked(PackedRoot root) internal pure returns (bool) {
        return uint8(PackedRoot.unwrap(root) >> REVOKED_SHIFT) != 0;
    }

    /// @notice Blobs that carry its commitments.
    function blobs(PackedRoot root) internal pure returns (uint8) {
        return uint8(PackedRoot.unwrap(root) >> BLOBS_SHIFT);
    }

    /// @notice Position of the aggregating program in the service's list.
    function programIndex(PackedRoot root) internal pure returns (uint32) {
        return uint32(PackedRoot.unwrap(root) >> PROGRAM_SHIFT);
    }

    /// @notice Block in which it was aggregated.
    function blockNumber(PackedRoot root) internal pure returns (uint40) {
        return uint40(PackedRoot.unwrap(root) >> BLOCK_SHIFT);
    }

    /// @notice Time of that block, Unix seconds.
    function timestamp(PackedRoot root) internal pure returns (uint40) {
        return uint40(PackedRoot.unwrap(root) >> TIMESTAMP_SHIFT);
    }
}
