// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

/// @title Errors of the batcher payment service. Those that the reference system has keep its names and selectors.
interface IBatcherPaymentServiceErrors {
    error OnlyBatcherAllowed(address caller);
    error OnlyPendingBatcher(address caller, address pendingBatcher);
    error NoProofSubmitters();
    error NoFeePerProof();
    error InsufficientFeeForAggregator(uint256 feeForAggregator, uint256 collected);
    error UserHasNoFundsToUnlock(address user);
    error UserHasNoFundsToLock(address user);
    error PayerInsufficientBalance(uint256 balance, uint256 amount);
    error FundsLocked(uint256 unlockTime, uint256 currentTime);
    error BalanceOverflow(address user, uint256 balance);
    error CapTooHigh(uint256 capWei, uint256 maximumWei);
    error CapLocked(uint256 unlockTime, uint256 currentTime);
    error SettlementMismatch(bytes32 expectedHash, bytes32 givenHash);
    error BatchNotFinal(bytes32 batchMerkleRoot, uint8 status);
    error NothingToSettle(bytes32 batchMerkleRoot);
    error TransferFailed(address to, uint256 amount);
    error ZeroAddress(string field);
    error IntakePaused();
}

/// @title Events of the batcher payment service.
interface IBatcherPaymentServiceEvents {
    event PaymentReceived(address indexed sender, uint256 amount);
    event FundsWithdrawn(address indexed recipient, uint256 amount);
    event BalanceLocked(address indexed user);
    event BalanceUnlocked(address indexed user, uint256 unlockBlockTime);
    event TaskCreated(bytes32 indexed batchMerkleRoot, uint256 feePerProof, uint256 amountOfProofs);
    event TaskFunded(bytes32 indexed batchMerkleRoot, uint256 heldWei, uint256 payersFeeWei);
    event SubmitterSkipped(
        bytes32 indexed batchMerkleRoot, address indexed submitter, SkipReason reason, uint256 proofs
    );
    event FeeCapSet(address indexed user, uint256 capWei);
    event SurplusReturned(bytes32 indexed batchMerkleRoot, uint256 amountWei, uint256 payers);
    event BatcherProposed(address indexed current, address indexed proposed);
    event BatcherChanged(address indexed previous, address indexed current);
    event EarningsWithdrawn(address indexed batcher, uint256 amountWei);
    event IntakePausedSet(bool paused);
}

/// @notice Why a submitter was not charged. Its nonce rises all the same: the message is used up.
enum SkipReason {
    InsufficientBalance,
    AboveCap,
    Withdrawable
}

/// @title Users' deposits, and the batcher's right to charge them for proofs.
/// @notice Invariants, each with a test of the same name:
/// I1 the contract's ETH covers all balances, the batcher's earnings and what is held for unsettled batches;
/// I2 nobody pays more for a proof than its cap at that moment;
/// I3 withdrawals are never paused and depend on nobody but the user and the clock: a balance whose waiting time is over
/// is not even charged;
/// I4 what a batch did not need goes back to those who paid for it, to nobody else.
///
/// What the batcher can do at worst: charge users up to their caps for batches that are worth nothing. All of that comes
/// back with `settle`, except the answer's gas (paid to whoever answered) and the batcher's reward, at most 120 % of the
/// gas of its own call at a price of at most the base fee + 3 gwei. It can waste users' money on gas, not take deposits.
interface IBatcherPaymentService is IBatcherPaymentServiceErrors, IBatcherPaymentServiceEvents {
    /// @notice Credits `user` (a plain transfer credits the sender). Re-locks funds that were unlocking if the sender is the
    /// user: a deposit by anybody else leaves the unlock time as it is.
    function deposit(address user) external payable;

    /// @notice Charges each entry of `proofSubmitters` `feePerProof` (or skips it) and opens the task.
    /// @dev The batcher only. An entry whose cap is lower than the fee, whose balance is too small or whose waiting time for
    /// a withdrawal is over is skipped and announced (once a run of equal entries), not reverted. What was collected plus
    /// msg.value must reach `feeForAggregator`. The answer fee comes out of what was collected first (`payersFeeWei`), then
    /// out of msg.value, whose rest is credited to the batcher's earnings. Of what is left of the users' money the batcher
    /// earns at most the posting cost: 120 % of this call's gas × min(gas price, base fee + 3 gwei). The rest (`heldWei`)
    /// stays here until `settle`. Entries in sorted order cost least. Emits TaskCreated and TaskFunded.
    /// @param batchMerkleRoot Root of the batch.
    /// @param batchDataPointer URLs of the batch file.
    /// @param proofSubmitters One entry a proof.
    /// @param feeForAggregator Least that users and batcher together must bring, in wei.
    /// @param feePerProof Price of a proof, in wei.
    /// @param respondToTaskFeeLimit The task's answer fee, in wei; at most `feeForAggregator`.
    function createNewTask(
        bytes32 batchMerkleRoot,
        string calldata batchDataPointer,
        address[] calldata proofSubmitters,
        uint256 feeForAggregator,
        uint256 feePerProof,
        uint256 respondToTaskFeeLimit
    ) external payable;

