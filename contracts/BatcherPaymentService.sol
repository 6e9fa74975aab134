// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    AccessManagedUpgradeable
} from "@openzeppelin/contracts-upgradeable/access/manager/AccessManagedUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

import {BatchStatus, IAlignedLayerServiceManager} from "./interfaces/IAlignedLayerServiceManager.sol";
import {IBatcherPaymentService, SkipReason} from "./interfaces/IBatcherPaymentService.sol";
import {Commitments} from "./libraries/Commitments.sol";
import {FirstCall} from "./libraries/FirstCall.sol";
import {PackedAccount, PackedAccounts} from "./libraries/PackedAccount.sol";
import {PayerList} from "./libraries/PayerList.sol";

/// @title Users' deposits, and the batcher's right to charge them for proofs.
/// @notice Contract and invariants: IBatcherPaymentService.
contract BatcherPaymentService is IBatcherPaymentService, AccessManagedUpgradeable, UUPSUpgradeable {
    /// @inheritdoc IBatcherPaymentService
    uint256 public constant UNLOCK_BLOCK_TIME = 1 hours;

    /// @dev What `createNewTask` costs its sender outside the part measured with gasleft(): the transaction, the proxy, a
    /// typical calldata, and the writes and events behind the measurement. Counted from the decoded arguments, as calldata
    /// can be stretched. Further calls in one transaction have only the latter.
    uint256 private constant FIXED_POSTING_GAS = 57_000;
    uint256 private constant FURTHER_POSTING_GAS = 24_000;
    uint256 private constant ENTRY_GAS = 374; // 12 zero and 20 other bytes of calldata, and hashing them
    uint256 private constant MAX_TIP_WEI = 3 gwei;
    uint256 private constant REWARD_PERCENT = 120; // the rest pays for settling, and for transactions that fail

    /// @dev One storage slot: all that `createNewTask` reads and writes besides the accounts.
    struct Office {
        address batcher;
        uint88 earningsWei;
        bool intakePaused;
    }

    /// @custom:storage-location erc7201:aligned.storage.BatcherPaymentService
    struct PaymentStorage {
        Office office;
        address pendingBatcher;
        mapping(address user => PackedAccount) accounts;
        mapping(bytes32 batchMerkleRoot => bytes32 hash) settlementHash;
    }

    /// @dev The entries that paid (see PayerList) and how much that was.
    struct Collection {
        uint256 list;
        uint256 kept;
        uint256 amountWei;
    }

    // keccak256(abi.encode(uint256(keccak256("aligned.storage.BatcherPaymentService")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0xb448fe140a2185a97902862e8087869596bf77132b901f0b62e071681d092000;

    IAlignedLayerServiceManager private immutable _SERVICE_MANAGER;
    uint64 private immutable _DEFAULT_FEE_CAP;

    /// @param serviceManager The service manager (its proxy).
    /// @param defaultFeeCapWei Most that a user who set no cap pays for a proof.
    constructor(address serviceManager, uint64 defaultFeeCapWei) {
        if (serviceManager == address(0)) revert ZeroAddress("serviceManager");
        _SERVICE_MANAGER = IAlignedLayerServiceManager(serviceManager);
        _DEFAULT_FEE_CAP = defaultFeeCapWei;
        _disableInitializers();
    }

    /// @notice Sets the service up; the proxy calls it in its constructor.
    /// @param authority_ Access manager.
    /// @param batcher First batcher.
    function initialize(address authority_, address batcher) external initializer {
        if (authority_ == address(0)) revert ZeroAddress("authority");
        if (batcher == address(0)) revert ZeroAddress("batcher");
        __AccessManaged_init(authority_);
        _storage().office.batcher = batcher;
        emit BatcherChanged(address(0), batcher);
    }

    /// @notice Credits the sender. Money from the service manager is a batch's surplus, which `settle` hands out.
    receive() external payable {
        if (msg.sender != address(_SERVICE_MANAGER)) _deposit(msg.sender);
    }

    // ------------------------------------------------------------------------------------------ users

    /// @inheritdoc IBatcherPaymentService
    function deposit(address user) external payable {
        if (user == address(0)) revert ZeroAddress("user");
        _deposit(user);
    }

    /// @inheritdoc IBatcherPaymentService
    function setFeeCap(uint256 capWei) external {
        if (capWei > type(uint64).max) revert CapTooHigh(capWei, type(uint64).max);
        PaymentStorage storage $ = _storage();
        PackedAccount account = $.accounts[msg.sender];
        PackedAccount changed = account.withFeeCap(uint64(capWei));
        if (_capOf(changed) < _capOf(account) && account.balanceWei() != 0 && !account.isWithdrawable()) {
            revert CapLocked(account.unlockTime(), block.timestamp);
        }
        $.accounts[msg.sender] = changed;
        emit FeeCapSet(msg.sender, capWei);
    }

    /// @inheritdoc IBatcherPaymentService
    function unlock() external {
        PaymentStorage storage $ = _storage();
        PackedAccount account = $.accounts[msg.sender];
        if (account.balanceWei() == 0) revert UserHasNoFundsToUnlock(msg.sender);
        uint256 unlockTime = block.timestamp + UNLOCK_BLOCK_TIME;
        $.accounts[msg.sender] = account.withUnlockTime(uint40(unlockTime));
        emit BalanceUnlocked(msg.sender, unlockTime);
    }

    /// @inheritdoc IBatcherPaymentService
    function lock() external {
        PaymentStorage storage $ = _storage();
        PackedAccount account = $.accounts[msg.sender];
        if (account.balanceWei() == 0) revert UserHasNoFundsToLock(msg.sender);
        $.accounts[msg.sender] = account.withUnlockTime(0);
        emit BalanceLocked(msg.sender);
    }

    /// @inheritdoc IBatcherPaymentService
    function withdraw(uint256 amount) external {
        PaymentStorage storage $ = _storage();
        PackedAccount account = $.accounts[msg.sender];
        uint256 balance = account.balanceWei();
        if (amount > balance) revert PayerInsufficientBalance(balance, amount);
        if (!account.isWithdrawable()) revert FundsLocked(account.unlockTime(), block.timestamp);
        $.accounts[msg.sender] = account.withBalance(uint96(balance - amount)).withUnlockTime(0);
        emit BalanceLocked(msg.sender);
        emit FundsWithdrawn(msg.sender, amount);
        _send(msg.sender, amount);
    }

    // ------------------------------------------------------------------------------------------ batches

    /// @inheritdoc IBatcherPaymentService
    function createNewTask(
        bytes32 batchMerkleRoot,
        string calldata batchDataPointer,
        address[] calldata proofSubmitters,
        uint256 feeForAggregator,
        uint256 feePerProof,
        uint256 respondToTaskFeeLimit
    ) external payable {
        uint256 gasAtStart = gasleft();
        PaymentStorage storage $ = _storage();
        Office memory office = $.office;
        if (msg.sender != office.batcher) revert OnlyBatcherAllowed(msg.sender);
        if (office.intakePaused) revert IntakePaused();
        if (proofSubmitters.length == 0) revert NoProofSubmitters();
        if (feePerProof == 0) revert NoFeePerProof();
        if (respondToTaskFeeLimit > feeForAggregator) {
            revert InsufficientFeeForAggregator(feeForAggregator, respondToTaskFeeLimit);
        }
        Collection memory collection = _charge($, batchMerkleRoot, proofSubmitters, feePerProof);
        if (collection.amountWei + msg.value < feeForAggregator) {
            revert InsufficientFeeForAggregator(feeForAggregator, collection.amountWei + msg.value);
        }
        _SERVICE_MANAGER.createNewTask{value: respondToTaskFeeLimit}(
            batchMerkleRoot, batchDataPointer, respondToTaskFeeLimit
        );
        emit TaskCreated(batchMerkleRoot, feePerProof, proofSubmitters.length);
        uint256 payersFeeWei = _min(collection.amountWei, respondToTaskFeeLimit);
        uint256 marginWei = collection.amountWei - payersFeeWei;
        uint256 rewardWei = _min(marginWei, _postingCostWei(gasAtStart, proofSubmitters.length));
        // What the payers' money did not cover of the answer fee came out of msg.value, which is the batcher's.
        office.earningsWei =
            _toUint88(office.earningsWei + rewardWei + msg.value - (respondToTaskFeeLimit - payersFeeWei));
        $.office = office;
        $.settlementHash[batchMerkleRoot] = PayerList.commit(
            collection.list, collection.kept, marginWei - rewardWei, payersFeeWei, respondToTaskFeeLimit
        );
        emit TaskFunded(batchMerkleRoot, marginWei - rewardWei, payersFeeWei);
    }

    /// @inheritdoc IBatcherPaymentService
    function settle(
        bytes32 batchMerkleRoot,
        address[] calldata payers,
        uint256 heldWei,
        uint256 payersFeeWei,
        uint256 feeLimitWei
    ) external {
        PaymentStorage storage $ = _storage();
        bytes32 expected = $.settlementHash[batchMerkleRoot];
        if (expected == 0) revert NothingToSettle(batchMerkleRoot);
        bytes32 given = keccak256(abi.encodePacked(payers, heldWei, payersFeeWei, feeLimitWei));
        if (given != expected) revert SettlementMismatch(expected, given);
        delete $.settlementHash[batchMerkleRoot];
        uint256 surplusWei = _takeSurplus(batchMerkleRoot);
        uint256 batchersWei = surplusWei * (feeLimitWei - payersFeeWei) / feeLimitWei;
        if (batchersWei != 0) $.office.earningsWei = _toUint88($.office.earningsWei + batchersWei);
        uint256 payersWei = heldWei + surplusWei - batchersWei;
        if (payersWei != 0) _share($, payers, payersWei);
        emit SurplusReturned(batchMerkleRoot, payersWei, payers.length);
    }

    // ------------------------------------------------------------------------------------------ batcher

    /// @inheritdoc IBatcherPaymentService
    function withdrawEarnings() external {
        Office storage office = _storage().office;
        if (msg.sender != office.batcher) revert OnlyBatcherAllowed(msg.sender);
        uint256 amount = office.earningsWei;
        office.earningsWei = 0;
        emit EarningsWithdrawn(msg.sender, amount);
        _send(msg.sender, amount);
    }

    /// @inheritdoc IBatcherPaymentService
    function proposeBatcher(address batcher) external restricted {
        PaymentStorage storage $ = _storage();
        $.pendingBatcher = batcher;
        emit BatcherProposed($.office.batcher, batcher);
    }

    /// @inheritdoc IBatcherPaymentService
    function acceptBatcher() external {
        PaymentStorage storage $ = _storage();
        if (msg.sender != $.pendingBatcher) revert OnlyPendingBatcher(msg.sender, $.pendingBatcher);
        emit BatcherChanged($.office.batcher, msg.sender);
        $.office.batcher = msg.sender;
        delete $.pendingBatcher;
    }

    /// @inheritdoc IBatcherPaymentService
    function setIntakePaused(bool paused_) external restricted {
        _storage().office.intakePaused = paused_;
        emit IntakePausedSet(paused_);
    }

    // ------------------------------------------------------------------------------------------ views

    /// @inheritdoc IBatcherPaymentService
    function user_balances(address user) external view returns (uint256) {
        return _storage().accounts[user].balanceWei();
    }

    /// @inheritdoc IBatcherPaymentService
    function user_nonces(address user) external view returns (uint256) {
        return _storage().accounts[user].nonce();
    }

    /// @inheritdoc IBatcherPaymentService
    function user_unlock_block(address user) external view returns (uint256) {
        return _storage().accounts[user].unlockTime();
    }

    /// @inheritdoc IBatcherPaymentService
    function feeCapOf(address user) external view returns (uint256) {
        return _capOf(_storage().accounts[user]);
    }

    /// @inheritdoc IBatcherPaymentService
    function accountOf(address user)
        external
        view
        returns (uint256 nonce, uint256 balanceWei, uint256 unlockTime, uint256 feeCapWei)
    {
        PackedAccount account = _storage().accounts[user];
        return (account.nonce(), account.balanceWei(), account.unlockTime(), _capOf(account));
    }

    /// @inheritdoc IBatcherPaymentService
    function DEFAULT_FEE_CAP() external view returns (uint256) {
        return _DEFAULT_FEE_CAP;
    }

    /// @inheritdoc IBatcherPaymentService
    function batcherWallet() external view returns (address) {
        return _storage().office.batcher;
    }

    /// @inheritdoc IBatcherPaymentService
    function pendingBatcher() external view returns (address) {
        return _storage().pendingBatcher;
    }

    /// @inheritdoc IBatcherPaymentService
    function batcherEarnings() external view returns (uint256) {
        return _storage().office.earningsWei;
    }

    /// @inheritdoc IBatcherPaymentService
    function settlementHash(bytes32 batchMerkleRoot) external view returns (bytes32) {
        return _storage().settlementHash[batchMerkleRoot];
    }

    /// @inheritdoc IBatcherPaymentService
    function paused() external view returns (bool) {
        return _storage().office.intakePaused;
    }

    /// @inheritdoc IBatcherPaymentService
    function alignedLayerServiceManager() external view returns (address) {
        return address(_SERVICE_MANAGER);
    }

    // ------------------------------------------------------------------------------------------ internals

    /// @dev Charges or skips every entry; an account is read and written once per run of equal entries.
    function _charge(PaymentStorage storage $, bytes32 root, address[] calldata submitters, uint256 feeWei)
        private
        returns (Collection memory)
    {
        (uint256 list, uint256 end) = PayerList.copy(submitters);
        uint256 at = list;
        uint256 kept = list; // behind the last entry that paid
        while (true) {
            (at, kept) = PackedAccounts.chargeInFull($.accounts, at, end, kept, feeWei, _DEFAULT_FEE_CAP);
            if (at == end) break;
            (address user, uint256 count) = PayerList.run(at);
            kept = PayerList.keep(kept, at, _chargePartly($, root, user, count, feeWei));
            at += 32 * count;
        }
        // Nobody was charged a fee above its cap, which is below 2^64: no overflow.
        return Collection(list, kept, (kept - list) / 32 * feeWei);
    }

    /// @dev Charges for as many of `count` proofs as the balance allows, none if the fee is above the cap or the balance on its
    /// way out. All nonces are used up, or a message that was skipped could be charged later.
    function _chargePartly(PaymentStorage storage $, bytes32 root, address user, uint256 count, uint256 feeWei)
        private
        returns (uint256 paid)
    {
        PackedAccount account = $.accounts[user];
        SkipReason reason = SkipReason.InsufficientBalance;
        if (account.isWithdrawable()) {
            reason = SkipReason.Withdrawable;
        } else if (feeWei > _capOf(account)) {
            reason = SkipReason.AboveCap;
        } else {
            paid = account.balanceWei() / feeWei; // less than count, or the whole run had been charged
        }
        $.accounts[user] = account.charged(count, paid * feeWei);
        emit SubmitterSkipped(root, user, reason, count - paid);
    }

    /// @dev Most that the batcher may keep of what users paid: the gas of this call at a bounded price, and a little more.
    function _postingCostWei(uint256 gasAtStart, uint256 entries) private returns (uint256) {
        uint256 fixedGas = FirstCall.take() ? FIXED_POSTING_GAS : FURTHER_POSTING_GAS;
        uint256 priceWei = _min(tx.gasprice, block.basefee + MAX_TIP_WEI);
        return (gasAtStart - gasleft() + fixedGas + entries * ENTRY_GAS) * priceWei * REWARD_PERCENT / 100;
    }

    /// @dev Takes what the service manager has left of a batch's fee, possibly nothing.
    function _takeSurplus(bytes32 root) private returns (uint256 surplusWei) {
        BatchStatus status = _SERVICE_MANAGER.batchStatus(root, address(this));
        if (status == BatchStatus.Unknown || status == BatchStatus.Pending) revert BatchNotFinal(root, uint8(status));
        (,, surplusWei) = _SERVICE_MANAGER.batchesState(Commitments.batchId(root, address(this)));
        if (surplusWei == 0) return 0;
        _SERVICE_MANAGER.reclaim(root);
        _SERVICE_MANAGER.withdraw(surplusWei);
    }

    /// @dev Gives each entry the same share, as each paid the same; the division's dust goes to the first.
    function _share(PaymentStorage storage $, address[] calldata payers, uint256 amountWei) private {
        uint256 share = amountWei / payers.length;
        uint256 dust = amountWei - share * payers.length;
        uint256 at = 0;
        while (at < payers.length) {
            address user = payers[at];
            uint256 next = at + 1;
            while (next < payers.length && payers[next] == user) next++;
            PackedAccount account = $.accounts[user];
            uint256 balance = account.balanceWei() + share * (next - at) + dust;
            $.accounts[user] = account.withBalance(_toUint96(user, balance));
            dust = 0;
            at = next;
        }
    }

    /// @dev Only the owner of the funds re-locks them: anyone else could keep them locked with deposits of 1 wei.
    function _deposit(address user) private {
        PaymentStorage storage $ = _storage();
        PackedAccount account = $.accounts[user];
        account = account.withBalance(_toUint96(user, account.balanceWei() + msg.value));
        if (msg.sender == user) account = account.withUnlockTime(0);
        $.accounts[user] = account;
        emit PaymentReceived(user, msg.value);
    }

    function _capOf(PackedAccount account) private view returns (uint256) {
        uint64 capWei = account.feeCapWei();
        return capWei == 0 ? _DEFAULT_FEE_CAP : capWei;
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _send(address to, uint256 amount) private {
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to, amount);
    }

    function _toUint96(address user, uint256 value) private pure returns (uint96) {
        if (value > type(uint96).max) revert BalanceOverflow(user, value);
        return uint96(value);
    }

    function _toUint88(uint256 value) private view returns (uint88) {
        if (value > type(uint88).max) revert BalanceOverflow(_storage().office.batcher, value);
        return uint88(value);
    }

    function _authorizeUpgrade(address) internal override restricted {}

    function _storage() private pure returns (PaymentStorage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
