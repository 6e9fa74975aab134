// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AlignedProofAggregationService} from "../contracts/AlignedProofAggregationService.sol";
import {ProgramStatus} from "../contracts/interfaces/IAlignedProofAggregationService.sol";
import {AggregationTree} from "../contracts/libraries/AggregationTree.sol";
import {Aggregations} from "./helpers/Aggregations.sol";
import {TestBase} from "./helpers/TestBase.sol";

interface BlobVm {
    function blobhashes(bytes32[] calldata hashes) external;
}

/// @notice Provers, guardians and administrators in any order; remembers what ought to have happened.
contract AggregationHandler is TestBase {
    struct Recorded {
        bytes32 root;
        bytes32 commitment;
        uint256 system;
        uint256 program;
        uint256 times;
        bool revoked;
        bytes32 record;
    }

    AlignedProofAggregationService public immutable SERVICE;
    Recorded[] public recorded;
    uint256 public surprises; // calls that should have been refused or accepted and were not
    uint256 public reverting; // inclusion checks that reverted
    mapping(bytes32 root => uint256) private _place; // from 1

    constructor() {
        SERVICE = Aggregations.deploy(address(this));
        for (uint256 i = 0; i < Aggregations.PROGRAMS; i++) {
            SERVICE.allowProgram(Aggregations.systemOf(i), Aggregations.programOf(i), Aggregations.verifierOf(i));
        }
    }

    function count() external view returns (uint256) {
        return recorded.length;
    }

    /// @notice One proof is aggregated; `flaw` spoils nothing (0, 1), the proof, its blob or the opening.
    function aggregate(uint256 seed, uint256 program, uint256 flaw) external {
        program %= Aggregations.PROGRAMS;
        flaw %= 5;
        uint8 system = Aggregations.systemOf(program);
        bytes32 id = Aggregations.programOf(program);
        bytes32 commitment = keccak256(abi.encode(seed % 16));
        bytes32 root = AggregationTree.leaf(system, commitment);
        bytes memory inputs = Aggregations.publicInputs(root, 1, 1);
        bytes memory proof = Aggregations.devProof(id, flaw == 2 ? bytes("") : inputs);
        bytes memory openings = Aggregations.openings(1);
        if (flaw == 4) openings[47] = 0x01;
        BlobVm(address(vm)).blobhashes(Aggregations.hashes(flaw == 3 ? 0 : 1));
        (, ProgramStatus status,) = SERVICE.programOf(id);
        bool expected =
            status == ProgramStatus.Allowed && !SERVICE.verificationPaused() && flaw < 2 && _place[root] == 0;
        bytes memory call = system == 1
            ? abi.encodeCall(SERVICE.verifySP1, (id, inputs, proof, openings))
            : abi.encodeCall(SERVICE.verifyRisc0, (id, proof, inputs, openings));
        (bool ok,) = address(SERVICE).call(call);
        if (ok != expected) surprises++;
        if (!ok) return;
        if (_place[root] == 0) {
            recorded.push(Recorded(root, commitment, system, program, 0, false, _recordOf(root)));
            _place[root] = recorded.length;
        }
        recorded[_place[root] - 1].times++;
    }

    function allow(uint256 program) external {
        bytes32 id = Aggregations.programOf(program);
        uint256 i = program % Aggregations.PROGRAMS;
        (, ProgramStatus status,) = SERVICE.programOf(id);
        address verifier = Aggregations.verifierOf(i);
        try SERVICE.allowProgram(Aggregations.systemOf(i), id, verifier) {
            if (status == ProgramStatus.Revoked) surprises++;
        } catch {
            if (status != ProgramStatus.Revoked) surprises++;
        }
    }

    function disallow(uint256 program) external {
        bytes32 id = Aggregations.programOf(program);
        (, ProgramStatus status,) = SERVICE.programOf(id);
        if (status == ProgramStatus.Allowed) SERVICE.disallowProgram(id);
    }

    /// @notice Revokes a program, and one of its roots with it. Rarely, or nothing would be left.
    function revokeProgram(uint256 program, uint256 which) external {
        if (which % 8 != 0) return;
        bytes32 id = Aggregations.programOf(program);
        (, ProgramStatus status,) = SERVICE.programOf(id);
        if (status == ProgramStatus.Revoked) return;
        SERVICE.revokeProgram(id, new bytes32[](0));
    }

    /// @notice Anybody tries to revoke any root as one of any program.
    function revokeRootsOf(uint256 program, uint256 which, uint256 who) external {
        if (recorded.length == 0) return;
        Recorded storage record = recorded[which % recorded.length];
        bytes32 id = Aggregations.programOf(program);
        (, ProgramStatus status,) = SERVICE.programOf(id);
        bool expected = status == ProgramStatus.Revoked && record.program == program % Aggregations.PROGRAMS;
        vm.prank(actor(who % 4));
        try SERVICE.revokeRootsOf(id, _list(record.root)) {
            if (!expected) surprises++;
            record.revoked = true;
        } catch {
            if (expected) surprises++;
        }
    }

    function revokeRoot(uint256 which) external {
        if (recorded.length == 0) return;
        Recorded storage record = recorded[which % recorded.length];
        SERVICE.revokeRoots(_list(record.root));
        record.revoked = true;
    }

    function pause(bool paused) external {
        SERVICE.setVerificationPaused(paused);
    }

    /// @notice Any question, of any shape, about a recorded or an unknown root.
    function ask(uint256 which, uint256 system, bytes32 commitment, uint256 index, bytes calldata path) external {
        bytes32 root = recorded.length == 0 ? commitment : recorded[which % recorded.length].root;
        try SERVICE.verifyLeafInclusion(root, system, commitment, index, path) returns (bool included) {
            if (included) surprises++;
        } catch {
            reverting++;
        }
    }

    function _recordOf(bytes32 root) private view returns (bytes32) {
        (uint8 a, uint32 b, uint40 c, uint40 d, bytes32 e, uint8 f,) = SERVICE.aggregatedProofs(root);
        return keccak256(abi.encode(a, b, c, d, e, f));
    }

    function recordOf(bytes32 root) external view returns (bytes32) {
        return _recordOf(root);
    }

    function _list(bytes32 root) private pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = root;
    }
}

