// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AggregationModePaymentService} from "../contracts/AggregationModePaymentService.sol";
import {IAggregationModePaymentServiceErrors} from "../contracts/interfaces/IAggregationModePaymentService.sol";
import {Subscriptions} from "./helpers/Subscriptions.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @notice A contract that pays, and does something when ether comes to it: what, the test says.
contract Actor {
    AggregationModePaymentService private immutable SERVICE;
    bytes private reaction;
    uint256 private reactionValue;
    bool private rejects;

    constructor(AggregationModePaymentService service) {
        SERVICE = service;
    }

    function reactWith(bytes calldata call, uint256 value) external {
        (reaction, reactionValue) = (call, value);
    }

    function reject(bool yes) external {
        rejects = yes;
    }

    function pay(address beneficiary, uint256 value) external {
        SERVICE.deposit{value: value}(beneficiary);
    }

    function payPlainly(uint256 value) external returns (bool sent) {
        (sent,) = address(SERVICE).call{value: value}("");
    }

    function payWithStipend(uint256 value) external {
        payable(address(SERVICE)).transfer(value);
    }

    receive() external payable {
        require(!rejects, "no ether");
        bytes memory call = reaction;
        if (call.length == 0) return;
        delete reaction; // once
        (bool done,) = address(SERVICE).call{value: reactionValue}(call);
        require(done, "reaction failed");
    }
}

/// @notice Gives its ether to an address that is not asked.
contract Bomb {
    constructor(address payable target) payable {
        selfdestruct(target);
    }
}

