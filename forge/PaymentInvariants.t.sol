// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AlignedLayerServiceManager} from "../contracts/AlignedLayerServiceManager.sol";
import {BatcherPaymentService} from "../contracts/BatcherPaymentService.sol";
import {BatchStatus} from "../contracts/interfaces/IAlignedLayerServiceManager.sol";
import {QuorumSignature} from "../contracts/libraries/BN254Types.sol";
import {OperatorKeys} from "./helpers/OperatorKeys.sol";
import {System} from "./helpers/System.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @notice Users, the batcher, responders and the clock, in any order; keeps a ledger of its own in plain Solidity.
contract PaymentHandler is TestBase {
    uint256 public constant ACTORS = 4;
    address private constant RESPONDER = address(0x4E5904D);
    uint256 private constant REWARD_PERCENT = 120;
    uint256 private constant MOST_POSTING_GAS = 1_000_000; // far above what twelve entries take

    System public immutable SYSTEM;
    BatcherPaymentService private immutable BPS;
    AlignedLayerServiceManager private immutable SM;

    struct Terms {
        uint256 heldWei;
        uint256 payersFeeWei;
        uint256 limitWei;
        bool settled;
    }

    mapping(bytes32 root => address[] payers) private payersOf;
    mapping(bytes32 root => Terms) public termsOf;
    mapping(address user => uint256 time) private exitTime; // 0: no exit under way
    bytes32[] public roots;
    mapping(address user => uint256 balance) public ledger;
    uint256 public chargedAboveCap;
    uint256 public failedExits;
    uint256 public earlyExits;
    uint256 public exits;
    uint256 public strayedSurplus;
    uint256 public rewardsAboveBound;
    uint256 public failedSettlements;

    constructor(System system) {
        SYSTEM = system;
        BPS = system.paymentService();
        SM = system.serviceManager();
    }

    function rootCount() external view returns (uint256) {
        return roots.length;
    }

    function deposit(uint256 seed, uint256 amount) external {
        address user = actor(seed % ACTORS);
        amount = bound(amount, 0, 1 ether);
        vm.deal(address(this), amount);
        BPS.deposit{value: amount}(user);
        ledger[user] += amount;
    }

    /// @dev Lowering is refused while the balance is locked: then the cap stays.
    function setFeeCap(uint256 seed, uint256 cap) external {
        vm.prank(actor(seed % ACTORS));
        try BPS.setFeeCap(bound(cap, 0, 2e16)) {} catch {}
    }

    /// @dev Each nibble of `picks` is one proof's submitter.
    function charge(bytes32 root, uint256 picks, uint256 count, uint256 fee, uint256 limit, uint256 value) external {
        if (root == 0 || _known(root)) return;
        address[] memory submitters = new address[](bound(count, 1, 12));
        for (uint256 i = 0; i < submitters.length; i++) {
            submitters[i] = actor((picks >> 4 * i) % ACTORS);
        }
        fee = bound(fee, 1, 2e16);
        limit = bound(limit, SYSTEM.MIN_FEE(), 1e16);
        uint256 collected = _expectCharges(root, submitters, fee);
        uint256 least = collected < limit ? limit - collected : 0;
        value = bound(value, least, least + 1e16);
        uint256[] memory before = _balances();
        uint256 earnings = BPS.batcherEarnings();
        _post(root, submitters, fee, limit, value);
        _checkCaps(before, submitters, fee);
        roots.push(root);
        uint256 payersFee = collected < limit ? collected : limit;
        uint256 reward = BPS.batcherEarnings() + limit - payersFee - earnings - value;
        if (reward > MOST_POSTING_GAS * 1 gwei * REWARD_PERCENT / 100) rewardsAboveBound++;
        termsOf[root] = Terms(collected - payersFee - reward, payersFee, limit, false);
    }

    function answer(uint256 which, uint256 price) external {
        if (roots.length == 0) return;
        mine(1);
        vm.fee(bound(price, 1, 100 gwei));
        vm.txGasPrice(bound(price, 1, 100 gwei));
        try this.respond(roots[which % roots.length]) {} catch {}
        freeGas();
    }

    function respond(bytes32 root) external {
        QuorumSignature memory quorum = SYSTEM.answer(root, address(BPS), SYSTEM.EVERYBODY());
        vm.prank(RESPONDER);
        SM.respondToTask(root, address(BPS), quorum);
    }

    function settle(uint256 which) external {
        if (roots.length == 0) return;
        bytes32 root = roots[which % roots.length];
        Terms storage terms = termsOf[root];
        address[] memory payers = payersOf[root];
        (,, uint256 surplus) = SM.batchesState(keccak256(abi.encodePacked(root, address(BPS))));
        bool due = !terms.settled && SM.batchStatus(root, address(BPS)) != BatchStatus.Pending;
        uint256 earnings = BPS.batcherEarnings();
        try BPS.settle(root, payers, terms.heldWei, terms.payersFeeWei, terms.limitWei) {
            terms.settled = true;
            uint256 batchers = surplus * (terms.limitWei - terms.payersFeeWei) / terms.limitWei;
            if (BPS.batcherEarnings() != earnings + batchers) strayedSurplus++;
            if (payers.length == 0) return;
            uint256 back = terms.heldWei + surplus - batchers;
            for (uint256 i = 0; i < payers.length; i++) {
                ledger[payers[i]] += back / payers.length;
            }
            ledger[payers[0]] += back % payers.length;
        } catch {
            if (due) failedSettlements++;
        }
    }

    /// @dev An exit takes three steps, between which everybody may do anything.
    function unlock(uint256 seed) external {
        address user = actor(seed % ACTORS);
        if (ledger[user] == 0 || exitTime[user] != 0) return;
        vm.prank(user);
        BPS.unlock();
        exitTime[user] = vm.getBlockTimestamp() + BPS.UNLOCK_BLOCK_TIME();
    }

    function wait_(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + bound(time, 1, 2 hours));
    }

    /// @dev Withdraws all there is, with the intake paused or not. Nobody but the user may have changed when it can.
    function withdraw(uint256 seed, bool paused) external {
        address user = actor(seed % ACTORS);
        if (exitTime[user] == 0) return;
        bool isDue = vm.getBlockTimestamp() >= exitTime[user];
        SYSTEM.setPaused(paused);
        vm.prank(user);
        try BPS.withdraw(ledger[user]) {
            if (!isDue) earlyExits++;
            exits++;
            ledger[user] = 0;
            exitTime[user] = 0;
        } catch {
            if (isDue) failedExits++;
        }
        SYSTEM.setPaused(false);
    }

    function withdrawEarnings() external {
        vm.prank(SYSTEM.BATCHER());
        BPS.withdrawEarnings();
    }

    function pass(uint256 blocks) external {
        mine(bound(blocks, 1, 15));
    }

    /// @dev Books what the rules say that each entry pays; the sum.
    function _expectCharges(bytes32 root, address[] memory submitters, uint256 fee)
        private
        returns (uint256 collected)
    {
        address[] storage payers = payersOf[root];
        for (uint256 i = 0; i < submitters.length; i++) {
            address user = submitters[i];
            bool isLeaving = exitTime[user] != 0 && exitTime[user] <= vm.getBlockTimestamp();
            if (isLeaving || fee > BPS.feeCapOf(user) || fee > ledger[user]) continue;
            ledger[user] -= fee;
            collected += fee;
            payers.push(user);
        }
    }

    /// @dev At a gas price, so that the batcher has a reward to take.
    function _post(bytes32 root, address[] memory submitters, uint256 fee, uint256 limit, uint256 value) private {
        vm.deal(SYSTEM.BATCHER(), value);
        vm.fee(1 gwei);
        vm.txGasPrice(1 gwei);
        vm.prank(SYSTEM.BATCHER());
        BPS.createNewTask{value: value}(root, "x", submitters, limit, fee, limit);
        freeGas();
    }

    function _known(bytes32 root) private view returns (bool) {
        (uint32 createdBlock,,) = SM.batchesState(keccak256(abi.encodePacked(root, address(BPS))));
        return createdBlock != 0;
    }

    function _balances() private view returns (uint256[] memory balances) {
        balances = new uint256[](ACTORS);
        for (uint256 i = 0; i < ACTORS; i++) {
            balances[i] = BPS.user_balances(actor(i));
        }
    }

    function _checkCaps(uint256[] memory before, address[] memory submitters, uint256 fee) private {
        for (uint256 i = 0; i < ACTORS; i++) {
            uint256 proofs = 0;
            for (uint256 j = 0; j < submitters.length; j++) {
                if (submitters[j] == actor(i)) proofs++;
            }
            uint256 paid = before[i] - BPS.user_balances(actor(i));
            if (paid > proofs * BPS.feeCapOf(actor(i)) || paid > proofs * fee) chargedAboveCap++;
        }
    }
}

