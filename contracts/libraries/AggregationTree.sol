// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Tagged keccak tree of the aggregation mode (docs/spec/aggregation.md).
/// @notice leaf = keccak256(0x00 ‖ system ‖ commitment), node = keccak256(0x01 ‖ left ‖ right); bit i of the index tells whether the
/// running hash is the right child at level i; leaves are completed to a power of two with zero words.
/// @dev Assembly because consumers pay for every level: the 65 bytes of a node are hashed in place.
library AggregationTree {
    /// @notice Most leaves under one root: six blobs of commitments.
    uint256 internal constant MAX_LEAVES = 6 * 3968;

    /// @notice Leaf of a proof. `systemId` must fit one byte.
    /// @param systemId Proving system.
    /// @param committed keccak256(public inputs ‖ program).
    function leaf(uint256 systemId, bytes32 committed) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, shl(240, systemId)) // byte 0 is the tag 0x00
            mstore(2, committed)
            hash := keccak256(0, 34)
        }
    }

    /// @notice keccak256(public inputs ‖ program), what a leaf commits to.
    function commitment(bytes calldata publicInputs, bytes32 programId) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let m := mload(0x40) // scratch beyond the free memory pointer, not allocated
            calldatacopy(m, publicInputs.offset, publicInputs.length)
            mstore(add(m, publicInputs.length), programId)
            hash := keccak256(m, add(publicInputs.length, 32))
        }
    }

    /// @notice Whether `path` leads from `node` at position `index` to `root` of a tree of `count` leaves. Never reverts.
    /// @dev False unless index < count and the path has exactly as many levels as the tree: a shorter or longer one
    /// would start at an inner node or at nothing.
    /// @param root Root of the tree.
    /// @param count Number of its leaves, at least 1.
    /// @param node The leaf.
    /// @param index Position of the leaf.
    /// @param path Siblings from the leaf upwards, 32 bytes each.
    function verify(bytes32 root, uint256 count, bytes32 node, uint256 index, bytes calldata path)
        internal
        pure
        returns (bool ok)
    {
        assembly ("memory-safe") {
            let last := sub(count, 1)
            let depth := shr(5, path.length)
            // Exact depth: 2^(depth - 1) <= last < 2^depth, and no levels for a single leaf.
            let wrong := or(or(and(path.length, 31), gt(index, last)), shr(depth, last))
            wrong := or(wrong, and(iszero(shr(sub(depth, 1), last)), iszero(iszero(depth))))
            if iszero(wrong) {
                // Words 0x40 and 0x60 (free memory pointer and zero) are lent to the children, the byte before to the tag: with
                // fixed places a level costs least. Both are put back.
                let freePointer := mload(0x40)
                mstore(0x20, 1)
                let side := shl(5, index) // bit 5 is the running hash's side of the current level
                let end := add(path.offset, path.length)
                for { let sibling := path.offset } lt(sibling, end) { sibling := add(sibling, 32) } {
                    let place := or(0x40, and(side, 32))
                    mstore(place, node)
                    mstore(xor(place, 32), calldataload(sibling))
                    node := keccak256(0x3f, 65)
                    side := shr(1, side)
                }
                mstore(0x40, freePointer)
                mstore(0x60, 0)
                ok := eq(node, root)
            }
        }
    }
}
