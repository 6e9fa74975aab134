// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    AccessManagedUpgradeable
} from "@openzeppelin/contracts-upgradeable/access/manager/AccessManagedUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

import {IAggregationModePaymentService} from "./interfaces/IAggregationModePaymentService.sol";

/// @title Subscriptions of aggregation mode.
/// @notice Contract and invariants: IAggregationModePaymentService.
contract AggregationModePaymentService is IAggregationModePaymentService, AccessManagedUpgradeable, UUPSUpgradeable {
    /// @inheritdoc IAggregationModePaymentService
    uint256 public constant MAX_TIME_AHEAD = 3650 days;

    uint256 private constant PERIODS_AHEAD = 2; // the one that runs, and its renewal

    /// @dev One storage slot: all that a payment reads besides the expiry.
    struct Terms {
        uint96 priceWei;
        uint32 proofs;
        uint32 periodSeconds;
        uint32 maxAheadSeconds;
        bool intakePaused;
    }

    /// @custom:storage-location erc7201:aligned.storage.AggregationModePaymentService
    struct SubscriptionStorage {
        Terms terms;
        address fundsRecipient;
        mapping(address user => uint256) expiry;
    }

    // keccak256(abi.encode(uint256(keccak256("aligned.storage.AggregationModePaymentService")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0xdc684d464f01e830682f617eede627dcb1b1bfac238d4bffe16ae29a45019500;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the service up; the proxy calls it in its constructor.
    /// @param authority_ Access manager.
    /// @param recipient First funds recipient.
    /// @param priceWei Price of a period.
    /// @param proofs Proofs that a period buys.
    /// @param periodSeconds Its length.
    /// @param maxAheadSeconds How far ahead of now a payment may move an expiry.
    function initialize(
        address authority_,
        address recipient,
        uint256 priceWei,
        uint256 proofs,
        uint256 periodSeconds,
        uint256 maxAheadSeconds
    ) external initializer {
        if (authority_ == address(0)) revert ZeroAddress("authority");
        __AccessManaged_init(authority_);
        _setFundsRecipient(recipient);
        _setTerms(priceWei, proofs, periodSeconds, maxAheadSeconds);
    }

    /// @notice Buys one period for the sender.
    receive() external payable {
        _pay(msg.sender, _storage().terms);
    }

    // ------------------------------------------------------------------------------------------ users

    /// @inheritdoc IAggregationModePaymentService
    function deposit(address beneficiary) external payable {
        _pay(beneficiary, _storage().terms);
    }

    /// @inheritdoc IAggregationModePaymentService
    function deposit(address beneficiary, uint256 minProofs, uint256 minPeriodSeconds) external payable {
        Terms memory terms = _storage().terms;
        if (terms.proofs < minProofs || terms.periodSeconds < minPeriodSeconds) {
            revert TermsBelowMinimum(terms.proofs, minProofs, terms.periodSeconds, minPeriodSeconds);
        }
        _pay(beneficiary, terms);
    }

    /// @inheritdoc IAggregationModePaymentService
    function withdraw() external {
        address recipient = _storage().fundsRecipient;
        uint256 amountWei = address(this).balance;
        emit FundsWithdrawn(recipient, amountWei);
        _send(recipient, amountWei);
    }

    // ------------------------------------------------------------------------------------------ administration

    /// @inheritdoc IAggregationModePaymentService
    function grant(address[] calldata users, uint256 proofs, uint256 validUntil) external restricted {
        if (proofs == 0 || proofs > type(uint32).max) revert InvalidGrant("proofs", proofs);
        if (validUntil <= block.timestamp || validUntil > block.timestamp + MAX_TIME_AHEAD) {
            revert InvalidGrant("validUntil", validUntil);
        }
        for (uint256 i = 0; i < users.length; i++) {
            if (users[i] == address(0)) revert ZeroAddress("user");
            emit QuotaGranted(users[i], proofs, block.timestamp, validUntil);
        }
    }

    /// @inheritdoc IAggregationModePaymentService
    function setTerms(uint256 priceWei, uint256 proofsPerPeriod_, uint256 periodSeconds, uint256 maxAheadSeconds)
        external
        restricted
    {
        _setTerms(priceWei, proofsPerPeriod_, periodSeconds, maxAheadSeconds);
    }

    /// @inheritdoc IAggregationModePaymentService
    function setFundsRecipient(address recipient) external restricted {
        _setFundsRecipient(recipient);
    }

    /// @inheritdoc IAggregationModePaymentService
    function setIntakePaused(bool paused) external restricted {
        _storage().terms.intakePaused = paused;
        emit IntakePausedSet(paused);
    }

    // ------------------------------------------------------------------------------------------ views

    /// @inheritdoc IAggregationModePaymentService
    function amountToPayInWei() external view returns (uint256) {
        return _storage().terms.priceWei;
    }

    /// @inheritdoc IAggregationModePaymentService
    function paymentExpirationTimeSeconds() external view returns (uint256) {
        return _storage().terms.periodSeconds;
    }

    /// @inheritdoc IAggregationModePaymentService
    function paymentFundsRecipient() external view returns (address) {
        return _storage().fundsRecipient;
    }

    /// @inheritdoc IAggregationModePaymentService
    function maxSubscriptionTimeAhead() external view returns (uint256) {
        return _storage().terms.maxAheadSeconds;
    }

    /// @inheritdoc IAggregationModePaymentService
    function subscribedAddresses(address user) external view returns (uint256) {
        return _storage().expiry[user];
    }

    /// @inheritdoc IAggregationModePaymentService
    function proofsPerPeriod() external view returns (uint256) {
        return _storage().terms.proofs;
    }

    /// @inheritdoc IAggregationModePaymentService
    function intakePaused() external view returns (bool) {
        return _storage().terms.intakePaused;
    }

    // ------------------------------------------------------------------------------------------ internals

    /// @dev The surplus goes back last, when nothing is left to be written: what its receiver calls from there is an
    /// ordinary call.
    function _pay(address user, Terms memory terms) private {
        if (user == address(0)) revert ZeroAddress("beneficiary");
        if (msg.value < terms.priceWei) revert InvalidDepositAmount(msg.value, terms.priceWei);
        SubscriptionStorage storage $ = _storage();
        uint256 expiry = $.expiry[user];
        if (expiry < block.timestamp) {
            if (terms.intakePaused) revert IntakePaused();
            expiry = block.timestamp;
        }
        uint256 validUntil = expiry + terms.periodSeconds;
        uint256 limit = block.timestamp + terms.maxAheadSeconds;
        if (validUntil > limit) revert SubscriptionTimeExceedsLimit(validUntil, limit);
        $.expiry[user] = validUntil;
        emit UserPayment(user, msg.sender, terms.priceWei, terms.proofs, block.timestamp, validUntil);
        uint256 surplusWei = msg.value - terms.priceWei;
        if (surplusWei != 0) _send(msg.sender, surplusWei);
    }

    function _setTerms(uint256 priceWei, uint256 proofs, uint256 periodSeconds, uint256 maxAheadSeconds) private {
        if (priceWei == 0 || priceWei > type(uint96).max) revert InvalidTerms("priceWei", priceWei);
        if (proofs == 0 || proofs > type(uint32).max) revert InvalidTerms("proofsPerPeriod", proofs);
        if (maxAheadSeconds > MAX_TIME_AHEAD) revert InvalidTerms("maxAheadSeconds", maxAheadSeconds);
        if (periodSeconds == 0 || periodSeconds > maxAheadSeconds / PERIODS_AHEAD) {
            revert InvalidTerms("periodSeconds", periodSeconds);
        }
        Terms storage terms = _storage().terms;
        terms.priceWei = uint96(priceWei);
        terms.proofs = uint32(proofs);
        terms.periodSeconds = uint32(periodSeconds);
        terms.maxAheadSeconds = uint32(maxAheadSeconds);
        emit TermsSet(priceWei, proofs, periodSeconds, maxAheadSeconds);
    }

    function _setFundsRecipient(address recipient) private {
        if (recipient == address(0) || recipient == address(this)) revert InvalidRecipient(recipient);
        SubscriptionStorage storage $ = _storage();
        emit FundsRecipientSet($.fundsRecipient, recipient);
        $.fundsRecipient = recipient;
    }

    function _send(address to, uint256 amountWei) private {
        (bool sent,) = to.call{value: amountWei}("");
        if (!sent) revert TransferFailed(to, amountWei);
    }

    function _authorizeUpgrade(address) internal override restricted {}

    function _storage() private pure returns (SubscriptionStorage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
