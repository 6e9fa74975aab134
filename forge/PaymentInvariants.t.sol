// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AlignedLayerServiceManager} from "../contracts/AlignedLayerServiceManager.sol";
import {BatcherPaymentService} from "../contracts/BatcherPaymentService.sol";
import {QuorumSignature} from "../contracts/libraries/BN254Types.sol";
import {OperatorKeys} from "./helpers/OperatorKeys.sol";
import {System} from "./helpers/System.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @notice Users, the batcher, responders and the clock, in any order; keeps a ledger of its own in plain Solidity.
contract PaymentHandler is TestBase {
    uint256 public constant ACTORS = 4;
    address private constant RESPONDER = address(0x4E5904D);

    System public immutable SYSTEM;
    BatcherPaymentService private immutable BPS;
    AlignedLayerServiceManager private immutable SM;

    mapping(bytes32 root => address[] payers) private payersOf;
    bytes32[] public roots;
    mapping(address user => uint256 balance) public ledger;
    uint256 public chargedAboveCap;
    uint256 public failedExits;
    uint256 public strayedSurplus;

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

    function setFeeCap(uint256 seed, uint256 cap) external {
        vm.prank(actor(seed % ACTORS));
        BPS.setFeeCap(bound(cap, 0, 2e16));
    }

    /// @dev Each nibble of `picks` is one proof's submitter.
    function charge(bytes32 root, uint256 picks, uint256 count, uint256 fee, uint256 limit) external {
        if (root == 0 || BPS.payersHash(root) != 0 || _known(root)) return;
        address[] memory submitters = new address[](bound(count, 1, 12));
        for (uint256 i = 0; i < submitters.length; i++) {
            submitters[i] = actor((picks >> 4 * i) % ACTORS);
        }
        fee = bound(fee, 1, 2e16);
        limit = bound(limit, SYSTEM.MIN_FEE(), 1e16);
        vm.deal(SYSTEM.BATCHER(), limit);
        address[] storage payers = payersOf[root];
        for (uint256 i = 0; i < submitters.length; i++) {
            if (fee > BPS.feeCapOf(submitters[i]) || fee > ledger[submitters[i]]) continue;
            ledger[submitters[i]] -= fee;
            payers.push(submitters[i]);
        }
        uint256[] memory before = _balances();
        vm.prank(SYSTEM.BATCHER());
        BPS.createNewTask{value: limit}(root, "x", submitters, limit, fee, limit);
        _checkCaps(before, submitters, fee);
        roots.push(root);
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
        address[] memory payers = payersOf[root];
        (,, uint256 surplus) = SM.batchesState(keccak256(abi.encodePacked(root, address(BPS))));
        uint256 earnings = BPS.batcherEarnings();
        try BPS.settle(root, payers) {
            if (payers.length == 0) return;
            uint256 share = surplus / payers.length;
            for (uint256 i = 0; i < payers.length; i++) {
                ledger[payers[i]] += share;
            }
            ledger[payers[0]] += surplus - share * payers.length;
            if (BPS.batcherEarnings() != earnings) strayedSurplus++;
        } catch {}
    }

    /// @dev Unlocks, waits the hour and takes everything, whatever anybody else does meanwhile.
    function exit(uint256 seed, bool paused) external {
        address user = actor(seed % ACTORS);
        if (ledger[user] == 0) return;
        SYSTEM.setPaused(paused);
        vm.prank(user);
        BPS.unlock();
        BPS.deposit(user);
        vm.warp(vm.getBlockTimestamp() + BPS.UNLOCK_BLOCK_TIME());
        vm.prank(user);
        try BPS.withdraw(ledger[user]) {
            ledger[user] = 0;
        } catch {
            failedExits++;
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
        handler.charge(bytes32(uint256(1)), 0, 9, 1e16 - 1, 1e16);
        uint256 charged = handler.ledger(actor(0));
        assertTrue(charged < 1 ether, "charged");
        handler.answer(0, 1 gwei);
        handler.settle(0);
        assertTrue(handler.ledger(actor(0)) > charged, "surplus came back");
        handler.exit(0, true);
        assertEq(handler.ledger(actor(0)), 0, "withdrawn");
        invariant_I4_surplus_goes_to_the_payers();
    }

    /// @dev The surplus that is not settled yet lies in the service manager, in the record of its batch.
    function invariant_I1_ether_covers_balances_earnings_and_surplus() public view {
        BatcherPaymentService bps = system.paymentService();
        uint256 owed = bps.batcherEarnings();
        for (uint256 i = 0; i < handler.ACTORS(); i++) {
            owed += bps.user_balances(actor(i));
        }
        assertEq(address(bps).balance, owed, "I1 payment service");
        uint256 reserved = 0;
        for (uint256 i = 0; i < handler.rootCount(); i++) {
            bytes32 id = keccak256(abi.encodePacked(handler.roots(i), address(bps)));
            (,, uint256 fee) = system.serviceManager().batchesState(id);
            reserved += fee;
        }
        assertTrue(address(system.serviceManager()).balance >= reserved, "I1 surplus");
    }

    function invariant_I2_nobody_pays_above_its_cap() public view {
        assertEq(handler.chargedAboveCap(), 0, "I2");
    }

    function invariant_I3_withdrawals_depend_on_the_user_and_the_clock() public view {
        assertEq(handler.failedExits(), 0, "I3");
    }

    /// @dev The ledger in plain Solidity gives every surplus to the payers; the contract agrees with it to the wei.
    function invariant_I4_surplus_goes_to_the_payers() public view {
        for (uint256 i = 0; i < handler.ACTORS(); i++) {
            assertEq(system.paymentService().user_balances(actor(i)), handler.ledger(actor(i)), "I4 ledger");
        }
        assertEq(handler.strayedSurplus(), 0, "I4 strayed");
    }
}
