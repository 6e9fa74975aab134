// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

/// @title Errors of the payment service of aggregation mode. Those that the reference system has keep its names.
interface IAggregationModePaymentServiceErrors {
    error InvalidDepositAmount(uint256 received, uint256 required);
    error SubscriptionTimeExceedsLimit(uint256 validUntil, uint256 limit);
    error TermsBelowMinimum(uint256 proofs, uint256 minProofs, uint256 periodSeconds, uint256 minPeriodSeconds);
    error InvalidTerms(string field, uint256 value);
    error InvalidGrant(string field, uint256 value);
    error InvalidRecipient(address recipient);
    error TransferFailed(address to, uint256 amount);
    error ZeroAddress(string field);
    error IntakePaused();
}

/// @title Events of the payment service of aggregation mode.
interface IAggregationModePaymentServiceEvents {
    /// @notice `payer` paid `amountWei` (what was kept of its transfer) and `user` may use `proofs` proofs in
    /// [validFrom, validUntil), Unix seconds.
    event UserPayment(
        address indexed user,
        address indexed payer,
        uint256 amountWei,
        uint256 proofs,
        uint256 validFrom,
        uint256 validUntil
    );
    /// @notice Nobody paid: `user` may use `proofs` proofs in [validFrom, validUntil), Unix seconds.
    event QuotaGranted(address indexed user, uint256 proofs, uint256 validFrom, uint256 validUntil);
    event TermsSet(uint256 priceWei, uint256 proofsPerPeriod, uint256 periodSeconds, uint256 maxAheadSeconds);
    event FundsRecipientSet(address indexed previous, address indexed current);
    event FundsWithdrawn(address indexed recipient, uint256 amountWei);
    event IntakePausedSet(bool paused);
}

/// @title Subscriptions of aggregation mode: ETH for a number of proofs within a period.
/// @notice A payment buys one period on the terms of that moment. Off chain it is a row of credits that are usable in
/// [validFrom, validUntil); a proof uses a credit of the row that ends first. Invariants, each with a test of the same name:
/// I1 all ETH that is here belongs to the funds recipient: it leaves by `withdraw` and to nobody else;
/// I2 who has at most one period left can renew for the price, whether the intake is paused or not;
/// I3 a payment costs exactly the price: what was sent above it comes back in the same call, a refused payment keeps nothing;
/// I4 an expiry never falls, and a payment moves it by exactly one period from the later of now and the old expiry;
/// I5 at a payment nobody's expiry is further ahead than the limit in force;
/// I6 terms, pauses, grants and withdrawals leave everybody's expiry as it is: they concern later payments only.
///
/// What the administrator can do at worst: raise the price of later payments, or grant quota that nobody paid for. It
/// cannot take back what was bought. A deposit that names its least terms cannot be caught by a change of them.
interface IAggregationModePaymentService is IAggregationModePaymentServiceErrors, IAggregationModePaymentServiceEvents {
    /// @notice Buys one period for `beneficiary` on whatever the terms are (a plain transfer buys one for the sender; it takes
    /// more gas than Solidity's `transfer` and `send` give).
    /// @dev Anyone, for anyone: who pays ahead for somebody else takes room below the limit and gives the proofs for it.
    /// Sends what is above the price back to the sender. Emits UserPayment. Reverts ZeroAddress; InvalidDepositAmount
    /// below the price; IntakePaused for a beneficiary without a subscription (its expiry is past or was never set) while
    /// the intake is paused; SubscriptionTimeExceedsLimit if the new expiry is further ahead than
    /// `maxSubscriptionTimeAhead`, which cannot happen within the last period; TransferFailed if the sender takes no ETH
    /// back.
    function deposit(address beneficiary) external payable;

    /// @notice As `deposit`, and reverts TermsBelowMinimum if it would buy less than this: the sender's protection against
    /// terms that change between signing and mining. The price is bounded by what is sent.
    function deposit(address beneficiary, uint256 minProofs, uint256 minPeriodSeconds) external payable;

    /// @notice Sends all ETH that is here to the funds recipient.
    /// @dev Anyone. Emits FundsWithdrawn. Reverts TransferFailed if the recipient takes none: that stops nothing else, and
    /// `setFundsRecipient` helps.
    function withdraw() external;

    /// @notice Gives each of `users` a row of credits that nobody paid for, usable from now until `validUntil`. Restricted.
    /// @dev Expiries stay as they are: a grant opens no subscription and takes no room below the limit. Emits QuotaGranted for
    /// each entry. Reverts ZeroAddress; InvalidGrant for no proofs, more than 2^32 − 1, or a `validUntil` that is not after
    /// now or more than `MAX_TIME_AHEAD` away.
    function grant(address[] calldata users, uint256 proofs, uint256 validUntil) external;

    /// @notice Sets the terms of later payments. Restricted.
    /// @dev Emits TermsSet. Reverts InvalidTerms for a price or a number of proofs that is 0 or above 2^96 − 1 or 2^32 − 1, a
    /// period of 0, or a limit that is shorter than two periods (a renewal before the expiry could be refused then) or longer
    /// than `MAX_TIME_AHEAD`.
    function setTerms(uint256 priceWei, uint256 proofsPerPeriod_, uint256 periodSeconds, uint256 maxAheadSeconds)
        external;

    /// @notice Names who gets the money, also that which is here already. Restricted. Emits FundsRecipientSet. Reverts
    /// InvalidRecipient for zero and this contract.
    function setFundsRecipient(address recipient) external;

    /// @notice Stops or resumes payments for those who have no subscription. Restricted (guardian). Emits IntakePausedSet.
    function setIntakePaused(bool paused) external;

    /// @notice Price of one period, in wei. (The reference's name.)
    function amountToPayInWei() external view returns (uint256);

    /// @notice Length of one period, in seconds. (The reference's name.)
    function paymentExpirationTimeSeconds() external view returns (uint256);

    /// @notice Who gets the money. (The reference's name.)
    function paymentFundsRecipient() external view returns (address);

    /// @notice How far ahead of now a payment may move an expiry, in seconds. (The reference's name.)
    function maxSubscriptionTimeAhead() external view returns (uint256);

    /// @notice When what was paid for `user` ends (Unix seconds), 0 if nobody ever paid. (The reference's name.)
    function subscribedAddresses(address user) external view returns (uint256);

    /// @notice Proofs that one payment buys.
    function proofsPerPeriod() external view returns (uint256);

    /// @notice Whether only renewals are accepted.
    function intakePaused() external view returns (bool);

    /// @notice Most that any expiry may be ahead of now, in seconds, whatever the terms.
    function MAX_TIME_AHEAD() external view returns (uint256);
}
