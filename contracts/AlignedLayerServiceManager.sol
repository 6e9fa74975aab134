// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    AccessManagedUpgradeable
} from "@openzeppelin/contracts-upgradeable/access/manager/AccessManagedUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

import {BatchStatus, IAlignedLayerServiceManager, ServiceConfig} from "./interfaces/IAlignedLayerServiceManager.sol";
import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {BLS} from "./libraries/BLS.sol";
import {G1Point, QuorumSignature} from "./libraries/BN254Types.sol";
import {Commitments} from "./libraries/Commitments.sol";
import {Eip712} from "./libraries/Eip712.sol";
import {FirstCall} from "./libraries/FirstCall.sol";
import {MerkleTree} from "./libraries/MerkleTree.sol";
import {PackedBatch, PackedBatches} from "./libraries/PackedBatch.sol";

/// @title Batches of proofs, their BLS answers, and the inclusion check.
/// @notice Contract and invariants: IAlignedLayerServiceManager.
contract AlignedLayerServiceManager is IAlignedLayerServiceManager, AccessManagedUpgradeable, UUPSUpgradeable {
    uint256 private constant MAX_POINTER_BYTES = 256;
    uint256 private constant BPS = 10_000;
    uint256 private constant MAX_RESPONSE_WINDOW_BLOCKS = 50_400; // about a week

    bytes32 private constant NAME_HASH = keccak256("AlignedLayerServiceManager");
    bytes32 private constant TASK_TYPE_HASH =
        keccak256("BatchVerification(bytes32 batchIdentifierHash,uint32 taskCreatedBlock)");

    /// @dev What the first answer in a transaction costs its caller outside the part measured with gasleft(): the
    /// transaction, the proxy, the last writes and the typical calldata. Counted from the decoded arguments, not from
    /// msg.data.length, which a caller could stretch with cheap zeros. Each figure is a little below the truth.
    uint256 private constant FIXED_RESPONSE_GAS = 43_000;
    /// @dev The same for further answers in one transaction, which has paid its base and its first touches already.
    uint256 private constant FURTHER_RESPONSE_GAS = 4_000;
    uint256 private constant NON_SIGNER_CALLDATA_GAS = 1_100;
    uint256 private constant SKIP_CALLDATA_GAS = 500;

    /// @custom:storage-location erc7201:aligned.storage.AlignedLayerServiceManager
    struct ServiceStorage {
        ServiceConfig config;
        uint256 disabledVerifiers;
        mapping(bytes32 batchIdentifierHash => PackedBatch) batches;
        mapping(address account => uint256 balanceWei) balances;
    }

    // keccak256(abi.encode(uint256(keccak256("aligned.storage.AlignedLayerServiceManager")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x6ca81d71412dfee074fef86d24b12bdff1316eeff822736e8555ec381f926200;

    IOperatorRegistry private immutable _REGISTRY;

    /// @param registry The operator registry (its proxy).
    constructor(address registry) {
        if (registry == address(0)) revert ZeroAddress("registry");
        _REGISTRY = IOperatorRegistry(registry);
        _disableInitializers();
    }

    /// @notice Sets the service up; the proxy calls it in its constructor.
    /// @param authority_ Access manager.
    /// @param config_ First parameters.
    function initialize(address authority_, ServiceConfig calldata config_) external initializer {
        if (authority_ == address(0)) revert ZeroAddress("authority");
        __AccessManaged_init(authority_);
        _setConfig(config_);
    }

    /// @notice Credits the sender, as `depositToBatcher(msg.sender)`.
    receive() external payable {
        _deposit(msg.sender);
    }

    // ------------------------------------------------------------------------------------------ tasks

    /// @inheritdoc IAlignedLayerServiceManager
    function createNewTask(bytes32 batchMerkleRoot, string calldata batchDataPointer, uint256 respondToTaskFeeLimit)
        external
        payable
    {
        ServiceStorage storage $ = _storage();
        ServiceConfig memory parameters = $.config;
        _checkTask(parameters, batchMerkleRoot, bytes(batchDataPointer).length, respondToTaskFeeLimit);
        bytes32 id = Commitments.batchId(batchMerkleRoot, msg.sender);
        BatchStatus status = $.batches[id].status();
        // A batch that expired and was refunded may be tried again; signatures name the task's block, so old ones are void.
        if (status != BatchStatus.Unknown && status != BatchStatus.Expired) revert BatchAlreadySubmitted(id);
        uint32 createdBlock = uint32(block.number);
        uint256 lastBlock = block.number + parameters.responseWindowBlocks;
        $.batches[id] = PackedBatches.pack(createdBlock, lastBlock, BatchStatus.Pending, respondToTaskFeeLimit);
        _collect($, respondToTaskFeeLimit);
        emit NewBatchV3(batchMerkleRoot, msg.sender, createdBlock, batchDataPointer, respondToTaskFeeLimit);
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function respondToTask(bytes32 batchMerkleRoot, address senderAddress, QuorumSignature calldata quorum) external {
        uint256 gasAtStart = gasleft();
        ServiceStorage storage $ = _storage();
        bytes32 id = Commitments.batchId(batchMerkleRoot, senderAddress);
        PackedBatch batch = $.batches[id];
        uint32 createdBlock = _checkAnswerable(id, batch);
        ServiceConfig memory parameters = $.config;
        G1Point memory signersKey = _signersKey(parameters, createdBlock, quorum);
        bytes32 digest = taskDigest(id, createdBlock);
        if (!BLS.verify(digest, signersKey, quorum.signersKeyG2, quorum.signature, quorum.witness)) {
            revert InvalidSignature();
        }
        emit BatchVerified(batchMerkleRoot, senderAddress);

        uint256 gasUsed = gasAtStart - gasleft() + _unmeasuredGas(quorum);
        uint256 feeWei = batch.feeWei();
        uint256 paidWei = _min(feeWei, gasUsed * _refundedGasPrice(parameters.maxTipGwei));
        $.batches[id] = batch.with(BatchStatus.Verified, feeWei - paidWei);
        $.balances[msg.sender] += paidWei;
        emit ResponsePaid(id, msg.sender, paidWei);
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function reclaim(bytes32 batchMerkleRoot) external returns (uint256 amountWei) {
        ServiceStorage storage $ = _storage();
        bytes32 id = Commitments.batchId(batchMerkleRoot, msg.sender);
        PackedBatch batch = $.batches[id];
        BatchStatus status = batch.status();
        if (status == BatchStatus.Unknown) revert BatchDoesNotExist(id);
        if (status == BatchStatus.Pending) {
            if (block.number <= batch.lastResponseBlock()) revert BatchStillPending(id, batch.lastResponseBlock());
            status = BatchStatus.Expired;
            emit BatchExpired(batchMerkleRoot, msg.sender);
        }
        amountWei = batch.feeWei();
        if (amountWei == 0) revert NothingToReclaim(id);
        $.batches[id] = batch.with(status, 0);
        emit FeeReclaimed(id, msg.sender, amountWei);
        _credit($, msg.sender, amountWei);
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function revokeBatch(bytes32 batchMerkleRoot, address senderAddress) external restricted {
        bytes32 id = Commitments.batchId(batchMerkleRoot, senderAddress);
        ServiceStorage storage $ = _storage();
        PackedBatch batch = $.batches[id];
        if (batch.status() != BatchStatus.Verified) revert BatchNotVerified(id, uint8(batch.status()));
        $.batches[id] = batch.with(BatchStatus.Revoked, batch.feeWei());
        emit BatchRevoked(batchMerkleRoot, senderAddress);
    }

    // ------------------------------------------------------------------------------------------ money

    /// @inheritdoc IAlignedLayerServiceManager
    function depositToBatcher(address account) external payable {
        _deposit(account);
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function withdraw(uint256 amount) external {
        ServiceStorage storage $ = _storage();
        uint256 balance = $.balances[msg.sender];
        if (amount > balance) revert InsufficientFunds(msg.sender, amount, balance);
        $.balances[msg.sender] = balance - amount;
        emit BatcherBalanceUpdated(msg.sender, balance - amount);
        (bool sent,) = msg.sender.call{value: amount}("");
        if (!sent) revert TransferFailed(msg.sender, amount);
    }

    // ------------------------------------------------------------------------------------------ administration

    /// @inheritdoc IAlignedLayerServiceManager
    function disableVerifier(uint8 verifierIdx) external restricted {
        _storage().disabledVerifiers |= 1 << verifierIdx;
        emit VerifierDisabled(verifierIdx);
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function enableVerifier(uint8 verifierIdx) external restricted {
        _storage().disabledVerifiers &= ~(1 << verifierIdx);
        emit VerifierEnabled(verifierIdx);
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function setDisabledVerifiers(uint256 bitmap) external restricted {
        _storage().disabledVerifiers = bitmap;
        emit DisabledVerifiersUpdated(bitmap);
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function setConfig(ServiceConfig calldata config_) external restricted {
        _setConfig(config_);
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function setIntakePaused(bool paused) external restricted {
        _storage().config.intakePaused = paused;
        emit IntakePausedSet(paused);
    }

    // ------------------------------------------------------------------------------------------ views

    /// @inheritdoc IAlignedLayerServiceManager
    function verifyBatchInclusion(
        bytes32 proofCommitment,
        bytes32 pubInputCommitment,
        bytes32 provingSystemAuxDataCommitment,
        bytes20 proofGeneratorAddr,
        bytes32 batchMerkleRoot,
        bytes calldata merkleProof,
        uint256 verificationDataBatchIndex,
        address senderAddress
    ) external view returns (bool) {
        bytes32 id = Commitments.batchId(batchMerkleRoot, senderAddress);
        if (_storage().batches[id].status() != BatchStatus.Verified) return false;
        bytes32 leaf =
            Commitments.leaf(proofCommitment, pubInputCommitment, provingSystemAuxDataCommitment, proofGeneratorAddr);
        return MerkleTree.verify(batchMerkleRoot, leaf, merkleProof, verificationDataBatchIndex);
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function batchStatus(bytes32 batchMerkleRoot, address senderAddress) external view returns (BatchStatus) {
        PackedBatch batch = _storage().batches[Commitments.batchId(batchMerkleRoot, senderAddress)];
        bool expired = batch.status() == BatchStatus.Pending && block.number > batch.lastResponseBlock();
        return expired ? BatchStatus.Expired : batch.status();
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function batchesState(bytes32 batchIdentifierHash)
        external
        view
        returns (uint32 taskCreatedBlock, bool responded, uint256 respondToTaskFeeLimit)
    {
        PackedBatch batch = _storage().batches[batchIdentifierHash];
        return (batch.createdBlock(), batch.status() == BatchStatus.Verified, batch.feeWei());
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function lastResponseBlock(bytes32 batchIdentifierHash) external view returns (uint256) {
        return _storage().batches[batchIdentifierHash].lastResponseBlock();
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function taskDigest(bytes32 batchIdentifierHash, uint32 taskCreatedBlock) public view returns (bytes32) {
        return Eip712.digest(NAME_HASH, keccak256(abi.encode(TASK_TYPE_HASH, batchIdentifierHash, taskCreatedBlock)));
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function batchersBalances(address account) external view returns (uint256) {
        return _storage().balances[account];
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function balanceOf(address account) external view returns (uint256) {
        return _storage().balances[account];
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function disabledVerifiers() external view returns (uint256) {
        return _storage().disabledVerifiers;
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function isVerifierDisabled(uint8 verifierIdx) external view returns (bool) {
        return (_storage().disabledVerifiers >> verifierIdx) & 1 == 1;
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function config() external view returns (ServiceConfig memory) {
        return _storage().config;
    }

    /// @inheritdoc IAlignedLayerServiceManager
    function operatorRegistry() external view returns (address) {
        return address(_REGISTRY);
    }

    // ------------------------------------------------------------------------------------------ internals

    function _checkTask(ServiceConfig memory parameters, bytes32 root, uint256 pointerBytes, uint256 feeWei)
        private
        pure
    {
        if (parameters.intakePaused) revert IntakePaused();
        if (root == 0) revert ZeroRoot();
        if (pointerBytes == 0 || pointerBytes > MAX_POINTER_BYTES) {
            revert PointerLengthOutOfBounds(pointerBytes, MAX_POINTER_BYTES);
        }
        if (feeWei < parameters.minFeeWei) revert FeeTooLow(feeWei, parameters.minFeeWei);
        if (feeWei > type(uint80).max) revert FeeTooHigh(feeWei, type(uint80).max);
    }

    /// @dev Takes `feeWei` from msg.value, then from the caller's balance; credits what is over.
    function _collect(ServiceStorage storage $, uint256 feeWei) private {
        if (msg.value > feeWei) {
            _credit($, msg.sender, msg.value - feeWei);
        } else if (msg.value < feeWei) {
            uint256 missing = feeWei - msg.value;
            uint256 balance = $.balances[msg.sender];
            if (balance < missing) revert InsufficientFunds(msg.sender, feeWei, balance + msg.value);
            $.balances[msg.sender] = balance - missing;
            emit BatcherBalanceUpdated(msg.sender, balance - missing);
        }
    }

    /// @dev The task's block, if the batch waits for an answer.
    function _checkAnswerable(bytes32 id, PackedBatch batch) private view returns (uint32 createdBlock) {
        BatchStatus status = batch.status();
        uint256 lastBlock = batch.lastResponseBlock();
        if (status == BatchStatus.Unknown) revert BatchDoesNotExist(id);
        if (status == BatchStatus.Verified || status == BatchStatus.Revoked) revert BatchAlreadyResponded(id);
        // The window of an expired batch is over for good.
        if (block.number > lastBlock) revert ResponseWindowClosed(block.number, lastBlock);
        return batch.createdBlock();
    }

    /// @dev Key of the signers, after every condition on who and how many they are.
    function _signersKey(ServiceConfig memory parameters, uint32 createdBlock, QuorumSignature calldata quorum)
        private
        view
        returns (G1Point memory key)
    {
        uint256 signedStake;
        uint256 totalStake;
        uint256 signerCount;
        (key, signedStake, totalStake, signerCount) =
            _REGISTRY.signersAt(createdBlock, quorum.snapshotIndex, quorum.aggregateKey, quorum.nonSigners);
        if (totalStake < parameters.minTotalStake) revert TotalStakeTooLow(totalStake, parameters.minTotalStake);
        if (signerCount < parameters.minSigners) revert TooFewSigners(signerCount, parameters.minSigners);
        // The configuration keeps minTotalStake, minSigners and thresholdBps above 0, so this cannot be 0 >= 0.
        if (signedStake * BPS < totalStake * parameters.thresholdBps) {
            revert InvalidQuorumThreshold(signedStake, _ceilDiv(totalStake * parameters.thresholdBps, BPS));
        }
    }

    function _unmeasuredGas(QuorumSignature calldata quorum) private returns (uint256) {
        uint256 fixedGas = FirstCall.take() ? FIXED_RESPONSE_GAS : FURTHER_RESPONSE_GAS;
        unchecked {
            // Lengths of arrays that fit into calldata: no product or sum comes near 2^256.
            return fixedGas + quorum.nonSigners.length * NON_SIGNER_CALLDATA_GAS + quorum.witness.skips.length
                * SKIP_CALLDATA_GAS;
        }
    }

    /// @dev The caller's own price, but no more than the base fee and a bounded tip.
    function _refundedGasPrice(uint256 maxTipGwei) private view returns (uint256) {
        return _min(tx.gasprice, block.basefee + maxTipGwei * 1 gwei);
    }

    function _deposit(address account) private {
        if (msg.value == 0) revert InvalidDepositAmount(0);
        if (account == address(0)) revert ZeroAddress("account");
        _credit(_storage(), account, msg.value);
    }

    function _credit(ServiceStorage storage $, address account, uint256 amountWei) private {
        uint256 balance = $.balances[account] + amountWei;
        $.balances[account] = balance;
        emit BatcherBalanceUpdated(account, balance);
    }

    function _setConfig(ServiceConfig calldata config_) private {
        if (config_.minTotalStake == 0) revert InvalidConfig("minTotalStake", 0);
        if (config_.minFeeWei == 0) revert InvalidConfig("minFeeWei", 0);
        if (config_.minSigners == 0) revert InvalidConfig("minSigners", 0);
        if (config_.thresholdBps <= BPS / 2 || config_.thresholdBps > BPS) {
            revert InvalidConfig("thresholdBps", config_.thresholdBps);
        }
        if (config_.responseWindowBlocks == 0 || config_.responseWindowBlocks > MAX_RESPONSE_WINDOW_BLOCKS) {
            revert InvalidConfig("responseWindowBlocks", config_.responseWindowBlocks);
        }
        ServiceStorage storage $ = _storage();
        bool paused = $.config.intakePaused;
        $.config = config_;
        $.config.intakePaused = paused; // only the guardian's switch changes it, or new parameters would undo a pause
        emit ServiceConfigUpdated($.config);
    }

    function _authorizeUpgrade(address) internal override restricted {}

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _ceilDiv(uint256 a, uint256 b) private pure returns (uint256) {
        return (a + b - 1) / b;
    }

    function _storage() private pure returns (ServiceStorage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
