// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AlignedLayerServiceManager} from "../contracts/AlignedLayerServiceManager.sol";
import {BatchStatus} from "../contracts/interfaces/IAlignedLayerServiceManager.sol";
import {QuorumSignature} from "../contracts/libraries/BN254Types.sol";
import {OperatorKeys} from "./helpers/OperatorKeys.sol";
import {System} from "./helpers/System.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @notice Submitters, responders and the clock, in any order; remembers what was paid for each batch.
contract ServiceHandler is TestBase {
    uint256 public constant ACTORS = 4;

    System public immutable SYSTEM;
    AlignedLayerServiceManager private immutable SM;

    struct Posted {
        bytes32 root;
        address sender;
        uint256 fee;
        uint256 paid;
        uint256 reclaimed;
        uint256 answers;
    }

    Posted[] public posted;
    uint256 public failedExits;
    uint256 public failedViews;
    uint256 public answersWithoutQuorum;

    constructor(System system) {
        SYSTEM = system;
        SM = system.serviceManager();
    }

    function count() external view returns (uint256) {
        return posted.length;
    }

    function deposit(uint256 seed, uint256 amount) external {
        amount = bound(amount, 1, 10 ether);
        vm.deal(address(this), amount);
        SM.depositToBatcher{value: amount}(actor(seed % ACTORS));
    }

    function create(uint256 seed, bytes32 root, uint256 fee, uint256 value) external {
        address sender = actor(seed % ACTORS);
        if (root == 0 || SM.batchStatus(root, sender) != BatchStatus.Unknown) return;
        fee = bound(fee, SYSTEM.MIN_FEE(), 1 ether);
        uint256 balance = SM.batchersBalances(sender);
        value = bound(value, fee > balance ? fee - balance : 0, 2 ether);
        vm.deal(sender, value);
        vm.prank(sender);
        SM.createNewTask{value: value}(root, "x", fee);
        posted.push(Posted(root, sender, fee, 0, 0, 0));
    }

    function answer(uint256 which, uint256 mask, uint256 seed, uint256 price) external {
        if (posted.length == 0) return;
        Posted storage task = posted[which % posted.length];
        mask = bound(mask, 1, SYSTEM.EVERYBODY());
        mine(1);
        vm.fee(bound(price, 1, 1_000 gwei));
        vm.txGasPrice(bound(price, 1, 1_000 gwei) + 20 gwei);
        address responder = actor(seed % ACTORS);
        uint256 before = SM.batchersBalances(responder);
        try this.respond(task.root, task.sender, mask, responder) {
            task.answers++;
            task.paid += SM.batchersBalances(responder) - before;
            if (_signers(mask) < 3) answersWithoutQuorum++;
        } catch {}
        freeGas();
    }

    function respond(bytes32 root, address sender, uint256 mask, address responder) external {
        QuorumSignature memory quorum = SYSTEM.answer(root, sender, mask);
        vm.prank(responder);
        SM.respondToTask(root, sender, quorum);
    }

    function reclaim(uint256 which) external {
        if (posted.length == 0) return;
        Posted storage task = posted[which % posted.length];
        vm.prank(task.sender);
        try SM.reclaim(task.root) returns (uint256 amount) {
            task.reclaimed += amount;
        } catch {}
    }

    function exit(uint256 seed, bool paused) external {
        SYSTEM.setPaused(paused);
        address account = actor(seed % ACTORS);
        uint256 balance = SM.batchersBalances(account);
        vm.prank(account);
        try SM.withdraw(balance) {}
        catch {
            failedExits++;
        }
        SYSTEM.setPaused(false);
    }

    function look(bytes32[5] calldata words, bytes calldata path, uint256 index, address sender) external {
        bytes memory call = abi.encodeCall(
            SM.verifyBatchInclusion, (words[0], words[1], words[2], bytes20(words[3]), words[4], path, index, sender)
        );
        (bool ok,) = address(SM).staticcall(call);
        if (!ok) failedViews++;
    }

    function pass(uint256 blocks) external {
        mine(bound(blocks, 1, 8));
    }

    function _signers(uint256 mask) private pure returns (uint256 n) {
        for (; mask != 0; mask >>= 1) {
            n += mask & 1;
        }
    }
}

contract ServiceManagerInvariantsTest is TestBase {
    System private system;
    ServiceHandler private handler;

    function setUp() public {
        system = new System();
        for (uint256 i = 0; i < OperatorKeys.COUNT; i++) {
            system.join(i, system.STAKE());
        }
        handler = new ServiceHandler(system);
        mine(1);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev `respond` is the handler's own, for try and catch.
    function excludeSelectors() public view returns (FuzzSelector[] memory excluded) {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = ServiceHandler.respond.selector;
        excluded = new FuzzSelector[](1);
        excluded[0] = FuzzSelector(address(handler), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev Without this the invariants could hold because nothing ever happens.
    function test_handler_canAnswerAndReclaim() public {
        handler.create(0, bytes32(uint256(1)), 1 ether, 1 ether);
        handler.answer(0, 2, 1, 1 gwei); // operators 0 and 1 only: refused
        (,,,,, uint256 answers) = handler.posted(0);
        assertEq(answers, 0, "two of four");
        handler.answer(0, 6, 1, 1 gwei); // bound to 7: operators 0, 1 and 2
        handler.reclaim(0);
        (,, uint256 fee, uint256 paid, uint256 reclaimed, uint256 answered) = handler.posted(0);
        assertTrue(answered == 1 && paid > 0 && paid + reclaimed == fee, "answered, paid, reclaimed");
        invariant_I1_ether_covers_balances_fees_and_surplus();
    }

    function invariant_I1_ether_covers_balances_fees_and_surplus() public view {
        AlignedLayerServiceManager sm = system.serviceManager();
        uint256 owed = 0;
        for (uint256 i = 0; i < handler.ACTORS(); i++) {
            owed += sm.batchersBalances(actor(i));
        }
        for (uint256 i = 0; i < handler.count(); i++) {
            (bytes32 root, address sender,,,,) = handler.posted(i);
            (,, uint256 fee) = sm.batchesState(keccak256(abi.encodePacked(root, sender)));
            owed += fee;
        }
        assertEq(address(sm).balance, owed, "I1");
    }

    function invariant_I2_verified_only_by_a_quorum() public view {
        assertEq(handler.answersWithoutQuorum(), 0, "I2 quorum");
        for (uint256 i = 0; i < handler.count(); i++) {
            (bytes32 root, address sender,,,, uint256 answers) = handler.posted(i);
            bool verified = system.serviceManager().batchStatus(root, sender) == BatchStatus.Verified;
            assertTrue(verified == (answers == 1), "I2 status");
        }
    }

    function invariant_I3_fee_pays_one_answer_and_the_rest_is_the_submitters() public view {
        for (uint256 i = 0; i < handler.count(); i++) {
            (bytes32 root, address sender, uint256 fee, uint256 paid, uint256 reclaimed, uint256 answers) =
                handler.posted(i);
            (,, uint256 left) = system.serviceManager().batchesState(keccak256(abi.encodePacked(root, sender)));
            assertTrue(answers <= 1, "I3 one answer");
            assertEq(paid + reclaimed + left, fee, "I3 conservation");
        }
    }

    function invariant_I4_exits_and_views_never_fail() public view {
        assertEq(handler.failedExits(), 0, "I4 exits");
        assertEq(handler.failedViews(), 0, "I4 views");
    }
}
