// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Inclusion in the untagged keccak tree of the fast mode.
/// @notice node = keccak256(left ‖ right); bit i of the index tells whether the running hash is the right child at level i.
library MerkleTree {
    /// @notice Longest accepted path, in levels.
    uint256 internal constant MAX_DEPTH = 32;

    /// @notice Whether `path` leads from `leaf` at position `index` to `root`. Never reverts.
    /// @dev False for a path that is no multiple of 32 bytes or longer than MAX_DEPTH levels, and for index >= 2^depth:
    /// without that bound index + k·2^depth would pass as well. Even so a position is no identity: a tree is padded by
    /// repeating its last leaf, which then has several positions. Consumers must not use the index as a nullifier.
    /// @param root Root of the tree.
    /// @param leaf Hash of the leaf.
    /// @param path Siblings from the leaf upwards, 32 bytes each.
    /// @param index Position of the leaf.
    function verify(bytes32 root, bytes32 leaf, bytes calldata path, uint256 index) internal pure returns (bool ok) {
        assembly ("memory-safe") {
            if iszero(or(and(path.length, 31), gt(path.length, mul(MAX_DEPTH, 32)))) {
                let end := add(path.offset, path.length)
                for { let sibling := path.offset } lt(sibling, end) { sibling := add(sibling, 32) } {
                    // Words 0 and 32 are scratch space: the running hash goes left (0) or right (32).
                    let side := shl(5, and(index, 1))
                    mstore(side, leaf)
                    mstore(xor(side, 32), calldataload(sibling))
                    leaf := keccak256(0, 64)
                    index := shr(1, index)
                }
                // What is left of the index after `depth` shifts is its part at or above 2^depth.
                ok := and(iszero(index), eq(leaf, root))
            }
        }
    }
}
