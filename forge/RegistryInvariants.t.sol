// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BLS} from "../contracts/libraries/BLS.sol";
import {G1Point} from "../contracts/libraries/BN254Types.sol";
import {OperatorRegistry} from "../contracts/OperatorRegistry.sol";
import {Snapshot, StakeRecord} from "../contracts/interfaces/IOperatorRegistry.sol";
import {LocalStakeSource} from "../contracts/staking/LocalStakeSource.sol";
import {OperatorKeys} from "./helpers/OperatorKeys.sol";
import {System} from "./helpers/System.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @notice Operators that come, go, bond, unbond and are slashed or ejected, some of it in one block.
contract RegistryHandler is TestBase {
    System public immutable SYSTEM;
    LocalStakeSource private immutable STAKES;

    constructor(System system) {
        SYSTEM = system;
        STAKES = system.stakeSource();
    }

    function join(uint256 seed) external {
        uint256 i = seed % OperatorKeys.COUNT;
        if (SYSTEM.registry().isRegistered(SYSTEM.operator(i))) return;
        SYSTEM.join(i, SYSTEM.STAKE());
    }

    function leave(uint256 seed) external {
        address operator = SYSTEM.operator(seed % OperatorKeys.COUNT);
        OperatorRegistry registry = SYSTEM.registry();
        if (!registry.isRegistered(operator)) return;
        vm.prank(operator);
        registry.deregister();
    }

    function bondMore(uint256 seed, uint96 amount) external {
        address operator = SYSTEM.operator(seed % OperatorKeys.COUNT);
        uint256 value = bound(amount, 1, 100 ether);
        vm.deal(operator, value);
        vm.prank(operator);
        STAKES.bond{value: value}();
    }

    function unbond(uint256 seed, uint256 amount) external {
        address operator = SYSTEM.operator(seed % OperatorKeys.COUNT);
        uint256 bonded = STAKES.bondOf(operator).bonded;
        if (bonded == 0) return;
        vm.prank(operator);
        STAKES.startUnbonding(bound(amount, 1, bonded));
    }

    function update(uint256 seed) external {
        address[] memory list = new address[](3);
        for (uint256 i = 0; i < 3; i++) {
            list[i] = SYSTEM.operator((seed >> i) % (OperatorKeys.COUNT + 1));
        }
        SYSTEM.registry().updateStakes(list);
    }

    function eject(uint256 seed) external {
        SYSTEM.eject(seed % OperatorKeys.COUNT);
    }

    function pass(uint256 blocks) external {
        mine(bound(blocks, 1, 3));
    }
}

contract RegistryInvariantsTest is TestBase {
    System private system;
    RegistryHandler private handler;

    function setUp() public {
        system = new System();
        handler = new RegistryHandler(system);
        mine(1);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev I1: the current snapshot's key is the sum of the members' keys, its stake the sum of their stakes.
    function invariant_I1_snapshot_is_the_sum_of_the_members() public view {
        OperatorRegistry registry = system.registry();
        uint256 stake = 0;
        uint256 mask = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < OperatorKeys.COUNT; i++) {
            if (!registry.isRegistered(system.operator(i))) continue;
            bytes32 id = registry.operatorIdOf(system.operator(i));
            stake += registry.stakeRecords(id, registry.stakeRecordCount(id) - 1).stake;
            mask |= 1 << i;
            count++;
        }
        G1Point memory sum = mask == 0 ? G1Point(0, 0) : OperatorKeys.keyG1(mask);
        Snapshot memory current = registry.snapshots(registry.snapshotCount() - 1);
        assertEq(current.totalStake, stake, "I1 stake");
        assertEq(current.operatorCount, count, "I1 count");
        assertEq(registry.operators().length, count, "I1 list");
        assertEq(current.aggregateKeyHash, BLS.id(sum), "I1 key hash");
        assertEq(BLS.id(registry.aggregateKey()), BLS.id(sum), "I1 key");
    }

    /// @dev I2: snapshots follow each other without gap or overlap, and so do the stake records of each operator; the
    /// stakes of those in the set at a block sum up to the snapshot's.
    function invariant_I2_each_block_has_one_snapshot_and_one_record_per_operator() public view {
        OperatorRegistry registry = system.registry();
        uint256 count = registry.snapshotCount();
        for (uint256 i = 0; i < count; i++) {
            Snapshot memory snapshot = registry.snapshots(i);
            uint256 next = i + 1 < count ? registry.snapshots(i + 1).fromBlock : 0;
            assertEq(snapshot.nextBlock, next, "I2 snapshot gap");
            assertTrue(next == 0 || next > snapshot.fromBlock, "I2 snapshot order");
            assertEq(registry.snapshotIndexAt(snapshot.fromBlock), i, "I2 index");
            (uint256 stake, uint256 members) = _at(registry, snapshot.fromBlock);
            assertEq(stake, snapshot.totalStake, "I2 stake at block");
            assertEq(members, snapshot.operatorCount, "I2 members at block");
        }
    }

    /// @dev I3: a key belongs to one operator for ever.
    function invariant_I3_key_and_operator_stay_together() public view {
        OperatorRegistry registry = system.registry();
        for (uint256 i = 0; i < OperatorKeys.COUNT; i++) {
            bytes32 id = registry.operatorIdOf(system.operator(i));
            if (id == 0) continue;
            assertEq(id, BLS.id(OperatorKeys.keyG1(1 << i)), "I3 key");
            assertTrue(registry.ownerOf(id) == system.operator(i), "I3 owner");
        }
    }

    function _at(OperatorRegistry registry, uint256 blockNumber) private view returns (uint256 stake, uint256 members) {
        for (uint256 i = 0; i < OperatorKeys.COUNT; i++) {
            bytes32 id = registry.operatorIdOf(system.operator(i));
            uint256 covering = 0;
            for (uint256 r = 0; r < registry.stakeRecordCount(id); r++) {
                StakeRecord memory record = registry.stakeRecords(id, r);
                if (record.fromBlock > blockNumber) continue;
                if (record.nextBlock != 0 && record.nextBlock <= blockNumber) continue;
                covering++;
                stake += record.stake;
                if (record.stake != 0) members++;
            }
            assertTrue(covering <= 1, "I2 two records");
        }
    }
}
