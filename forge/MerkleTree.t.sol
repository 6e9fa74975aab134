// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Commitments} from "../contracts/libraries/Commitments.sol";
import {MerkleTree} from "../contracts/libraries/MerkleTree.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @notice The assembly libraries against twins in plain Solidity.
contract MerkleTreeTest is TestBase {
    function verify(bytes32 root, bytes32 leaf, bytes calldata path, uint256 index) external pure returns (bool) {
        return MerkleTree.verify(root, leaf, path, index);
    }

    function testFuzz_verify_anyInput_equalsPlainTwin(bytes32 root, bytes32 leaf, bytes calldata path, uint256 index)
        public
        view
    {
        assertTrue(this.verify(root, leaf, path, index) == _twin(root, leaf, path, index), "random root");
    }

    function testFuzz_verify_rootOfThePath_equalsPlainTwin(bytes32 leaf, bytes32 seed, uint256 depth, uint256 index)
        public
        view
    {
        depth = bound(depth, 0, 36);
        bytes memory path;
        for (uint256 i = 0; i < depth; i++) {
            path = abi.encodePacked(path, keccak256(abi.encode(seed, i)));
        }
        uint256 inside = index % (1 << depth);
        bytes32 root = _fold(leaf, path, inside);
        assertTrue(this.verify(root, leaf, path, inside) == (depth <= 32), "inside");
        assertTrue(!this.verify(root, leaf, path, inside + (1 << depth)), "index + 2^depth");
        assertTrue(!this.verify(root, leaf, abi.encodePacked(path, uint8(0)), inside), "one byte more");
        if (index != inside) assertTrue(!this.verify(root, leaf, path, index), "outside");
        if (depth > 0) assertTrue(!this.verify(root, keccak256(abi.encode(leaf)), path, inside), "other leaf");
    }

    function testFuzz_leaf_anyParts_equalsPlainTwin(bytes32 a, bytes32 b, bytes32 c, bytes20 generator) public pure {
        bytes32 twin = keccak256(abi.encodePacked(a, b, c, generator));
        assertEq(Commitments.leaf(a, b, c, generator), twin, "leaf");
    }

    function testFuzz_batchId_anyParts_equalsPlainTwin(bytes32 root, address sender) public pure {
        assertEq(Commitments.batchId(root, sender), keccak256(abi.encodePacked(root, sender)), "batch id");
    }

    function _twin(bytes32 root, bytes32 leaf, bytes memory path, uint256 index) private pure returns (bool) {
        if (path.length % 32 != 0 || path.length > 32 * 32) return false;
        return index < 1 << (path.length / 32) && _fold(leaf, path, index) == root;
    }

    function _fold(bytes32 node, bytes memory path, uint256 index) private pure returns (bytes32) {
        for (uint256 i = 0; i < path.length / 32; i++) {
            bytes32 sibling;
            uint256 offset = 32 * (i + 1);
            assembly {
                sibling := mload(add(path, offset))
            }
            node = index >> i & 1 == 0
                ? keccak256(abi.encodePacked(node, sibling))
                : keccak256(abi.encodePacked(sibling, node));
        }
        return node;
    }
}
