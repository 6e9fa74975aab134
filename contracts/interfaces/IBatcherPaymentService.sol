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
    error PayersMismatch(bytes32 expectedHash, bytes32 givenHash);
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
    event SubmitterSkipped(bytes32 indexed batchMerkleRoot, address indexed submitter, SkipReason reason);
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
    AboveCap
}

/// @title Users' deposits, and the batcher's right to charge them for proofs.
/// @notice Invariants, each with a test of the same name:
/// I1 the contract's ETH covers all balances, the batcher's earnings and the unsettled surplus;
/// I2 nobody pays more for a proof than its cap at that moment;
/// I3 withdrawals are never paused and depend on nobody but the user and the clock;
/// I4 what a batch did not need goes back to those who paid for it, to nobody else.
interface IBatcherPaymentService is IBatcherPaymentServiceErrors, IBatcherPaymentServiceEvents {
    /// @notice Credits `user` (a plain transfer credits the sender). Re-locks the funds if they were unlocking.
    function deposit(address user) external payable;

    /// @notice Charges each entry of `proofSubmitters` `feePerProof` (or skips it) and opens the task.
    /// @dev The batcher only. An entry whose cap is lower than the fee or whose balance is too small is skipped and
    /// announced, not reverted. What was collected (plus msg.value) must cover `feeForAggregator`, which becomes the
    /// task's answer fee; the rest is the batcher's. Entries in sorted order cost least. Emits TaskCreated.
    /// @param batchMerkleRoot Root of the batch.
    /// @param batchDataPointer URLs of the batch file.
    /// @param proofSubmitters One entry a proof.
    /// @param feeForAggregator Sent with the task, in wei.
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

    /// @notice Returns what the answer of a batch did not cost (all of it if it was never answered) to its payers.
    /// @dev Anyone. `payers` are the submitters that were charged, in the order of `createNewTask`.
    /// Division dust goes to the first payer.
    function settle(bytes32 batchMerkleRoot, address[] calldata payers) external;

    /// @notice Sets the most that the caller may be charged for one proof. 0 restores the default.
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

    /// @notice keccak256 of the packed list of payers of a batch that can still be settled, else 0.
    function payersHash(bytes32 batchMerkleRoot) external view returns (bytes32);

    /// @notice Whether intake is paused.
    function paused() external view returns (bool);

    /// @notice The service manager (immutable of the implementation).
    function alignedLayerServiceManager() external view returns (address);
}