    /// @notice Returns what a batch that was answered, revoked or has expired did not cost: `heldWei` and the payers' part of
    /// the fee's surplus to its payers in equal shares an entry, the batcher's part of the surplus to its earnings.
    /// @dev Anyone. An expired batch's surplus is its whole fee: its users lose the batcher's reward and nothing else.
    /// A fee that was used up can be settled too. Division dust goes to the payers, among them to the first. Emits
    /// SurplusReturned with what the payers got. Reverts NothingToSettle, SettlementMismatch, BatchNotFinal.
    /// @param payers Submitters that were charged, in the order of `createNewTask`, one entry a proof.
    /// @param heldWei From TaskFunded.
    /// @param payersFeeWei From TaskFunded.
    /// @param feeLimitWei The task's answer fee.
    function settle(
        bytes32 batchMerkleRoot,
        address[] calldata payers,
        uint256 heldWei,
        uint256 payersFeeWei,
        uint256 feeLimitWei
    ) external;

    /// @notice Sets the most that the caller may be charged for one proof. 0 restores the default.
    /// @dev Raising is immediate. Lowering the cap in force needs the same notice as a withdrawal: reverts CapLocked while
    /// the caller has a balance that is not withdrawable yet, or a lower cap sent just ahead of a batch would revert it or
    /// make the batcher pay for its sender's proofs.
    function setFeeCap(uint256 capWei) external;

    /// @notice Starts the waiting time after which the caller may withdraw.
    function unlock() external;

    /// @notice Stops it.
    function lock() external;

    /// @notice Sends `amount` wei of the caller's unlocked balance to it and locks the rest. Never pausable.
    function withdraw(uint256 amount) external;

    /// @notice Sends the batcher's earnings to it. The batcher only.
    function withdrawEarnings() external;

    /// @notice Names the next batcher, which must accept. Restricted.
    function proposeBatcher(address batcher) external;

    /// @notice Takes the batcher's role over; earnings so far stay withdrawable by the new batcher.
    function acceptBatcher() external;

    /// @notice Stops or resumes `createNewTask`. Restricted (guardian).
    function setIntakePaused(bool paused) external;

    /// @notice A user's balance in wei. (The reference's name.)
    function user_balances(address user) external view returns (uint256);

    /// @notice A user's next nonce. (The reference's name.)
    function user_nonces(address user) external view returns (uint256);

    /// @notice When a user's funds are withdrawable (Unix seconds), 0 if locked. (The reference's name.)
    function user_unlock_block(address user) external view returns (uint256);

    /// @notice Most that `user` may be charged for one proof, in wei.
    function feeCapOf(address user) external view returns (uint256);

    /// @notice The four values above in one call: what a batcher looks at before it takes a proof.
    /// @return nonce As `user_nonces`.
    /// @return balanceWei As `user_balances`.
    /// @return unlockTime As `user_unlock_block`.
    /// @return feeCapWei As `feeCapOf`.
    function accountOf(address user)
        external
        view
        returns (uint256 nonce, uint256 balanceWei, uint256 unlockTime, uint256 feeCapWei);

    /// @notice Cap of users that set none (immutable of the implementation), in wei.
    function DEFAULT_FEE_CAP() external view returns (uint256);

    /// @notice Waiting time of `unlock`, in seconds. (The reference's name.)
    function UNLOCK_BLOCK_TIME() external view returns (uint256);

    /// @notice The batcher in office.
    function batcherWallet() external view returns (address);

    /// @notice The batcher named and not yet accepted.
    function pendingBatcher() external view returns (address);

    /// @notice What the batcher may withdraw, in wei.
    function batcherEarnings() external view returns (uint256);

    /// @notice keccak256 of payers ‖ heldWei ‖ payersFeeWei ‖ feeLimitWei (32 bytes each) of a batch that can still be
    /// settled, else 0.
    function settlementHash(bytes32 batchMerkleRoot) external view returns (bytes32);

    /// @notice Whether intake is paused.
    function paused() external view returns (bool);

    /// @notice The service manager (immutable of the implementation).
    function alignedLayerServiceManager() external view returns (address);
}