contract AggregationInvariantsTest is TestBase {
    AggregationHandler private handler;
    AlignedProofAggregationService private service;

    function setUp() public {
        freeGas();
        handler = new AggregationHandler();
        service = handler.SERVICE();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// @dev Without this the invariants could hold because nothing ever happens.
    function test_handler_canRecordAndRevoke() public {
        handler.aggregate(1, 0, 0);
        handler.aggregate(1, 0, 0); // again: refused
        handler.aggregate(2, 1, 0);
        for (uint256 flaw = 2; flaw < 5; flaw++) {
            handler.aggregate(3, 0, flaw);
        }
        assertEq(handler.count(), 2, "two recorded");
        handler.pause(true);
        handler.aggregate(4, 0, 0);
        assertEq(handler.count(), 2, "paused");
        handler.revokeRoot(0);
        _checkAll();
    }

    function invariant_A1_a_root_is_recorded_once_by_an_accepted_proof() public view {
        assertEq(handler.surprises(), 0, "A1");
        for (uint256 i = 0; i < handler.count(); i++) {
            (bytes32 root,,,, uint256 times,, bytes32 record) = handler.recorded(i);
            assertEq(times, 1, "A1 once");
            assertEq(handler.recordOf(root), record, "A1 record changed");
        }
    }

    /// @dev Every record was made by a transaction that carried its blob and opened it: others count as surprises.
    function invariant_A2_the_blobs_hold_the_commitments() public view {
        assertEq(handler.surprises(), 0, "A2");
        for (uint256 i = 0; i < handler.count(); i++) {
            (bytes32 root,,,,,,) = handler.recorded(i);
            (,,,,, uint8 blobs,) = service.aggregatedProofs(root);
            assertEq(blobs, 1, "A2 blobs");
        }
    }

    function invariant_A3_revoked_is_for_ever() public view {
        for (uint256 i = 0; i < handler.count(); i++) {
            (bytes32 root,,,,, bool revoked,) = handler.recorded(i);
            (,,,,,, bool stored) = service.aggregatedProofs(root);
            assertTrue(stored == revoked, "A3");
        }
    }

    function invariant_A4_inclusion_is_true_for_the_leaf_alone() public view {
        assertEq(handler.reverting(), 0, "A4 reverts");
        for (uint256 i = 0; i < handler.count(); i++) {
            (bytes32 root, bytes32 commitment, uint256 system,,, bool revoked,) = handler.recorded(i);
            assertTrue(service.verifyLeafInclusion(root, system, commitment, 0, "") == !revoked, "A4 leaf");
            assertTrue(!service.verifyLeafInclusion(root, system, commitment, 1, ""), "A4 index");
            assertTrue(!service.verifyLeafInclusion(root, 3 - system, commitment, 0, ""), "A4 system");
            assertTrue(!service.verifyLeafInclusion(root, system + 256, commitment, 0, ""), "A4 word");
            assertTrue(!service.verifyLeafInclusion(root, system, commitment, 0, new bytes(32)), "A4 depth");
        }
    }

    function _checkAll() private view {
        invariant_A1_a_root_is_recorded_once_by_an_accepted_proof();
        invariant_A2_the_blobs_hold_the_commitments();
        invariant_A3_revoked_is_for_ever();
        invariant_A4_inclusion_is_true_for_the_leaf_alone();
    }
}
