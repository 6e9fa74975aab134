// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AggregationModePaymentService} from "../contracts/AggregationModePaymentService.sol";
import {Subscriptions} from "./helpers/Subscriptions.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @notice Payers, the administrator and the clock, in any order; keeps a ledger of its own in plain Solidity.
contract SubscriptionHandler is TestBase {
    uint256 public constant ACTORS = 4;
    address public constant RECIPIENT = address(0x4EC191E47);

    AggregationModePaymentService public immutable SERVICE;

    mapping(address user => uint256 time) public expiryOf;
    uint256 public owedWei;
    uint256 public withdrawnWei;
    uint256 public payments;
    uint256 public renewalsWhilePaused;
    uint256 public blockedRenewals;
    uint256 public wrongCosts;
    uint256 public wrongSteps;
    uint256 public beyondLimit;

    constructor() {
        SERVICE = Subscriptions.open(address(this), RECIPIENT);
        vm.warp(1_800_000_000);
    }

    /// @dev Somebody pays for somebody, by a transfer, a deposit or one with least terms, with more, less or exactly enough.
    function pay(uint256 payerSeed, uint256 userSeed, uint256 way, uint256 extra, bool less) external {
        address payer = address(uint160(0xBA4E40000 + payerSeed % ACTORS));
        address user = way % 3 == 0 ? payer : actor(userSeed % ACTORS);
        uint256 price = SERVICE.amountToPayInWei();
        uint256 value = less ? price - 1 : price + bound(extra, 0, 1 ether);
        bool mustPass = !less && _mayRenew(user);
        vm.deal(payer, value);
        bool done = _send(payer, user, way % 3, value);
        if (mustPass && !done) blockedRenewals++;
        if (mustPass && SERVICE.intakePaused()) renewalsWhilePaused++;
        if (payer.balance != (done ? value - price : value)) wrongCosts++;
        if (done) _book(user, price);
    }

    function setTerms(uint256 price, uint256 proofs, uint256 period, uint256 ahead) external {
        period = bound(period, 1, 60 days);
        ahead = bound(ahead, 2 * period, 4 * period);
        SERVICE.setTerms(bound(price, 1, 1 ether), bound(proofs, 1, 1_000), period, ahead);
    }

    function setIntakePaused(bool paused) external {
        SERVICE.setIntakePaused(paused);
    }

    function grant(uint256 seed, uint256 proofs, uint256 time) external {
        address[] memory users = new address[](1);
        users[0] = actor(seed % ACTORS);
        SERVICE.grant(users, bound(proofs, 1, 1_000), vm.getBlockTimestamp() + bound(time, 1, 3650 days));
    }

    function withdraw(uint256 seed) external {
        vm.prank(actor(seed % ACTORS));
        SERVICE.withdraw();
        withdrawnWei += owedWei;
        owedWei = 0;
    }

    /// @dev As a block's reward or a destroyed contract does.
    function forceEther(uint256 amountWei) external {
        amountWei = bound(amountWei, 0, 1 ether);
        vm.deal(address(SERVICE), address(SERVICE).balance + amountWei);
        owedWei += amountWei;
    }

    function wait_(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + bound(time, 1, 20 days));
    }

    /// @dev To the very second at which somebody's subscription ends.
    function waitForTheEnd(uint256 seed) external {
        uint256 end = expiryOf[actor(seed % ACTORS)];
        if (end > vm.getBlockTimestamp()) vm.warp(end);
    }

    function _mayRenew(address user) private view returns (bool) {
        uint256 current = vm.getBlockTimestamp();
        uint256 end = expiryOf[user];
        return end != 0 && end >= current && end - current <= SERVICE.paymentExpirationTimeSeconds();
    }

    function _send(address payer, address user, uint256 way, uint256 value) private returns (bool done) {
        bytes memory call;
        if (way == 1) call = abi.encodeWithSignature("deposit(address)", user);
        if (way == 2) {
            uint256 period = SERVICE.paymentExpirationTimeSeconds();
            uint256 proofs = SERVICE.proofsPerPeriod();
            call = abi.encodeWithSignature("deposit(address,uint256,uint256)", user, proofs, period);
        }
        vm.prank(payer);
        (done,) = address(SERVICE).call{value: value}(call);
    }

    function _book(address user, uint256 price) private {
        uint256 current = vm.getBlockTimestamp();
        uint256 start = expiryOf[user] < current ? current : expiryOf[user];
        uint256 end = SERVICE.subscribedAddresses(user);
        if (end != start + SERVICE.paymentExpirationTimeSeconds()) wrongSteps++;
        if (end > current + SERVICE.maxSubscriptionTimeAhead()) beyondLimit++;
        expiryOf[user] = end;
        owedWei += price;
        payments++;
    }
}

contract SubscriptionInvariantsTest is TestBase {
    SubscriptionHandler private handler;
    AggregationModePaymentService private service;

    function setUp() public {
        handler = new SubscriptionHandler();
        service = handler.SERVICE();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Without this the invariants could hold because nothing ever happens.
    function test_handler_canPayRenewWhilePausedAndWithdraw() public {
        handler.pay(0, 0, 1, 5, false);
        handler.setIntakePaused(true);
        handler.waitForTheEnd(0);
        handler.pay(0, 0, 2, 0, false);
        assertEq(handler.renewalsWhilePaused(), 1, "renewed");
        handler.pay(0, 1, 1, 0, false);
        assertEq(handler.payments(), 2, "no new subscriber");
        handler.withdraw(3);
        assertEq(handler.withdrawnWei(), 2 * Subscriptions.PRICE, "withdrawn");
        invariant_I1_all_ether_belongs_to_the_recipient();
    }

    function invariant_I1_all_ether_belongs_to_the_recipient() public view {
        assertEq(address(service).balance, handler.owedWei(), "I1 here");
        assertEq(handler.RECIPIENT().balance, handler.withdrawnWei(), "I1 gone");
    }

    function invariant_I2_a_renewal_in_the_last_period_is_never_blocked() public view {
        assertEq(handler.blockedRenewals(), 0, "I2");
    }

    function invariant_I3_a_payment_costs_exactly_the_price() public view {
        assertEq(handler.wrongCosts(), 0, "I3");
    }

    function invariant_I4_a_payment_moves_an_expiry_by_one_period() public view {
        assertEq(handler.wrongSteps(), 0, "I4");
    }

    function invariant_I5_no_payment_reaches_beyond_the_limit() public view {
        assertEq(handler.beyondLimit(), 0, "I5");
    }

    function invariant_I6_nothing_but_a_payment_changes_an_expiry() public view {
        for (uint256 i = 0; i < handler.ACTORS(); i++) {
            address user = actor(i);
            assertEq(service.subscribedAddresses(user), handler.expiryOf(user), "I6");
        }
    }
}
