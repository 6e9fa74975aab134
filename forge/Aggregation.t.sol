// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AggregationTree} from "../contracts/libraries/AggregationTree.sol";
import {BlobBinding} from "../contracts/libraries/BlobBinding.sol";
import {PackedRoot, PackedRoots} from "../contracts/libraries/PackedRoot.sol";
import {Risc0Digests} from "../contracts/libraries/Risc0Digests.sol";
import {Words} from "../contracts/libraries/Words.sol";
import {Aggregations} from "./helpers/Aggregations.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @notice The libraries of aggregation mode against twins in plain Solidity.
contract AggregationTest is TestBase {
    function verify(bytes32 root, uint256 count, bytes32 node, uint256 index, bytes calldata path)
        external
        pure
        returns (bool)
    {
        return AggregationTree.verify(root, count, node, index, path);
    }

    /// @dev What Solidity takes for granted of its memory, after the words that `verify` borrows.
    function memoryAfter(bytes32 root, bytes32 node, bytes calldata path) external pure returns (bool) {
        bytes memory before = abi.encodePacked(root, node);
        bool included = AggregationTree.verify(root, 2, node, 0, path);
        bytes memory none;
        bytes memory later = abi.encodePacked(node, root);
        return included && none.length == 0 && keccak256(before) == keccak256(abi.encodePacked(root, node))
            && keccak256(later) == keccak256(abi.encodePacked(node, root));
    }

    function commitment(bytes calldata inputs, bytes32 program) external pure returns (bytes32) {
        return AggregationTree.commitment(inputs, program);
    }

    function wordAt(bytes calldata data, uint256 offset) external pure returns (uint256) {
        return Words.at(data, offset);
    }

    function isOpening(bytes32 hash, uint256 z, uint256 y, bytes calldata openings, uint256 offset)
        external
        view
        returns (bool)
    {
        return BlobBinding.isOpening(hash, z, y, openings, offset);
    }

    function testFuzz_tree_everyLeaf_includedAtItsPlaceOnly(uint256 seed, uint256 count, uint256 at, uint256 claimed)
        public
        view
    {
        count = bound(count, 1, 40);
        at = bound(at, 0, count - 1);
        bytes32[] memory level = _leaves(seed, count);
        (bytes32 root, bytes memory path) = _path(level, at);
        assertTrue(this.verify(root, count, level[at], at, path), "own place");
        if (claimed != at) assertTrue(!this.verify(root, count, level[at], claimed, path), "other place");
        assertTrue(!this.verify(root, count, ~level[at], at, path), "other leaf");
        assertTrue(!this.verify(root, count, level[at], at, abi.encodePacked(path, bytes32(0))), "level more");
        assertTrue(!this.verify(root, count, level[at], at, abi.encodePacked(path, uint8(0))), "byte more");
    }

    function testFuzz_tree_wordsThatItBorrows_areGivenBack(bytes32 node, bytes32 sibling) public view {
        bytes32 root = keccak256(abi.encodePacked(uint8(1), node, sibling));
        assertTrue(this.memoryAfter(root, node, abi.encodePacked(sibling)), "memory");
    }

    function testFuzz_tree_anyInput_neverReverts(
        bytes32 root,
        uint256 count,
        bytes32 node,
        uint256 index,
        bytes calldata path
    ) public view {
        count = bound(count, 1, type(uint32).max);
        assertTrue(!this.verify(root, count, node, index, path), "random root");
    }

    function testFuzz_tree_lengthOfThePath_isTheDepth(uint256 count, uint256 levels, bytes32 node) public view {
        count = bound(count, 1, AggregationTree.MAX_LEAVES);
        levels = bound(levels, 0, 20);
        uint256 depth = 0;
        while (1 << depth < count) depth++;
        bytes memory path = new bytes(levels * 32);
        bytes32 root = node;
        for (uint256 i = 0; i < levels; i++) {
            root = keccak256(abi.encodePacked(uint8(1), root, bytes32(0)));
        }
        assertTrue(this.verify(root, count, node, 0, path) == (levels == depth), "exact depth");
    }

    function testFuzz_leafAndCommitment_anyParts_equalPlainTwins(bytes calldata inputs, bytes32 program, uint8 system)
        public
        view
    {
        bytes32 committed = keccak256(abi.encodePacked(inputs, program));
        assertEq(this.commitment(inputs, program), committed, "commitment");
        bytes32 twin = keccak256(abi.encodePacked(uint8(0), system, committed));
        assertEq(AggregationTree.leaf(system, committed), twin, "leaf");
    }

    function testFuzz_challenge_anyParts_equalsPlainTwin(bytes32 root, uint256 count, bytes32 hash) public pure {
        uint256 order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
        bytes32 tag = keccak256("aligned.blob-binding.v1");
        uint256 twin = uint256(keccak256(abi.encodePacked(tag, root, count, hash))) % order;
        assertEq(BlobBinding.challenge(root, count, hash), twin, "challenge");
    }

    function testFuzz_opening_ofTheZeroBlob_zeroAtEveryPointAndNothingElse(uint256 z, uint256 y, bytes32 hash)
        public
        view
    {
        z %= 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
        bytes memory openings = Aggregations.openings(2);
        assertTrue(this.isOpening(Aggregations.versionedHash(), z, 0, openings, 96), "zero");
        if (y != 0) assertTrue(!this.isOpening(Aggregations.versionedHash(), z, y, openings, 96), "other value");
        assertTrue(!this.isOpening(hash, z, 0, openings, 0), "other blob");
    }

    /// @dev Chains without the precompile answer a call with nothing; one with other parameters would name them.
    function test_opening_precompileAnswersSomethingElse_refused() public {
        uint256 order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
        bytes[4] memory answers =
            [bytes(""), abi.encode(4096), abi.encode(uint256(4095), order), abi.encode(uint256(4096), order - 1)];
        bytes memory openings = Aggregations.openings(1);
        for (uint256 i = 0; i < answers.length; i++) {
            vm.mockCall(address(10), "", answers[i]);
            assertTrue(!this.isOpening(Aggregations.versionedHash(), 1, 0, openings, 0), "another answer");
        }
        vm.mockCall(address(10), "", abi.encode(uint256(4096), order));
        assertTrue(this.isOpening(Aggregations.versionedHash(), 1, 0, openings, 0), "its answer");
    }

    function testFuzz_record_fields_comeBack(uint32 count, uint8 blobs, uint32 program, uint40 number, uint40 time)
        public
    {
        vm.roll(number);
        vm.warp(time);
        PackedRoot root = PackedRoots.pack(count, 2, blobs, program);
        assertTrue(root.leafCount() == count && root.blobs() == blobs && root.programIndex() == program, "fields");
        assertTrue(root.blockNumber() == number && root.timestamp() == time && root.systemId() == 2, "place");
        PackedRoot revoked = root.revoke();
        assertTrue(root.isValidFor(2) && !root.isRevoked() && revoked.isRevoked(), "revoked");
        assertEq(PackedRoot.unwrap(revoked) ^ PackedRoot.unwrap(root), 1 << 40, "nothing else changes");
    }

    function testFuzz_record_system_onlyItsOwnAndNotRevoked(uint256 word, uint256 system) public pure {
        PackedRoot root = PackedRoot.wrap(word);
        bool twin = system != 0 && system == root.systemId() && !root.isRevoked();
        assertTrue(root.isValidFor(system) == twin, "random system");
        uint256 own = root.systemId();
        assertTrue(root.isValidFor(own) == (own != 0 && !root.isRevoked()), "own system");
        assertTrue(!root.isValidFor(uint16(word >> 32) | 0x100), "its sixteen bits");
    }

    function testFuzz_reversed_anyWord_equalsPlainTwin(bytes32 word) public pure {
        bytes memory turned = new bytes(32);
        for (uint256 i = 0; i < 32; i++) {
            turned[i] = word[31 - i];
        }
        assertEq(Risc0Digests.reversed(word), uint256(bytes32(turned)), "reversed");
    }

    function testFuzz_words_inside_equalTheSlice(bytes calldata data, uint256 offset) public view {
        vm.assume(data.length >= 32);
        offset = bound(offset, 0, data.length - 32);
        assertEq(this.wordAt(data, offset), uint256(bytes32(data[offset:offset + 32])), "word");
    }

    function _leaves(uint256 seed, uint256 count) private pure returns (bytes32[] memory level) {
        uint256 width = 1;
        while (width < count) width *= 2;
        level = new bytes32[](width);
        for (uint256 i = 0; i < count; i++) {
            level[i] = AggregationTree.leaf(1, keccak256(abi.encode(seed, i)));
        }
    }

    function _path(bytes32[] memory level, uint256 at) private pure returns (bytes32 root, bytes memory path) {
        while (level.length > 1) {
            path = abi.encodePacked(path, level[at ^ 1]);
            bytes32[] memory upper = new bytes32[](level.length / 2);
            for (uint256 i = 0; i < upper.length; i++) {
                upper[i] = keccak256(abi.encodePacked(uint8(1), level[2 * i], level[2 * i + 1]));
            }
            (level, at) = (upper, at / 2);
        }
        return (level[0], path);
    }
}