contract SubscriptionAttacksTest is TestBase {
    AggregationModePaymentService private service;
    Actor private payer;
    Actor private recipient;
    address private constant BENEFICIARY = address(0xBE4EF1C1A4);

    uint256 private constant PRICE = Subscriptions.PRICE;
    uint256 private constant PERIOD = Subscriptions.PERIOD;

    function setUp() public {
        service = Subscriptions.open(address(this), address(1));
        payer = new Actor(service);
        recipient = new Actor(service);
        service.setFundsRecipient(address(recipient));
        vm.deal(address(payer), 1 ether);
        vm.warp(1_800_000_000);
    }

    function test_refund__payer_pays_again_from_within__two_periods_for_two_prices() public {
        payer.reactWith(abi.encodeWithSignature("deposit(address)", BENEFICIARY), PRICE);
        payer.pay(BENEFICIARY, PRICE + 1);
        assertEq(service.subscribedAddresses(BENEFICIARY), vm.getBlockTimestamp() + 2 * PERIOD, "expiry");
        assertEq(address(payer).balance, 1 ether - 2 * PRICE, "payer");
        assertEq(address(service).balance, 2 * PRICE, "service");
    }

    function test_refund__payer_withdraws_from_within__all_goes_to_the_recipient() public {
        payer.reactWith(abi.encodeCall(service.withdraw, ()), 0);
        payer.pay(BENEFICIARY, PRICE + 7);
        assertEq(address(payer).balance, 1 ether - PRICE, "payer");
        assertEq(address(recipient).balance, PRICE, "recipient");
        assertEq(address(service).balance, 0, "service");
    }

    function test_refund__payer_takes_no_ether__refused_and_nothing_bought() public {
        payer.reject(true);
        bytes memory expected = abi.encodeWithSelector(
            IAggregationModePaymentServiceErrors.TransferFailed.selector, address(payer), uint256(1)
        );
        try payer.pay(BENEFICIARY, PRICE + 1) {
            revert("not refused");
        } catch (bytes memory error) {
            assertEq(keccak256(error), keccak256(expected), "error");
        }
        assertEq(service.subscribedAddresses(BENEFICIARY), 0, "expiry");
        assertEq(address(payer).balance, 1 ether, "payer");
        payer.pay(BENEFICIARY, PRICE);
        assertEq(address(service).balance, PRICE, "the exact price needs no refund");
    }

    function test_transfer__from_a_contract_wallet__credits_the_wallet() public {
        assertTrue(payer.payPlainly(PRICE + 3), "sent");
        assertEq(service.subscribedAddresses(address(payer)), vm.getBlockTimestamp() + PERIOD, "wallet");
        assertEq(service.subscribedAddresses(address(this)), 0, "its caller");
        assertEq(address(payer).balance, 1 ether - PRICE, "surplus");
    }

    function test_transfer__with_the_old_stipend__refused_and_nothing_kept() public {
        vm.expectRevert();
        payer.payWithStipend(PRICE);
        assertEq(address(service).balance, 0, "service");
    }

    function test_withdraw__by_anyone__only_to_the_recipient() public {
        payer.pay(BENEFICIARY, PRICE);
        vm.prank(address(0x0D15EA5E));
        service.withdraw();
        assertEq(address(recipient).balance, PRICE, "recipient");
        assertEq(address(0x0D15EA5E).balance, 0, "caller");
    }

    function test_withdraw__recipient_calls_again_from_within__gets_no_more() public {
        payer.pay(BENEFICIARY, PRICE);
        recipient.reactWith(abi.encodeCall(service.withdraw, ()), 0);
        service.withdraw();
        assertEq(address(recipient).balance, PRICE, "recipient");
    }

    function test_withdraw__recipient_pays_from_within__an_ordinary_payment() public {
        payer.pay(BENEFICIARY, PRICE);
        recipient.reactWith(abi.encodeWithSignature("deposit(address)", BENEFICIARY), PRICE);
        service.withdraw();
        assertEq(service.subscribedAddresses(BENEFICIARY), vm.getBlockTimestamp() + 2 * PERIOD, "expiry");
        assertEq(address(service).balance, PRICE, "service");
    }

    function test_recipient__that_reverts__blocks_no_payment_and_can_be_replaced() public {
        recipient.reject(true);
        payer.pay(BENEFICIARY, PRICE + 1);
        vm.expectRevert();
        service.withdraw();
        payer.pay(BENEFICIARY, PRICE);
        service.setFundsRecipient(address(0xCAFE));
        service.withdraw();
        assertEq(address(0xCAFE).balance, 2 * PRICE, "new recipient");
    }

    function test_recipient__zero_or_the_service_itself__refused() public {
        vm.expectRevert();
        service.setFundsRecipient(address(0));
        vm.expectRevert();
        service.setFundsRecipient(address(service));
    }

    function test_forced_ether__buys_nothing_and_goes_to_the_recipient() public {
        vm.deal(address(this), 5 ether);
        new Bomb{value: 5 ether}(payable(address(service)));
        assertEq(address(service).balance, 5 ether, "forced");
        payer.pay(BENEFICIARY, PRICE + 1);
        assertEq(address(payer).balance, 1 ether - PRICE, "surplus counts what was sent, not what is here");
        assertEq(service.subscribedAddresses(address(this)), 0, "nobody credited");
        service.withdraw();
        assertEq(address(recipient).balance, 5 ether + PRICE, "recipient");
    }

    /// @dev Any amount above the price comes back to the wei, whatever the terms are.
    function testFuzz_deposit__any_amount__costs_the_price(uint256 value, uint256 price, uint256 period) public {
        price = bound(price, 1, type(uint96).max);
        period = bound(period, 1, service.MAX_TIME_AHEAD() / 2);
        value = bound(value, 0, type(uint128).max);
        service.setTerms(price, 1, period, 2 * period);
        vm.deal(address(payer), value);
        try payer.pay(BENEFICIARY, value) {
            assertTrue(value >= price, "too little accepted");
            assertEq(address(payer).balance, value - price, "payer");
            assertEq(service.subscribedAddresses(BENEFICIARY), vm.getBlockTimestamp() + period, "expiry");
        } catch {
            assertTrue(value < price, "enough refused");
            assertEq(address(payer).balance, value, "refused and kept");
        }
    }
}
