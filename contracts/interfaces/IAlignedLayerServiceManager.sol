// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

import {QuorumSignature} from "../libraries/BN254Types.sol";

/// @title Errors of the service manager. Those that the reference system has keep its names and selectors.
interface IAlignedLayerServiceManagerErrors {
    error BatchAlreadySubmitted(bytes32 batchIdentifierHash);
    error BatchDoesNotExist(bytes32 batchIdentifierHash);
    error BatchAlreadyResponded(bytes32 batchIdentifierHash);
    error BatchNotVerified(bytes32 batchIdentifierHash, uint8 status);
    error BatchStillPending(bytes32 batchIdentifierHash, uint256 lastResponseBlock);
    error NothingToReclaim(bytes32 batchIdentifierHash);
    error ResponseWindowClosed(uint256 currentBlock, uint256 lastResponseBlock);
    error InsufficientFunds(address account, uint256 required, uint256 available);
    error FeeTooLow(uint256 feeLimitWei, uint256 minimumWei);
    error FeeTooHigh(uint256 feeLimitWei, uint256 maximumWei);
    error PointerLengthOutOfBounds(uint256 length, uint256 maxLength);
    error ZeroRoot();
    error InvalidQuorumThreshold(uint256 signedStake, uint256 requiredStake);
    error TooFewSigners(uint256 signers, uint256 required);
    error TotalStakeTooLow(uint256 totalStake, uint256 required);
    error InvalidSignature();
    error InvalidDepositAmount(uint256 amount);
    error TransferFailed(address to, uint256 amount);
    error InvalidConfig(string field, uint256 value);
    error ZeroAddress(string field);
    error IntakePaused();
}

/// @title Events of the service manager. NewBatchV3, BatchVerified, BatcherBalanceUpdated, VerifierDisabled and
/// VerifierEnabled have the reference's signatures.
interface IAlignedLayerServiceManagerEvents {
    event NewBatchV3(
        bytes32 indexed batchMerkleRoot,
        address senderAddress,
        uint32 taskCreatedBlock,
        string batchDataPointer,
        uint256 respondToTaskFeeLimit
    );
    event BatchVerified(bytes32 indexed batchMerkleRoot, address senderAddress);
    event BatchExpired(bytes32 indexed batchMerkleRoot, address indexed senderAddress);
    event BatchRevoked(bytes32 indexed batchMerkleRoot, address indexed senderAddress);
    event ResponsePaid(bytes32 indexed batchIdentifierHash, address indexed responder, uint256 paidWei);
    event FeeReclaimed(bytes32 indexed batchIdentifierHash, address indexed senderAddress, uint256 amountWei);
    event BatcherBalanceUpdated(address indexed batcher, uint256 newBalance);
    event VerifierDisabled(uint8 indexed verifierIdx);
    event VerifierEnabled(uint8 indexed verifierIdx);
    event DisabledVerifiersUpdated(uint256 bitmap);
    event ServiceConfigUpdated(ServiceConfig config);
    event IntakePausedSet(bool paused);
}

/// @notice Parameters of the service (one storage slot).
/// @param minTotalStake Least total stake of the quorum for an answer to count (closes the emptied quorum).
/// @param minFeeWei Least answer fee of a task (closes free tasks). A bond, not a price: what the answer did not cost comes
/// back, so spam costs its gas and capital that is locked until the answer or the end of the window.
/// @param minSigners Least number of signers, at least 1.
/// @param thresholdBps Signed stake needed, in 1/10,000 of the total; more than half.
/// @param responseWindowBlocks How long a task may be answered; also the largest age of a reference block.
/// @param maxTipGwei Most priority fee over the base fee that the caller of `respondToTask` is refunded.
/// @param intakePaused Whether new tasks are refused. Answers, exits and views are never pausable. `setConfig` and
/// `initialize` ignore it: `setIntakePaused` alone changes it.
struct ServiceConfig {
    uint96 minTotalStake;
    uint72 minFeeWei;
    uint16 minSigners;
    uint16 thresholdBps;
    uint24 responseWindowBlocks;
    uint16 maxTipGwei;
    bool intakePaused;
}

/// @notice Life of a batch. Expired is computed: a pending batch whose response window is over.
enum BatchStatus {
    Unknown,
    Pending,
    Verified,
    Expired,
    Revoked
}

/// @title Batches of proofs, their BLS answers, and the inclusion check.
/// @notice batch identifier = keccak256(root ‖ sender), 52 bytes. Invariants, each with a test of the same name:
/// I1 the contract's ETH covers all balances, all reserved fees and all unclaimed surplus;
/// I2 a batch is verified only by signers with the threshold of the stake at the task's block;
/// I3 the fee of a task pays one answer at most, and what is left is the submitter's;
/// I4 exits (withdraw, reclaim) and views are never paused; `verifyBatchInclusion` and `batchStatus` never revert.
interface IAlignedLayerServiceManager is IAlignedLayerServiceManagerErrors, IAlignedLayerServiceManagerEvents {
    /// @notice Opens a task and reserves its answer fee from msg.value first, then from the caller's balance.
    /// @dev Anyone. Reverts for: paused intake, zero root, pointer empty or longer than 256 bytes, fee below the minimum
    /// or above 2^80−1 wei, same root by the same sender, too little money. Value above the fee is credited.
    /// Emits NewBatchV3.
    /// @param batchMerkleRoot Root of the batch's tree.
    /// @param batchDataPointer One or more comma-separated URLs of the batch file.
    /// @param respondToTaskFeeLimit Most that answering may cost the submitter, in wei.
    function createNewTask(bytes32 batchMerkleRoot, string calldata batchDataPointer, uint256 respondToTaskFeeLimit)
        external
        payable;