contract PaymentInvariantsTest is TestBase {
    System private system;
    PaymentHandler private handler;

    function setUp() public {
        system = new System();
        for (uint256 i = 0; i < OperatorKeys.COUNT; i++) {
            system.join(i, system.STAKE());
        }
        handler = new PaymentHandler(system);
        mine(1);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function excludeSelectors() public view returns (FuzzSelector[] memory excluded) {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = PaymentHandler.respond.selector;
        excluded = new FuzzSelector[](1);
        excluded[0] = FuzzSelector(address(handler), selectors);
    }

    /// @dev Without this the invariants could hold because nothing ever happens.
    function test_handler_canChargeAnswerAndSettle() public {
        handler.deposit(0, 1 ether);
        handler.charge(bytes32(uint256(1)), 0, 9, 1e16 - 1, 1e16, 0);
        uint256 charged = handler.ledger(actor(0));
        assertTrue(charged < 1 ether, "charged");
        (uint256 held,,,) = handler.termsOf(bytes32(uint256(1)));
        assertTrue(held > 0 && system.paymentService().batcherEarnings() > 0, "held, and a reward");
        handler.answer(0, 1 gwei);
        handler.settle(0);
        assertTrue(handler.ledger(actor(0)) > charged + held, "surplus came back");
        invariant_I4_surplus_goes_to_the_payers();
    }

    /// @dev Each step alone, with a stranger's deposit, a charge and a settlement between them.
    function test_handler_canExitWhileEverythingElseHappens() public {
        handler.deposit(0, 1 ether);
        handler.deposit(1, 1 ether);
        handler.charge(bytes32(uint256(1)), 0, 9, 1e16 - 1, 1e16, 0);
        handler.unlock(0);
        handler.withdraw(0, false);
        assertEq(handler.exits(), 0, "too early");
        handler.wait_(2 hours - 1);
        handler.deposit(0, 1);
        handler.charge(bytes32(uint256(2)), 0x10, 1, 1e15 - 1, 1e14, 1e15);
        handler.answer(0, 1 gwei);
        handler.settle(0);
        handler.withdraw(0, true);
        assertEq(handler.exits(), 1, "out");
        assertEq(handler.ledger(actor(0)), 0, "with everything");
        invariant_I3_withdrawals_depend_on_the_user_and_the_clock();
    }

    /// @dev What is held for batches that are not settled yet is here; the surplus of their fees still lies in the service manager, in the record of its batch.
    function invariant_I1_ether_covers_balances_earnings_and_surplus() public view {
        BatcherPaymentService bps = system.paymentService();
        uint256 owed = bps.batcherEarnings();
        for (uint256 i = 0; i < handler.ACTORS(); i++) {
            owed += bps.user_balances(actor(i));
        }
        uint256 reserved = 0;
        for (uint256 i = 0; i < handler.rootCount(); i++) {
            (uint256 held,,, bool settled) = handler.termsOf(handler.roots(i));
            if (!settled) owed += held;
            bytes32 id = keccak256(abi.encodePacked(handler.roots(i), address(bps)));
            (,, uint256 fee) = system.serviceManager().batchesState(id);
            reserved += fee;
        }
        assertEq(address(bps).balance, owed, "I1 payment service");
        assertTrue(address(system.serviceManager()).balance >= reserved, "I1 surplus");
    }

    function invariant_I2_nobody_pays_above_its_cap() public view {
        assertEq(handler.chargedAboveCap(), 0, "I2");
    }

    function invariant_I3_withdrawals_depend_on_the_user_and_the_clock() public view {
        assertEq(handler.failedExits(), 0, "I3 failed");
        assertEq(handler.earlyExits(), 0, "I3 early");
    }

    /// @dev The ledger in plain Solidity gives every surplus to the payers; the contract agrees with it to the wei.
    function invariant_I4_surplus_goes_to_the_payers() public view {
        for (uint256 i = 0; i < handler.ACTORS(); i++) {
            assertEq(system.paymentService().user_balances(actor(i)), handler.ledger(actor(i)), "I4 ledger");
        }
        assertEq(handler.strayedSurplus(), 0, "I4 strayed");
        assertEq(handler.rewardsAboveBound(), 0, "I4 reward");
        assertEq(handler.failedSettlements(), 0, "I4 not settled");
    }
}