    /// @notice Marks a batch verified on the quorum's signature over `taskDigest` and credits the caller its gas: what a
    /// transaction costs once is in the first answer's refund only.
    /// @dev Anyone with a valid signature. Reverts for: unknown, answered or out-of-window batch, the registry's reasons,
    /// total stake, signer count or signed stake too small, an invalid signature or point. Emits BatchVerified and
    /// ResponsePaid; the credit is in the latter, without a BatcherBalanceUpdated.
    function respondToTask(bytes32 batchMerkleRoot, address senderAddress, QuorumSignature calldata quorum) external;

    /// @notice Credits the caller what is left of the fee of its own batch: the rest after an answer, or the whole fee
    /// once the response window is over (the batch is then Expired for good, and its root may be submitted again).
    /// @return amountWei What was credited.
    function reclaim(bytes32 batchMerkleRoot) external returns (uint256 amountWei);

    /// @notice Takes a verified batch back after an incident. Restricted (challenge manager, guardian).
    function revokeBatch(bytes32 batchMerkleRoot, address senderAddress) external;

    /// @notice Credits `account`. Reverts InvalidDepositAmount for zero.
    function depositToBatcher(address account) external payable;

    /// @notice Sends part of the caller's balance to it. Never pausable.
    function withdraw(uint256 amount) external;

    /// @notice Turns proving system `verifierIdx` off. Restricted. Emits VerifierDisabled.
    function disableVerifier(uint8 verifierIdx) external;

    /// @notice Turns proving system `verifierIdx` on. Restricted. Emits VerifierEnabled.
    function enableVerifier(uint8 verifierIdx) external;

    /// @notice Sets all switches at once. Restricted. Emits DisabledVerifiersUpdated.
    function setDisabledVerifiers(uint256 bitmap) external;

    /// @notice Changes the parameters, except `intakePaused`, which stays as it is. Restricted. Emits ServiceConfigUpdated
    /// with what is in force then.
    function setConfig(ServiceConfig calldata config) external;

    /// @notice Stops or resumes `createNewTask`. Restricted (guardian).
    function setIntakePaused(bool paused) external;

    /// @notice Whether a proof is in a verified batch. Never reverts on well-formed calldata.
    /// @dev False for: batch not verified, a Merkle proof that is no multiple of 32 bytes or longer than 32 levels, an index
    /// of 2^depth or more, a path that leads elsewhere. Leaf and tree: docs/spec/commitments.md.
    function verifyBatchInclusion(
        bytes32 proofCommitment,
        bytes32 pubInputCommitment,
        bytes32 provingSystemAuxDataCommitment,
        bytes20 proofGeneratorAddr,
        bytes32 batchMerkleRoot,
        bytes calldata merkleProof,
        uint256 verificationDataBatchIndex,
        address senderAddress
    ) external view returns (bool);

    /// @notice Where a batch stands.
    function batchStatus(bytes32 batchMerkleRoot, address senderAddress) external view returns (BatchStatus);

    /// @notice The batch record in the reference's shape.
    /// @return taskCreatedBlock Block of creation, 0 if unknown.
    /// @return responded Whether it was answered (verified).
    /// @return respondToTaskFeeLimit What is still reserved or unclaimed of its fee, in wei.
    function batchesState(bytes32 batchIdentifierHash)
        external
        view
        returns (uint32 taskCreatedBlock, bool responded, uint256 respondToTaskFeeLimit);

    /// @notice Last block in which a batch may be answered, 0 if unknown.
    function lastResponseBlock(bytes32 batchIdentifierHash) external view returns (uint256);

    /// @notice The digest that operators sign: EIP-712 `BatchVerification(bytes32 batchIdentifierHash,uint32 taskCreatedBlock)`
    /// in the domain ("AlignedLayerServiceManager", "1", chain id, this contract).
    function taskDigest(bytes32 batchIdentifierHash, uint32 taskCreatedBlock) external view returns (bytes32);

    /// @notice An account's free balance in wei.
    function batchersBalances(address account) external view returns (uint256);

    /// @notice Same as `batchersBalances`, the reference's other name.
    function balanceOf(address account) external view returns (uint256);

    /// @notice Bitmap of disabled proving systems; bit i is system i.
    function disabledVerifiers() external view returns (uint256);

    /// @notice Whether proving system `verifierIdx` is off.
    function isVerifierDisabled(uint8 verifierIdx) external view returns (bool);

    /// @notice The parameters in force.
    function config() external view returns (ServiceConfig memory);

    /// @notice The operator registry (immutable of the implementation).
    function operatorRegistry() external view returns (address);
}
